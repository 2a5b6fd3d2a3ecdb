# Servers lose power alone and together every second and are back within half a second, while terms last less than that and disks sync
# slowly: what was answered before it was durable is forgotten, and somebody who relied on it notices.
scenario "storm-of-power-losses" {
  servers  = 3
  clients  = 4
  duration = "20s"
  storm    = true
  disk     { sync = "5ms..40ms" }
  raft     { timeout = "150ms"  segment_size = 4096 }
  workload "kv-register" { keys = 1  rate = 80 }
  fault "power-loss"         { every = "1s"  lasting = "10ms..400ms" }
  fault "blackout"           { every = "3s"  lasting = "10ms..400ms" }
  fault "crash-at-operation" { every = "500ms"  lasting = "10ms..400ms" }
  expect { linearizable = true  elections = 5 }
}
