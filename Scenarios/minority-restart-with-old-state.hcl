# Two of five servers sleep through a long stretch of history and come back with old logs, while the leader dies: they
# may vote only for who has everything that was committed without them.
scenario "minority-restart-with-old-state" {
  servers  = 5
  clients  = 3
  duration = "90s"
  workload "kv-register" { keys = 4  rate = 50 }
  at "10s" { power_loss = ["s1", "s2"] }
  at "50s" { start = ["s1", "s2"] }
  at "50500ms" { kill = "leader" }
  at "70s" { start = "all" }
  expect { linearizable = true  converged_within = "60s" }
}
