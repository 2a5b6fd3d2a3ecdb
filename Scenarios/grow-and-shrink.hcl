# A cluster grows from three to five servers and shrinks back, with its leaders taken out, while clients write: no majority of the
# old configuration may decide anything that a majority of the new one does not know.

scenario "grow-and-shrink" {
  servers  = 3
  spares   = 2
  clients  = 4
  duration = "60s"
  workload "kv-register" { keys = 3  rate = 40 }
  workload "dns" { keys = 2  rate = 10 }
  at "5s"  { join = "s4" }
  at "10s" { join = "s5" }
  at "20s" { isolate = "leader" }
  at "22s" { retire = "same" }
  at "30s" { heal = true }
  at "35s" { retire = "leader" }
  expect   { converged_within = "60s"  answered = 1000 }
}
