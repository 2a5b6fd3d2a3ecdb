# Agents that are late to see what arrives for them, as on machines without a processor to spare: they miss the answers to their probes
# and accuse the healthy (Lifeguard's case).

scenario "slow-members" {
  servers  = 3
  agents   = 40
  duration = "120s"
  clients  = 3
  workload "agent-services" { clients = 10  keys = 2  rate = 5 }
  at "30s" { slow = ["a1..a8", "20s"] }
  at "52s" { slow = ["a1..a8", "20s"] }
  at "80s" { slow = ["leader", "12s"] }
}
