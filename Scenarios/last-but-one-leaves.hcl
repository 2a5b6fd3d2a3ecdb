# Agents leave one after the other until a server is alone with one client, which then leaves, too: it is told to nobody
# but that server, and takes no longer than the leave of any other. (It went unsaid, and the agent waited in vain.)
scenario "last-but-one-leaves" {
  servers  = 1
  agents   = 2
  duration = "40s"
  workload "kv-register" { keys = 1  rate = 5 }
  at "10s" { leave = "a1" }
  at "22s" { leave = "a2" }
  expect { converged_within = "60s" }
}
