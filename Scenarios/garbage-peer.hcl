# Somebody who is no part of the cluster sends garbage to every port of every agent: noise, torn messages, and well-formed ones with
# numbers at which arithmetic goes wrong. Nobody stops, nothing that was acknowledged is lost, and service goes on, also after restarts.

scenario "garbage-peer" {
  servers  = 3
  agents   = 2
  duration = "90s"
  clients  = 3
  workload "kv-register" { keys = 3  rate = 20 }
  workload "lock" { keys = 2  rate = 5 }
  workload "agent-services" { keys = 2  rate = 4 }
  at "5s" { garbage = "80s" }
  at "30s" { restart = "leader" }
  at "50s" { kill = "all" }
  at "55s" { start = "all" }
  expect { answered = 1000 }
}
