# Locks are freed by sessions that end just before their leader is lost: the next leader, which applied the end itself,
# must honour the delay by its own clock.
scenario "lock-delay-across-failover" {
  servers  = 3
  clients  = 5
  duration = "120s"
  workload "lock" { keys = 2  rate = 20 }
  at "20s" { isolate = "leader" }
  at "32s" { heal = true }
  at "50s" { isolate = "leader" }
  at "62s" { heal = true }
  at "80s" { pause = "leader" }
  at "90s" { resume = "same" }
  expect { linearizable = true  converged_within = "90s"  elections = 3 }
}
