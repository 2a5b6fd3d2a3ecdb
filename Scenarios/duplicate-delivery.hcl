# Every second message arrives twice, many out of order: votes must not be counted twice, entries not appended twice,
# answers to old questions not taken for new ones.
scenario "duplicate-delivery" {
  servers  = 5
  clients  = 3
  duration = "60s"
  network { delay = "1ms..60ms"  duplicate = 0.5  reorder = true  drop = 0.02 }
  workload "kv-register" { keys = 3  rate = 40 }
  workload "txn" { keys = 4  rate = 20 }
  at "20s" { kill = "leader" }
  at "30s" { start = "all" }
  expect { linearizable = true  converged_within = "60s" }
}
