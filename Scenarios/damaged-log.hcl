# Bits of a synced record turn in the middle of one server's log: it must refuse to start rather than forget what it has
# acknowledged, and the others go on without it.
scenario "damaged-log" {
  servers  = 3
  clients  = 3
  duration = "40s"
  workload "kv-register" { keys = 3  rate = 40 }
  at "15s" { kill = "s2" }
  at "16s" { damage = "s2" }
  at "17s" { start = "s2" }
  expect { linearizable = true  converged_within = "60s"  refuses_to_start = 2 }
}
