# For an hour a third of all packets to and from one follower are lost, so that what the leader sends comes late and pings fail. Nobody
# may elect another leader for it, and nobody may be taken for dead in the end.

scenario "lossy-follower" {
  servers  = 3
  gossip   = true
  duration = "3600s"
  clients  = 2
  workload "kv-register" { keys = 2  rate = 1 }
  at "20s" { packet_loss = ["follower", 0.3] }
  expect   { elections_at_most = 1 }
}
