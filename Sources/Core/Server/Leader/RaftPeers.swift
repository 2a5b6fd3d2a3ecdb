/// The Raft configuration follows the LAN pool: servers that are alive belong to it, those that are gone do not (behaviour §4.5).
enum RaftPeers {
    /// A server is alive: it shall be in the Raft configuration, at first without a vote.
    static func add(_ server: ServerTags, _ leader: any LeadingServer, at now: Instant) {
        // Without gossip there is no pool to follow: operators add and remove servers.
        let settings = leader.settings
        guard settings.raft.initialServers.isEmpty else { return }
        if server.bootstrap, leader.pool.servers.contains(where: { $0.bootstrap && $0.memberName != server.memberName }) {
            return leader.log(
                .error,
                "Two nodes are in bootstrap mode. Only one node should be in bootstrap mode, not adding Raft peer: node=\(server.name)")
        }
        let servers = leader.raftConfiguration.servers
        // A leader that takes itself out to put itself in again would step down.
        if server.name == settings.identity.nodeName && servers.count < 3 { return }
        let oldest = leader.pool.minimumRaftProtocol
        let id = oldest >= 3 || (oldest == 2 && server.raftVersion >= 3) ? server.id : server.serverAddress
        let address = server.serverAddress
        if servers.contains(where: { $0.id == id && $0.address == address }) { return }
        for old in servers where old.address == address && old.id != id && old.id != settings.raftID {
            leader.log(.info, "removing server with duplicate address: id=\(old.id) address=\(address)")
            leader.change(.removeServer(id: old.id), "error removing server with duplicate address \(address)", at: now)
        }
        // Whoever has a vote keeps it when it moves: taking it away and giving it back would leave the cluster with one vote less meanwhile.
        let votes = leader.raftConfiguration.isVoter(id) || oldest < 3
        leader.change(
            votes ? .addVoter(id: id, address: address) : .addNonvoter(id: id, address: address), "failed to add raft peer \(address)",
            at: now)
    }

    /// A server is gone for good.
    static func remove(_ server: ServerTags, _ leader: any LeadingServer, at now: Instant) {
        if planted(.leftServerVotes) { return }
        let servers = leader.raftConfiguration.servers
        if let known = servers.first(where: { !server.id.isEmpty && $0.id == server.id }) {
            leader.log(.info, "removing server by ID: id=\(known.id)")
            leader.change(.removeServer(id: known.id), "failed to remove raft peer \(known.id)", at: now)
        } else if let known = servers.first(where: { $0.address == server.serverAddress && $0.id == $0.address }) {
            leader.log(.info, "removing server by address: address=\(known.address)")
            leader.change(.removeServer(id: known.id), "failed to remove raft peer \(known.address)", at: now)
        }
    }
}
