# All servers lose power in the middle of writing: what was not synced is gone or torn, and recovery must cut it off
# without touching anything that was acknowledged.
scenario "torn-tail" {
  servers  = 3
  clients  = 4
  duration = "60s"
  disk { sync = "2ms..20ms" }
  workload "kv-register" { keys = 3  rate = 100 }
  at "10s" { power_loss = "all" }
  at "12s" { start = "all" }
  at "20s" { power_loss = "all" }
  at "22s" { start = "all" }
  at "30s" { power_loss = "all" }
  at "32s" { start = "all" }
  expect { linearizable = true  converged_within = "60s" }
}
