# A thousand agents and five servers start within a second or so of each other. Ten seconds after the last of them has joined, everybody
# must know everybody.

scenario "thousand-agents" {
  servers  = 5
  agents   = 1000
  duration = "15s"
  clients  = 2
  workload "kv-register" { keys = 1  rate = 2 }
  at "12s" { pool_is_right = true }
}
