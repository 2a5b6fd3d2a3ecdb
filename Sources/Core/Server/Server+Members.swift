// The LAN pool as the server sees it: who is in it, which of them are servers, and what follows from changes (behaviour §4.3, §4.5, §4.6).

extension Server {
    /// The LAN pool. The owner sets it whenever it changes, before it tells of the change by `memberEvent`; before it is set for the first time
    /// it consists of the servers that the configuration names.
    public var lanMembers: [Member] {
        get { pool.members }
        set { pool.replace(by: newValue) }
    }

    /// Something happened to members of the LAN pool. `lanMembers` is up to date; those that were reaped are not in it any more.
    public func memberEvent(_ kind: MemberEventKind, _ members: [Member], at now: Instant) {
        if kind == .joined || kind == .updated { considerBootstrap(at: now) }
        guard isEstablished else { return }
        for member in members { duties.changed(member, isReaped: kind == .reaped, self, at: now) }
    }

    /// The servers of the Raft configuration, with the names under which gossip knows them.
    public func describeServers() -> [RaftServerDescription] {
        raft.configuration.servers.map { server in
            let known = pool.servers.first { $0.serverAddress == server.address }
            return RaftServerDescription(
                id: server.id, node: known?.name ?? "(unknown)", address: server.address, isLeader: server.address == leaderAddress,
                protocolVersion: known.map { String($0.raftVersion) } ?? "unknown", isVoter: server.suffrage == .voter)
        }
    }

    /// Asks consensus for a change on the leader's own behalf, once at a time.
    func change(_ change: MembershipChange, _ failure: String, at now: Instant) {
        duties.willChange(change)
        guard let token = consensus.makeToken(for: change, failure: failure) else { return }
        drive(.changeMembership(token: token, change), at: now)
    }
}
