# Power is lost exactly between two operations of one batch, or between sending and syncing: between the two slots of the vote, between a
# write and its sync, before a folder is synced, in the rename that makes a snapshot one.
scenario "power-lost-between-operations" {
  servers  = 3
  clients  = 4
  duration = "30s"
  client_timeout = "500ms"
  storm    = true
  disk     { sync = "2ms..20ms" }
  raft     { timeout = "200ms"  snapshot_threshold = 20  snapshot_interval = "500ms"  trailing_logs = 5  segment_size = 4096 }
  workload "kv-register" { keys = 2  rate = 60 }
  at "3s"  { crash_after = ["follower", "write", 1, "100ms"] }
  at "5s"  { crash_before = ["leader", "sync", 1, "300ms"] }
  at "7s"  { crash_with_message = ["leader", 1, "200ms"] }
  at "8s"  { crash_with_message = ["follower", 1, "200ms"] }
  at "9s"  { crash_before = ["s1", "folder-sync", 1, "100ms"] }
  at "11s" { crash_before = ["s2", "rename", 1, "100ms"] }
  at "13s" { crash_after = ["s3", "rename", 1, "100ms"] }
  at "15s" { crash_after = ["s1", "folder-sync", 2, "100ms"] }
  at "17s" { crash_before = ["s2", "remove", 1, "100ms"] }
  at "19s" { kill = "leader"  crash_after = ["s1", "write", 1, "50ms"]  crash_before = ["s2", "write", 2, "50ms"] }
  at "21s" { start = "all"  crash_before = ["s3", "truncate", 1, "50ms"] }
  expect { linearizable = true  elections = 4 }
}
