import Core

/// What a simulated server is told about itself: the reference's defaults, with timing and sizes from the run's options.
enum ServerConfig {
    /// `place` is that of the agent among `all`, of which the first are servers.
    static func make(_ identity: ServerIdentity, at place: Int = 0, among all: [ServerIdentity], _ options: RunOptions) -> AgentConfig {
        let servers = Array(all.prefix(options.servers))
        let isFirst = servers.contains(identity)
        var config = AgentConfig()
        config.nodeName = identity.name
        config.nodeID = identity.id
        let host = String(identity.address.prefix { $0 != ":" })
        config.bindAddress = host
        config.clientAddress = host
        config.advertiseAddress = host
        config.advertiseAddressWAN = host
        config.bootstrap = isFirst && servers.count == 1
        config.announcesBootstrap = config.bootstrap
        config.bootstrapExpect = isFirst && servers.count > 1 ? servers.count : 0
        config.server = place < options.serverPlaces
        if options.gossip {
            // Hundreds of agents that each exchange their states with every server would take long, and find nothing more.
            let known = place < options.serverPlaces ? options.serverPlaces : min(2, options.serverPlaces)
            config.retryJoinLAN = all.prefix(known).filter { $0 != identity }.map { String($0.address.prefix { $0 != ":" }) }
            config.serfWANPort = -1
            config.serfBindAddressLAN = host
        } else {
            config.initialServers = servers
            // It would take servers for dead that nobody told it of.
            config.autopilot.cleanupDeadServers = false
        }
        config.dns.allowStale = options.staleDNS
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
