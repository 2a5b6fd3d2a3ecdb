// The LAN pool as the server sees it: who is in it, which of them are servers, and what follows from changes (behaviour §4.3, §4.5, §4.6).

extension Server {
    /// Something happened to members of the LAN pool. `lanMembers` is up to date; those that were reaped are not in it any more.
    public func memberEvent(_ kind: MemberEventKind, _ members: [Member], at now: Instant) {
        if kind == .joined || kind == .updated { considerBootstrap(at: now) }
        guard isEstablished else { return }
        for member in members { reconcile(member, isReaped: kind == .reaped, at: now) }
    }

    /// The servers of this datacenter, in the order of their names.
    static func servers(of members: [Member], datacenter: String) -> [ServerTags] {
        members.compactMap { ServerTags($0) }.filter { $0.datacenter == datacenter }
    }

    /// The pool of an agent without gossip: the servers that it was configured with.
    static func configuredMembers(_ config: AgentConfig) -> [Member] {
        let servers =
            config.initialServers.isEmpty
            ? [ServerIdentity(id: config.nodeID, name: config.nodeName, address: config.raftAddress)] : config.initialServers
        let members = servers.compactMap { server -> Member? in
            guard let address = NodeAddress(server.address) else { return nil }
            var tags = AgentTags(
                datacenter: config.datacenter, nodeID: server.id, build: AgentConfig.compatibilityVersion + ":" + AgentConfig.revision)
            tags.server = AgentTags.Server(port: Int(address.port), wanJoinPort: nil)
            return Member(name: server.name, address: address.bytes, port: UInt16(clamping: config.serfLANPort), tags: tags.tags(in: .lan))
        }
        return members.sorted { $0.name < $1.name }
    }

    /// The server of that node id, if gossip knows where it is.
    func knownAddress(of id: String) -> Address? {
        lanServers.first { $0.id == id && ($0.status == .alive || $0.status == .failed) }?.serverAddress
    }

    /// The servers of the Raft configuration, with the names under which gossip knows them.
    public func describeServers() -> [RaftServerDescription] {
        raft.configuration.servers.map { server in
            let known = lanServers.first { $0.serverAddress == server.address }
            return RaftServerDescription(
                id: server.id, node: known?.name ?? "(unknown)", address: server.address, isLeader: server.address == leaderAddress,
                protocolVersion: known.map { String($0.raftVersion) } ?? "unknown", isVoter: server.suffrage == .voter)
        }
    }

    /// The oldest Raft protocol that a living server speaks.
    var minimumRaftProtocol: Int { lanServers.filter { $0.status == .alive }.map(\.raftVersion).min() ?? config.raftProtocol }

    // MARK: The Raft configuration follows the pool

    /// A server is alive: it shall be in the Raft configuration, at first without a vote.
    func addPeer(_ server: ServerTags, at now: Instant) {
        // Without gossip there is no pool to follow: operators add and remove servers.
        guard config.initialServers.isEmpty else { return }
        if server.bootstrap, lanServers.contains(where: { $0.bootstrap && $0.memberName != server.memberName }) {
            return log(
                .error,
                "Two nodes are in bootstrap mode. Only one node should be in bootstrap mode, not adding Raft peer: node=\(server.name)")
        }
        let servers = raft.configuration.servers
        // A leader that takes itself out to put itself in again would step down.
        if server.name == config.nodeName && servers.count < 3 { return }
        let oldest = minimumRaftProtocol
        let id = oldest >= 3 || (oldest == 2 && server.raftVersion >= 3) ? server.id : server.serverAddress
        let address = server.serverAddress
        if servers.contains(where: { $0.id == id && $0.address == address }) { return }
        for old in servers where old.address == address && old.id != id && old.id != config.raftID {
            log(.info, "removing server with duplicate address: id=\(old.id) address=\(address)")
            change(.removeServer(id: old.id), "error removing server with duplicate address \(address)", at: now)
        }
        // Whoever has a vote keeps it when it moves: taking it away and giving it back would leave the cluster with one vote less meanwhile.
        let votes = raft.configuration.isVoter(id) || oldest < 3
        change(
            votes ? .addVoter(id: id, address: address) : .addNonvoter(id: id, address: address), "failed to add raft peer \(address)",
            at: now)
        autopilot.wantsCleanup = true
    }

    /// A server is gone for good.
    func removePeer(_ server: ServerTags, at now: Instant) {
        let servers = raft.configuration.servers
        if let known = servers.first(where: { !server.id.isEmpty && $0.id == server.id }) {
            log(.info, "removing server by ID: id=\(known.id)")
            change(.removeServer(id: known.id), "failed to remove raft peer \(known.id)", at: now)
        } else if let known = servers.first(where: { $0.address == server.serverAddress && $0.id == $0.address }) {
            log(.info, "removing server by address: address=\(known.address)")
            change(.removeServer(id: known.id), "failed to remove raft peer \(known.address)", at: now)
        }
    }

    /// Asks consensus for a change on the leader's own behalf, once at a time.
    func change(_ change: MembershipChange, _ failure: String, at now: Instant) {
        guard changesUnderWay.insert(change) else { return }
        let token = takeToken()
        consensusPurposes[token] = .membership(change, failure)
        drive(.changeMembership(token: token, change), at: now)
    }
}
