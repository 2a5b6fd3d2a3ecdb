# A process is killed before its writes are synced, comes back, and finds them in the page cache; then the power fails and
# takes them away. What a server answers for after a restart must be on its disk, not only in the system's memory.
scenario "page-cache" {
  servers  = 3
  clients  = 6
  duration = "70s"
  disk { sync = "100ms..900ms" }
  raft { segment_size = 4096  multiplier = 2 }
  workload "kv-register" { keys = 2  rate = 40 }
  at "15s"     { kill = "all" }
  at "15020ms" { start = "all" }
  at "15200ms" { power_loss = "all" }
  at "16s"     { start = "all" }
  at "28s"     { kill = "followers" }
  at "28020ms" { start = "all" }
  at "28300ms" { power_loss = "all" }
  at "29s"     { start = "all" }
  at "40s"     { kill = "all" }
  at "40020ms" { start = "all" }
  at "43500ms" { power_loss = "all" }
  at "44s"     { start = "all" }
  at "56s"     { kill = "all" }
  at "56020ms" { start = "all" }
  at "56100ms" { power_loss = "all" }
  at "57s"     { start = "all" }
  expect { linearizable = true  converged_within = "90s" }
}
