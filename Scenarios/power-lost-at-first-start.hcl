# The power fails while a server starts for the first time: its term may have reached the disk without the first entry of its log.
# Nothing was acknowledged then, so it must begin anew instead of waiting forever for a cluster that was never formed.
scenario "power-lost-at-first-start" {
  servers  = 1
  clients  = 2
  duration = "20s"
  disk { sync = "100ms..900ms" }
  workload "kv-register" { keys = 1  rate = 10 }
  at "300ms" { power_loss = "all" }
  at "400ms" { start = "all" }
  at "800ms" { power_loss = "all" }
  at "900ms" { start = "all" }
  expect { linearizable = true  leader_within = "10s" }
}
