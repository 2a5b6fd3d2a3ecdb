# Services and their checks belong to the servers themselves, which crash: a server's checks must not turn critical before they have run,
# whoever leads by then, and what it has acknowledged is registered again. They are back before the pool gives them up: autopilot removes a
# failed server with its node, and with that its sessions.

scenario "servers-with-checks-restarted" {
  servers  = 3
  gossip   = true
  clients  = 4
  duration = "120s"
  workload "session-check" { clients = 6  rate = 8 }
  workload "agent-services" { clients = 6  keys = 3  rate = 12 }
  fault "kill" { every = "6s"  lasting = "100ms..1s" }
  at "20s" { kill = "leader" }
  at "20500ms" { start = "same" }
  at "40s" { restart = "all" }
  at "80s" { power_loss = "all" }
  at "81s" { start = "all" }
}
