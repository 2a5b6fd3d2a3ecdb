# Slow and lossy links between seven servers whose leader is killed again and again: candidates split the votes,
# and randomised timeouts must end that.
scenario "split-vote-storm" {
  servers  = 7
  clients  = 2
  duration = "90s"
  network { delay = "20ms..150ms"  drop = 0.1 }
  workload "kv-register" { keys = 2  rate = 10 }
  at "10s" { kill = "leader" }
  at "20s" { kill = "leader" }
  at "30s" { kill = "leader" }
  at "50s" { start = "all" }
  at "60s" { kill = "leader" }
  expect { linearizable = true  converged_within = "90s"  elections = 4 }
}
