# A leader is cut off together with some clients and does not know that it was replaced: under its lease it may not
# answer default or consistent reads with what others have overwritten.
scenario "stale-leader-reading" {
  servers  = 5
  clients  = 6
  duration = "60s"
  workload "kv-register" { keys = 1  rate = 80 }
  at "10s" { isolate = "leader" }
  at "25s" { heal = true }
  at "35s" { isolate = "leader" }
  at "50s" { heal = true }
  expect { linearizable = true  converged_within = "60s"  elections = 3 }
}
