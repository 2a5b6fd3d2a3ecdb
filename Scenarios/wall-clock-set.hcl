# Wall clocks are set back and forth by hours. Nothing that consensus, sessions or leases do may depend on them, and a snapshot made
# later must not be taken for an older one.

scenario "wall-clock-set" {
  servers  = 3
  clients  = 4
  duration = "60s"
  raft     { snapshot_threshold = 20  snapshot_interval = "2s"  trailing_logs = 5 }
  workload "kv-register" { keys = 2  rate = 30 }
  workload "session-ttl" { rate = 5 }
  workload "lock" { keys = 2  rate = 10 }
  at "10s" { wall_clock = ["leader", "-5h"] }
  at "15s" { wall_clock = ["followers", "3h"] }
  at "20s" { restart = "all" }
  at "30s" { wall_clock = ["all", "-24h"] }
  at "40s" { restart = "leader" }
}
