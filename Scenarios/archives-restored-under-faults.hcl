# Operators save and restore the whole state while leaders die and links are cut: every restore reaches everybody or
# nobody, nothing that was acknowledged after it is lost, and an archive is always the state of one moment. Seed 286: a
# leader that was cut off showed what it had restored, which its successor never heard of. Seed 955: a follower that got a
# restored snapshot in the reference's way, which does not tell, took it for committed.
scenario "archives-restored-under-faults" {
  servers  = 3
  duration = "40s"
  workload "snapshot" { clients = 5  keys = 2  rate = 20 }
  fault "kill" { every = "6s" }
  fault "partition" { every = "8s" }
}
