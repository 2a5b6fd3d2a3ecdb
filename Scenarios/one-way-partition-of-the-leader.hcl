# The leader hears nobody, but its heartbeats arrive, so nobody stands for election: it must step down by itself when
# its lease lapses. Then the other way round.
scenario "one-way-partition-of-the-leader" {
  servers  = 3
  clients  = 3
  duration = "60s"
  workload "kv-register" { keys = 2  rate = 30 }
  at "10s" { isolate_incoming = "leader" }
  at "25s" { heal = true }
  at "35s" { isolate_outgoing = "leader" }
  at "50s" { heal = true }
  expect { linearizable = true  converged_within = "60s"  elections = 2 }
}
