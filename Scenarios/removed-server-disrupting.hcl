# A server leaves the cluster, and another one that was cut off for long comes back with nothing to offer: neither may
# disturb the leader that the others follow.
scenario "removed-server-disrupting" {
  servers  = 5
  clients  = 3
  duration = "90s"
  workload "kv-register" { keys = 3  rate = 30 }
  at "10s" { leave = "s5" }
  at "30s" { isolate = "s4" }
  at "60s" { heal = true }
  expect { linearizable = true  converged_within = "90s" }
}
