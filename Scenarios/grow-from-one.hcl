# One server grows to five and shrinks back, joined and left by gossip alone.

scenario "grow-from-one" {
  servers  = 1
  spares   = 4
  agents   = 3
  duration = "200s"
  clients  = 3
  workload "kv-register" { keys = 3  rate = 20 }
  at "10s"  { join = "s2" }
  at "30s"  { join = "s3" }
  at "50s"  { join = ["s4", "s5"] }
  at "100s" { leave = "s1" }
  at "120s" { leave = "s2" }
  at "140s" { leave = "s3" }
}
