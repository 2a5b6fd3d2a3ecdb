// Noticing the death of a leader before the heartbeat timeout is over.
//
// A follower that misses heartbeats knocks at the leader's port with a vote request in term 0, which every Raft server denies without any
// effect. If the connection is refused nobody is there, and the follower need not wait for the rest of its timeout: it asks for pre-votes
// as soon as no lease of that leader can be in force. Voters that have found the same grant by the same rule. So reads under a lease
// stay safe even if it was not the leader who refused, but something on the way: whoever confirmed a lease is silent until it
// is over, by a margin for clocks that run at different speeds.

extension RaftNode {
    /// A leader's lease, in time of its own clock, is over for certain after this much of any other clock that is no more than a fifth slower.
    private var leaseMargin: Duration { min(config.heartbeatTimeout, config.leaderLeaseTimeout + config.leaderLeaseTimeout / 5) }

    /// Two heartbeats are missing, and half of one.
    private var knockDelay: Duration { config.heartbeatTimeout / 4 }

    static let knocksMax = 3

    /// When the leader has been silent for long enough to knock; nil unless this node follows one as a voter.
    var knockDeadline: Instant? {
        guard let knockAt, case .follower = state, let leader, leader.id != identity.id else { return nil }
        return configuration.isVoter(identity.id) ? knockAt : nil
    }

    /// How long a leader must have been silent before this node votes for another one.
    var loyalty: Duration { leaderIsLost ? leaseMargin : config.heartbeatTimeout }

    /// The leader was heard.
    func heardLeader() {
        knockAt = now + knockDelay
        knocks = 0
        leaderIsLost = false
    }

    func knock(_ out: inout [RaftEffect]) {
        knockAt = nil
        guard let leader else { return }
        knocks += 1
        call(leader.id, leader.address, voteRequest(term: 0).encoded(.requestVote), .knock, &out)
    }

    /// An answer, whatever it says, shows that somebody is there.
    func knockFailed(_ call: Call, _ text: String, _ out: inout [RaftEffect]) {
        guard case .follower = state, let leader, leader.id == call.server, let contact = lastContact, contact < call.sentAt else { return }
        guard text.contains("connection refused") else {
            // The old connection broke; a new one tells more.
            if knocks < Self.knocksMax, now - call.sentAt < config.heartbeatTimeout / 10 { knockAt = now + config.heartbeatTimeout / 50 }
            return
        }
        out.append(.log(.warn, "nobody is there any more under the leader's address: last-leader=\(leader.address)"))
        leaderIsLost = true
        // Not all at the same time: two candidates take votes from each other.
        let jitter = random.duration(below: config.leaderLeaseTimeout / 5)
        electionDeadline = min(electionDeadline, max(now, contact + leaseMargin) + jitter)
    }

    /// A voter is still loyal to a leader that is lost: it has heard it, or finds out, a little later. It is asked again soon.
    func hastenPreVote() {
        guard leaderIsLost, let contact = lastContact, now - contact < config.heartbeatTimeout * 2 else { return }
        electionDeadline = min(
            electionDeadline, now + random.duration(in: config.leaderLeaseTimeout / 10..<config.leaderLeaseTimeout / 5))
    }
}
