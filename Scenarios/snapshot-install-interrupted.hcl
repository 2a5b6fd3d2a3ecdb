# A follower needs a snapshot, and its power fails, or the leader's, while it is installed: half a snapshot must never
# be taken for one.
scenario "snapshot-install-interrupted" {
  servers  = 3
  clients  = 4
  duration = "90s"
  network { delay = "1ms..10ms" }
  disk { sync = "5ms..40ms"  write = "2ms..10ms" }
  raft { snapshot_threshold = 100  snapshot_interval = "2s"  trailing_logs = 5 }
  workload "kv-register" { keys = 20  rate = 100 }
  at "5s" { power_loss = "s3" }
  at "20s" { start = "s3" }
  at "20200ms" { power_loss = "s3" }
  at "22s" { start = "s3" }
  at "22100ms" { kill = "leader" }
  at "30s" { start = "all" }
  at "40s" { power_loss = "s2" }
  at "55s" { start = "s2" }
  at "55050ms" { power_loss = "s2" }
  at "57s" { start = "s2" }
  expect { linearizable = true  converged_within = "90s" }
}
