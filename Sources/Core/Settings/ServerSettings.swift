/// Consensus, and how a cluster begins.
public struct RaftSettings: Sendable {
    public var bootstrap = true
    /// Whether the member's tags say so: `bootstrap` or `bootstrap_expect = 1`, and not development mode alone.
    public var announcesBootstrap = false
    /// The number of servers that a new cluster waits for; 0: not configured. Never 1, which is `bootstrap`.
    public var bootstrapExpect = 0
    /// 2 or 3.
    public var protocolVersion = 3
    /// The tag `nonvoter` is set; nothing else follows from it.
    public var nonVotingServer = false
    /// The servers of a cluster that forms without gossip (the simulator's), itself included. Empty: only itself.
    public var initialServers: [ServerIdentity] = []
    public var heartbeatTimeout: Duration = .milliseconds(5000)
    public var electionTimeout: Duration = .milliseconds(5000)
    public var leaderLeaseTimeout: Duration = .milliseconds(2500)
    public var commitTimeout: Duration = .milliseconds(50)
    public var snapshotInterval: Duration = .seconds(30)
    /// In entries of the log.
    public var snapshotThreshold: UInt64 = 16384
    public var trailingLogs: UInt64 = 10240
    /// In bytes.
    public var segmentSize = 16 << 20
}

/// A server as Raft and the catalog know it.
public struct ServerIdentity: Hashable, Sendable {
    /// The node id, a UUID.
    public var id: String
    /// The node name.
    public var name: String
    public var address: Address
    public init(id: String, name: String, address: Address) {
        self.id = id
        self.name = name
        self.address = address
    }
}

/// What servers do, and what is asked of them.
public struct ServerSettings: Sendable {
    /// The block `autopilot`: what a new cluster's configuration is seeded with (config §7.9).
    public var autopilot = AutopilotConfiguration()
    /// How often a leader promotes and cleans up servers.
    public var autopilotInterval: Duration = .seconds(10)
    /// How often a leader looks after the health of servers.
    public var healthInterval: Duration = .seconds(2)
    public var rpcHoldTimeout: Duration = .seconds(7)
    public var rpcMaxConnectionsPerClient = 100
    public var rpcHandshakeTimeout: Duration = .seconds(5)
    public var defaultQueryTime: Duration = .seconds(300)
    public var maxQueryTime: Duration = .seconds(600)
    public var sessionTTLMin: Duration = .seconds(10)
    public var tombstoneTTL: Duration = .minutes(15)
    public var tombstoneGranularity: Duration = .seconds(30)
    public var reconcileInterval: Duration = .seconds(60)
}
