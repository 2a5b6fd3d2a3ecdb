# All three servers of a cluster are replaced by new ones, one by one: the new one joins, then the old one leaves. Autopilot must make
# voters of the new ones and may never take away a quorum.

scenario "replace-every-server" {
  servers  = 3
  spares   = 3
  agents   = 4
  duration = "180s"
  clients  = 3
  workload "kv-register" { keys = 3  rate = 20 }
  workload "agent-services" { clients = 4  keys = 2  rate = 5 }
  at "20s"  { join = "s4" }
  at "50s"  { leave = "s1" }
  at "70s"  { join = "s5" }
  at "100s" { leave = "s2" }
  at "120s" { join = "s6" }
  at "150s" { leave = "s3" }
}
