# Clocks of servers leap forward by minutes and run at different speeds: elections may happen, histories may not change.
# Timers run out early, but a lock stays with one holder.
scenario "clock-jump" {
  servers  = 5
  clients  = 3
  duration = "80s"
  clock { offset = "24h"  drift_ppm = 200 }
  workload "kv-register" { keys = 3  rate = 30 }
  at "10s" { clock_leap = ["leader", "10m"] }
  at "20s" { clock_leap = ["follower", "1h"] }
  at "30s" { clock_leap = ["s1", "1s"] }
  at "40s" { clock_leap = ["leader", "700ms"] }
  expect { linearizable = true  converged_within = "60s" }
}
