# Every server is restarted, one after the other, while clients write and agents register services.

scenario "rolling-restart" {
  servers  = 3
  agents   = 6
  duration = "120s"
  clients  = 4
  workload "kv-register" { keys = 3  rate = 30 }
  workload "agent-services" { clients = 6  keys = 2  rate = 5 }
  at "30s" { kill = "s1" }
  at "36s" { start = "s1" }
  at "56s" { kill = "s2" }
  at "62s" { start = "s2" }
  at "82s" { kill = "s3" }
  at "88s" { start = "s3" }
}
