# Two fifths of all datagrams are lost. Pings fail, news must be told again and again, and streams have to carry what packets do not;
# who is alive must be held for alive in the end.

scenario "lossy-gossip" {
  servers  = 3
  agents   = 20
  duration = "120s"
  clients  = 3
  gossip_network { drop = 0.4  delay = "100us..10ms"  duplicate = 0.05 }
  workload "kv-register" { keys = 2  rate = 10 }
  workload "agent-services" { clients = 10  keys = 2  rate = 5 }
  at "40s" { kill = ["a1", "a2"] }
  at "80s" { start = ["a1", "a2"] }
}
