import Core

/// What a simulated server is told about itself: the reference's defaults, with timing and sizes from the run's options.
enum ServerConfig {
    static func make(_ identity: ServerIdentity, among servers: [ServerIdentity], _ options: RunOptions) -> AgentConfig {
        var config = AgentConfig()
        config.nodeName = identity.name
        config.nodeID = identity.id
        let host = String(identity.address.prefix { $0 != ":" })
        config.bindAddress = host
        config.clientAddress = host
        config.advertiseAddress = host
        config.advertiseAddressWAN = host
        config.bootstrap = servers.count == 1
        config.bootstrapExpect = servers.count
        config.initialServers = servers
        let raft = options.raft
        config.raftHeartbeatTimeout = .milliseconds(1000) * raft.multiplier
        config.raftElectionTimeout = .milliseconds(1000) * raft.multiplier
        config.raftLeaderLeaseTimeout = raft.leaderLeaseTimeout
        config.raftSnapshotInterval = raft.snapshotInterval
        config.raftSnapshotThreshold = raft.snapshotThreshold
        config.raftTrailingLogs = raft.trailingLogs
        config.raftSegmentSize = raft.segmentSize
        return config
    }
}
