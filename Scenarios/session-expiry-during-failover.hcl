# Sessions run out while leaders change: a new leader must give every session its whole time again, never less, and
# expired ones must release their locks exactly once.
scenario "session-expiry-during-failover" {
  servers  = 3
  clients  = 4
  duration = "150s"
  workload "session-ttl" { rate = 4 }
  workload "lock" { keys = 2  rate = 10 }
  at "20s" { kill = "leader" }
  at "35s" { start = "all" }
  at "60s" { isolate = "leader" }
  at "80s" { heal = true }
  at "100s" { kill = "leader" }
  at "115s" { start = "all" }
  expect { linearizable = true  converged_within = "120s"  elections = 3 }
}
