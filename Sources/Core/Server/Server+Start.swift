// How a server starts: from what its disk holds, or as the first of a new cluster.

extension Server {
    /// Reads term, vote, log and the newest snapshot, and loads the latter.
    ///
    /// An operator may have put a file there that replaces the configuration of the cluster; `milliseconds` since 1970 names its snapshot.
    static func recover(_ disk: some Disk, milliseconds: Int64) throws(ServerError) -> (RecoveredRaftState, Store) {
        let (recovered, store) = try recover(disk)
        return try applyPeersFile(recovered, store, disk, milliseconds: milliseconds)
    }

    private static func recover(_ disk: some Disk) throws(ServerError) -> (RecoveredRaftState, Store) {
        let recovered: RecoveredRaftState
        do throws(RecoveryError) {
            recovered = try RaftRecovery.recover(disk)
        } catch {
            throw ServerError(error.description)
        }
        guard let snapshot = recovered.snapshot else { return (recovered, Store()) }
        var decoder = SnapshotDecoder()
        var reader = SnapshotReader(snapshot)
        do {
            while let bytes = try reader.next(from: disk) { try decoder.feed(bytes) }
            return (recovered, try decoder.finish())
        } catch {
            throw ServerError("failed to load the snapshot \(snapshot.id): \(error)")
        }
    }

    /// Writes the configuration that a new cluster begins with; every one of its servers writes the same.
    func beginCluster(at now: Instant) {
        guard settings.raft.bootstrap || settings.raft.initialServers.contains(where: { $0.id == settings.identity.nodeID }) else { return }
        let servers =
            settings.raft.initialServers.isEmpty
            ? [RaftServer(id: settings.raftID, address: settings.raftAddress)]
            : settings.raft.initialServers.map { RaftServer(id: $0.id, address: $0.address) }
        drive(.bootstrap(token: takeToken(), RaftConfiguration(servers: servers)), at: now)
    }
}

extension Server {
    /// Changes who votes, if this server leads, without looking at what else is known of the servers.
    public func changeMembership(_ change: MembershipChange, at now: Instant) {
        drive(.changeMembership(token: takeToken(), change), at: now)
    }
}

extension RaftConfig {
    init(_ settings: AgentSettings) {
        self.init()
        heartbeatTimeout = settings.raft.heartbeatTimeout
        electionTimeout = settings.raft.electionTimeout
        leaderLeaseTimeout = settings.raft.leaderLeaseTimeout
        commitTimeout = settings.raft.commitTimeout
        snapshotInterval = settings.raft.snapshotInterval
        snapshotThreshold = settings.raft.snapshotThreshold
        trailingLogs = settings.raft.trailingLogs
        segmentSize = settings.raft.segmentSize
        wallClockOffset = settings.wallClockOffset
    }
}

extension RaftNode {
    /// Whether this node decides alone.
    var isSoleVoter: Bool { configuration.isSoleVoter(identity.id) }
}
