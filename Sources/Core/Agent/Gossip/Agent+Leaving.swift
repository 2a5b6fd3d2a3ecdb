// How an agent goes (behaviour §4.7, gossip §15.8): out of consensus, out of the pools, and only then away.

extension Agent {
    /// Where the own departure stands.
    enum Departure: Equatable {
        case none
        /// Out of the pools, the WAN first.
        case leaving(GossipPool)
        /// Everybody knows: what is under way is brought to its end.
        case draining
    }

    var isLeaving: Bool { departure != .none }

    /// Leaves the cluster, then stops. A lone server keeps its place, so that it can come back.
    func leave(at now: Instant, into effects: inout [AgentEffect]) {
        guard departure == .none else { return }
        effects.append(.log(.info, "agent.\(config.server ? "server" : "client")", "\(config.server ? "server" : "client") starting leave"))
        server?.beginLeaving(at: now)
        // Whatever happens on the way, it ends.
        exitAt = now + config.leaveDrainTime + Self.departureMax
        leaveNext(wan != nil ? .wan : .lan, at: now, into: &effects)
    }

    static var departureMax: Duration { .seconds(20) }

    private func leaveNext(_ kind: GossipPool, at now: Instant, into effects: inout [AgentEffect]) {
        departure = .leaving(kind)
        guard let pool = pool(kind) else { return drain(at: now) }
        let isAlone = pool.serf.memberCount(.alive) <= 1
        pool.leave(at: now, into: &effects)
        // Nobody needs to be told.
        if isAlone { departed(from: kind, at: now, into: &effects) }
    }

    /// The members of a pool know that this one goes.
    func departed(from kind: GossipPool, at now: Instant, into effects: inout [AgentEffect]) {
        guard departure == .leaving(kind) else { return }
        kind == .wan ? leaveNext(.lan, at: now, into: &effects) : drain(at: now)
    }

    private func drain(at now: Instant) {
        departure = .draining
        server?.stopServing()
        exitAt = server.map { $0.raft.isSoleVoter } ?? true ? now : now + config.leaveDrainTime
        leftAt = exitAt
        if exitAt != now { server?.log(.info, "Waiting to drain RPC traffic: drain_time=\(GoDuration.format(config.leaveDrainTime))") }
    }

    /// The time to go has come; a server still waits a little until the others have taken it out of consensus.
    func exitIfDue(at now: Instant, into effects: inout [AgentEffect]) {
        guard let due = exitAt, due <= now else { return }
        if let server, let leftAt, !server.isRemoved, now < leftAt + Self.removalMax {
            exitAt = now + .milliseconds(50)
            return
        }
        exitAt = nil
        for id in leavers where pending.removeValue(forKey: id) != nil { effects.append(.respond(id, finished(HTTPResponse(status: 200)))) }
        leavers = []
        effects.append(.exit(nil))
    }

    static var removalMax: Duration { .seconds(5) }
}
