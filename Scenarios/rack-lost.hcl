# A datacenter of 500 agents loses a rack: a fifth of its agents and one of its servers are gone at once and come back half a minute later.
# Everybody must notice, nobody else may be taken for dead, and in the end the catalog must show what runs.

scenario "rack-lost" {
  servers  = 5
  agents   = 500
  duration = "90s"
  clients  = 4
  workload "kv-register" { keys = 3  rate = 10 }
  workload "agent-services" { clients = 20  keys = 2  rate = 5 }
  at "30s" { kill = ["a1..a100", "s5"] }
  at "65s" { start = ["a1..a100", "s5"] }
  expect   { converged_within = "300s" }
}
