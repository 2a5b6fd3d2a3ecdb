# Agents that come and go every few seconds, and links that lose a tenth of everything, while others register services.

scenario "flapping-agents" {
  servers  = 3
  agents   = 12
  duration = "120s"
  clients  = 3
  leader_bias = 0.1
  workload "kv-register" { keys = 2  rate = 10 }
  workload "agent-services" { clients = 12  keys = 2  rate = 6 }
  fault "kill" { every = "6s"  lasting = "500ms..6s" }
  fault "packet-loss" { every = "10s"  lasting = "2s..15s" }
}
