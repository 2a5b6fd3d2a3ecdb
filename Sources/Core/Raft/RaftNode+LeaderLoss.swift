// Leader liveness probes: a leader whose process is gone is replaced before the heartbeat timeout is over.
//
// A follower that misses heartbeats sends the leader a vote request in term 0, which every Raft server denies without any effect. If the
// connection is refused, no process listens there, and the follower asks for pre-votes as soon as no lease of that leader can be in force.
// Voters that have found the same grant by the same rule. Reads under a lease stay safe even if something on the way refused the
// connection: a voter that confirmed a lease grants nothing until the lease is over, with a margin for clocks of different speed.

extension RaftNode {
    /// A leader's lease, in time of its own clock, is over for certain after this much of any other clock that is no more than a fifth slower.
    private var leaseMargin: Duration { min(config.heartbeatTimeout, config.leaderLeaseTimeout + config.leaderLeaseTimeout / 5) }

    /// Two heartbeats are missing, and half of one.
    private var leaderProbeDelay: Duration { config.heartbeatTimeout / 4 }

    /// When the leader has been silent for long enough to be probed; nil unless this node follows one as a voter.
    var leaderProbeDeadline: Instant? {
        guard let due = watch.probeAt, case .follower = state, let leader, leader.id != identity.id else { return nil }
        return configuration.isVoter(identity.id) ? due : nil
    }

    /// How long a leader must have been silent before this node votes for another one.
    var leaderStickiness: Duration {
        watch.isLost ? (planted(.lostLeaderGrantsEarly) ? leaseMargin / 4 : leaseMargin) : config.heartbeatTimeout
    }

    /// The leader was heard.
    func heardLeader() { watch.heard(probeAt: now + leaderProbeDelay) }

    func probeLeader(_ out: inout [RaftEffect]) {
        watch.beginProbe(isSent: leader != nil)
        guard let leader else { return }
        call(leader.id, leader.address, voteRequest(term: 0).encoded(.requestVote), .leaderProbe, &out)
    }

    /// An answer, whatever it says, shows that somebody is there.
    func leaderProbeFailed(_ call: Call, _ text: String, _ out: inout [RaftEffect]) {
        guard case .follower = state, let leader, leader.id == call.server, let contact = lastContact, contact < call.sentAt else { return }
        guard text.contains("connection refused") else {
            // The old connection broke; a new one tells more.
            if now - call.sentAt < config.heartbeatTimeout / 10 { watch.probeAgain(at: now + config.heartbeatTimeout / 50) }
            return
        }
        out.append(.log(.warn, "nobody is there any more under the leader's address: last-leader=\(leader.address)"))
        // Not all at the same time: two candidates take votes from each other.
        let jitter = random.duration(below: config.leaderLeaseTimeout / 5)
        watch.lost(electionBy: max(now, contact + leaseMargin) + jitter)
    }

    /// A voter still heeds the leader that is lost: it has heard it, or finds out, a little later. The voter is asked again soon.
    func hastenPreVote() {
        guard watch.isLost, let contact = lastContact, now - contact < config.heartbeatTimeout * 2 else { return }
        watch.electionDeadline = min(
            watch.electionDeadline, now + random.duration(in: config.leaderLeaseTimeout / 10..<config.leaderLeaseTimeout / 5))
    }
}
