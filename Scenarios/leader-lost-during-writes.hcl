# The leader dies while writes are under way: those it acknowledged must be found at its successor, the others may
# be there or not, but not both.
scenario "leader-lost-during-writes" {
  servers  = 5
  clients  = 3
  duration = "60s"
  network { delay = "1ms..20ms"  drop = 0.01 }
  workload "kv-register" { keys = 5  rate = 50 }
  at "10s" { kill = "leader" }
  at "14s" { partition = [["s1", "s2"], ["s3", "s4", "s5"]] }
  at "30s" { heal = true }
  at "31s" { start = "all" }
  at "40s" { kill = "leader" }
  expect { linearizable = true  converged_within = "60s"  elections = 2 }
}
