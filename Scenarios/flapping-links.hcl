# Partitions come and go faster than elections end, in changing places.
scenario "flapping-links" {
  servers  = 5
  clients  = 4
  duration = "60s"
  network { delay = "1ms..30ms" }
  workload "kv-register" { keys = 3  rate = 40 }
  workload "catalog-watch" { keys = 3  rate = 20 }
  fault "partition" { every = "3s"  lasting = "500ms..3s" }
  expect { linearizable = true  converged_within = "60s" }
}
