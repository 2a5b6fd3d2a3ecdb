# Agents crash and start again while sessions depend on their checks, which pass whenever they run: no session may end. Nor may anything be
# lost that an agent has acknowledged: it comes back from its data directory, also after a loss of power.

scenario "agents-restarted" {
  servers  = 3
  agents   = 4
  clients  = 4
  duration = "120s"
  workload "session-check" { clients = 8  rate = 8 }
  workload "agent-services" { clients = 8  keys = 3  rate = 12 }
  fault "kill" { every = "5s"  lasting = "100ms..4s" }
  at "20s" { restart = "agents" }
  at "40s" { restart = "all" }
  at "60s" { power_loss = "agents" }
  at "61s" { start = "agents" }
  at "90s" { power_loss = "all" }
  at "91s" { start = "all" }
}
