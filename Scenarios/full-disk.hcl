# The leader's disk is full, later a follower's: nothing unsynced is acknowledged, leadership goes to somebody with
# space, and the full servers come back when there is space again.
scenario "full-disk" {
  servers  = 3
  clients  = 3
  duration = "90s"
  workload "kv-register" { keys = 3  rate = 40 }
  at "10s" { full_disk = "leader" }
  at "30s" { free_disk = "same" }
  at "40s" { full_disk = "follower" }
  at "60s" { free_disk = "same" }
  at "65s" { full_disk = "all" }
  at "75s" { free_disk = "all" }
  expect { linearizable = true  converged_within = "90s" }
}
