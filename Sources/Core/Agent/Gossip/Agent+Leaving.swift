// Graceful leave: out of Raft, out of the pools, then exit (behaviour §4.7, gossip §15.8). `Lifecycle` decides what comes next.

extension Agent {
    /// A member that goes is still shown as such by others.
    var isLeaving: Bool { lifecycle.isLeaving }

    /// Leaves the cluster, then stops. A lone server keeps its place, so that it can come back.
    func leave(at now: Instant, into effects: inout [AgentEffect]) {
        let first: GossipPool = wan != nil ? .wan : .lan
        guard lifecycle.beginLeaving(from: first, drainTime: settings.leaving.drainTime, at: now) else { return }
        let role = settings.identity.isServer ? "server" : "client"
        effects.append(.log(.info, "agent.\(role)", "\(role) starting leave"))
        server?.beginLeaving(at: now)
        leave(first, at: now, into: &effects)
    }

    private func leave(_ kind: GossipPool, at now: Instant, into effects: inout [AgentEffect]) {
        guard let pool = pool(kind) else { return drain(at: now) }
        let isAlone = pool.serf.memberCount(.alive) <= 1
        pool.leave(at: now, into: &effects)
        // Nobody needs to be told.
        if isAlone { departed(from: kind, at: now, into: &effects) }
    }

    /// The members of a pool know that this one goes.
    func departed(from kind: GossipPool, at now: Instant, into effects: inout [AgentEffect]) {
        switch lifecycle.departed(from: kind) {
        case nil: break
        case .leave(let next): leave(next, at: now, into: &effects)
        case .drain: drain(at: now)
        }
    }

    private func drain(at now: Instant) {
        server?.stopServing()
        let isAlone = server.map { $0.raft.isSoleVoter } ?? true
        let time = isAlone ? .zero : settings.leaving.drainTime
        lifecycle.drain(for: time, at: now)
        if time != .zero { server?.log(.info, "Waiting to drain RPC traffic: drain_time=\(GoDuration.format(time))") }
    }

    func exitIfDue(at now: Instant, into effects: inout [AgentEffect]) {
        guard lifecycle.exits(isRemoved: server?.isRemoved ?? true, at: now) else { return }
        for id in lifecycle.takeLeavers() where requests.remove(id) != nil {
            effects.append(.respond(id, finished(HTTPResponse(status: 200))))
        }
        effects.append(.exit(nil))
    }
}
