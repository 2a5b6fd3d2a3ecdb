# Servers lose power at the moment of elections: a vote or an entry that was answered before it was durable would be
# forgotten and given twice.
scenario "crash-between-append-and-vote" {
  servers  = 3
  clients  = 3
  duration = "90s"
  disk { sync = "5ms..80ms"  write = "1ms..5ms" }
  crash_during_start = 0.3
  workload "kv-register" { keys = 2  rate = 40 }
  fault "power-loss" { every = "4s"  lasting = "200ms..3s" }
  at "10s" { power_loss = "leader" }
  at "11500ms" { power_loss = "all" }
  at "13s" { start = "all" }
  expect { linearizable = true  converged_within = "90s" }
}
