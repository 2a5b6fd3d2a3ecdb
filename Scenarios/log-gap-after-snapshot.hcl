# A follower comes back after the entries that it needs were dropped behind a snapshot: the log that it has does not
# reach the one that the leader still holds.
scenario "log-gap-after-snapshot" {
  servers  = 5
  clients  = 4
  duration = "80s"
  raft { snapshot_threshold = 150  snapshot_interval = "2s"  trailing_logs = 0  segment_size = 16384 }
  workload "kv-register" { keys = 10  rate = 120 }
  at "5s" { isolate = "s5" }
  at "10s" { kill = "s4" }
  at "30s" { heal = true }
  at "35s" { start = "s4" }
  at "45s" { kill = "leader" }
  at "55s" { start = "all" }
  expect { linearizable = true  converged_within = "80s" }
}
