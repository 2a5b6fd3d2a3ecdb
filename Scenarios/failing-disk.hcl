# Single writes and syncs fail on disks that go on working: a server whose sync failed does not know what is on its disk, so it must
# not count on it, answer for it, or find it again after a restart and take it for durable.

scenario "failing-disk" {
  servers  = 3
  clients  = 4
  duration = "40s"
  disk     { sync = "1ms..10ms" }
  workload "kv-register" { keys = 2  rate = 60 }
  fault "disk-error" { every = "4s" }
  at "8s"  { fail_sync = "leader" }
  at "16s" { fail_write = "leader" }
  at "24s" { fail_sync = "all" }
  at "28s" { power_loss = "all" }
  at "29s" { start = "all" }
}
