# A single server loses power again and again under load: what it acknowledged is there when it comes back.
scenario "lone-server-crashes" {
  servers  = 1
  clients  = 4
  duration = "60s"
  disk { sync = "1ms..10ms" }
  workload "kv-register" { keys = 3  rate = 80 }
  workload "txn" { keys = 3  rate = 20 }
  fault "power-loss" { every = "3s"  lasting = "100ms..1s" }
  expect { linearizable = true  converged_within = "30s" }
}
