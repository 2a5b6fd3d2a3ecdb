// Taking up and laying down the leadership, and what the leader's duties see and change of the server.

extension Server {
    func becameLeader(term: UInt64, at now: Instant) {
        duties.elected(term: term)
        log(.info, "cluster leadership acquired")
        gossip.announceLeader(at: now)
        drive(.barrier(token: takeToken()), at: now)
    }

    func establishIfReady(_ entry: LogEntry, at now: Instant) {
        guard duties.isEstablishing(term: entry.term), raft.isLeader else { return }
        publishes = true
        duties.begin(term: entry.term, self, at: now)
        retryHeld(at: now)
    }

    func loseLeadership(at now: Instant) {
        log(.info, "cluster leadership lost")
        duties.end()
        publishes = true
    }
}

extension Server: LeadingServer {
    var raftConfiguration: RaftConfiguration { raft.configuration }
    var lastLog: (term: UInt64, index: UInt64) { (raft.lastLogTerm, raft.lastLogIndex) }
    func lastContact(with id: String) -> Instant? { raft.lastContact(with: id) }
    func wallClock(at instant: Instant) -> GoTime { GoTime(unixNanoseconds: instant.nanoseconds &+ raft.wallClockOffset) }

    func write(_ request: WriteRequest, for duty: any LeaderDuty, at now: Instant) {
        propose(request, .ownWork, for: .duty(duties.add(request, for: duty, at: now)), at: now)
    }

    func measure(_ measure: ServerMeasure) { measures.add(measure) }

    func forceLeave(_ member: String, at now: Instant) { gossip.forceLeave(member, prune: false, at: now) }
}
