import Core

/// What a simulated server is told about itself: the reference's defaults, with timing and sizes from the run's options.
enum ServerConfig {
    /// `place` is that of the agent among `all`, of which the first are servers.
    static func make(_ identity: ServerIdentity, at place: Int = 0, among all: [ServerIdentity], _ options: RunOptions) -> AgentSettings {
        let servers = Array(all.prefix(options.servers))
        let isFirst = servers.contains(identity)
        var settings = AgentSettings()
        settings.identity.nodeName = identity.name
        settings.identity.nodeID = identity.id
        let host = String(identity.address.prefix { $0 != ":" })
        settings.addresses.bind = host
        settings.addresses.client = host
        settings.addresses.advertise = host
        settings.addresses.advertiseWAN = host
        settings.raft.bootstrap = isFirst && servers.count == 1
        settings.raft.announcesBootstrap = settings.raft.bootstrap
        settings.raft.bootstrapExpect = isFirst && servers.count > 1 ? servers.count : 0
        settings.identity.isServer = place < options.serverPlaces
        if options.gossip {
            // Hundreds of agents that each exchange their states with every server would take long, and find nothing more.
            let known = place < options.serverPlaces ? options.serverPlaces : min(2, options.serverPlaces)
            settings.gossip.lan.retryJoin = all.prefix(known).filter { $0 != identity }.map { String($0.address.prefix { $0 != ":" }) }
            settings.gossip.wan.port = -1
            settings.gossip.lan.bindAddress = host
        } else {
            settings.raft.initialServers = servers
            // It would take servers for dead that nobody told it of.
            settings.servers.autopilot.cleanupDeadServers = false
        }
        settings.reloadable.dns.allowStale = options.staleDNS
        settings.servers.tombstoneTTL = options.tombstoneTTL
        settings.servers.tombstoneGranularity = min(settings.servers.tombstoneGranularity, options.tombstoneTTL / 4)
        let raft = options.raft
        settings.raft.heartbeatTimeout = raft.electionTimeout
        settings.raft.electionTimeout = raft.electionTimeout
        settings.raft.leaderLeaseTimeout = raft.leaderLeaseTimeout
        settings.raft.snapshotInterval = raft.snapshotInterval
        settings.raft.snapshotThreshold = raft.snapshotThreshold
        settings.raft.trailingLogs = raft.trailingLogs
        settings.raft.segmentSize = raft.segmentSize
        return settings
    }
}
