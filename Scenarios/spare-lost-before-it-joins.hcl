# A new server loses its power before the leader takes it in, and comes back: it must be taken in then.
scenario "spare-lost-before-it-joins" {
  servers  = 3
  spares   = 1
  clients  = 2
  duration = "20s"
  workload "kv-register" { keys = 1  rate = 10 }
  at "5s"    { join = "s4" }
  at "5.1s"  { power_loss = "s4" }
  at "9s"    { start = "s4" }
  expect { linearizable = true  leader_within = "10s" }
}
