# The leader's process is stopped and goes on later as if nothing had happened: whatever it still believes, its answers
# must not be older than its lease allows.
scenario "paused-leader" {
  servers  = 3
  clients  = 5
  duration = "60s"
  workload "kv-register" { keys = 1  rate = 60 }
  at "10s" { pause = "leader" }
  at "16s" { resume = "same" }
  at "25s" { pause = "leader" }
  at "27s" { resume = "same" }
  at "35s" { pause = "followers" }
  at "45s" { resume = "same" }
  expect { linearizable = true  converged_within = "60s"  elections = 2 }
}
