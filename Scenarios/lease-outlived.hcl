# The clocks of all others leap, so that they elect somebody while the old leader's lease is in force; it cannot hear of that. Consistent reads ask a
# quorum, and may show nothing old all the same.
scenario "lease-outlived" {
  servers  = 5
  clients  = 12
  duration = "60s"
  raft { multiplier = 5 }
  workload "kv-register" { keys = 1  rate = 120 }
  at "20s" { isolate = "leader" }
  at "20s100ms" { clock_leap = ["followers", "12s"] }
  at "26s" { heal = true }
  at "40s" { isolate = "leader" }
  at "40s100ms" { clock_leap = ["followers", "12s"] }
  at "46s" { heal = true }
  expect { linearizable = true  converged_within = "90s" }
}
