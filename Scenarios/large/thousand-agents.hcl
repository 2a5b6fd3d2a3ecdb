# A thousand agents join five servers within five minutes, three or four a second. Ten seconds after the last of them everybody must know everybody.

scenario "thousand-agents" {
  servers       = 5
  agents        = 1000
  agents_within = "300s"
  duration      = "315s"
  clients       = 2
  workload "kv-register" { keys = 1  rate = 2 }
  at "310s" { pool_is_right = true }
}
