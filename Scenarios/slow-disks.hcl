# The leader's disk needs seconds for a sync, then everybody's does: heartbeats must not wait for the disk, and nothing is
# acknowledged before it is durable.
scenario "slow-disks" {
  servers  = 3
  clients  = 3
  duration = "60s"
  workload "kv-register" { keys = 2  rate = 20 }
  at "10s" { slow_disk = ["leader", 1000] }
  at "25s" { heal = true }
  at "35s" { slow_disk = ["all", 300] }
  at "45s" { power_loss = "leader" }
  at "50s" { heal = true }
  at "51s" { start = "all" }
  expect { linearizable = true  converged_within = "60s" }
}
