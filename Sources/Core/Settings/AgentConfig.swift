/// All that an `Agent` is told about itself. The command line and the configuration files become one of these
/// (`Core/Config`); the simulator makes its own. Everything here has the reference's default.
public struct AgentConfig: Sendable {
    // Identity
    public var nodeName = "node"
    /// A UUID.
    public var nodeID = ""
    public var datacenter = "dc1"
    public var primaryDatacenter = "dc1"
    public var server = true
    public var devMode = false
    /// For texts that name a file; empty where nothing is kept.
    public var dataDirectory = ""
    /// The project's own version, after the compatibility version 1.8.6.
    public static let compatibilityVersion = "1.8.6"
    public static let revision = "7f2d3ce0"
    public var nodeMeta: StringMap = [:]
    /// Configured in addition to `lan`, `wan` and their `_ipv4` / `_ipv6` forms.
    public var taggedAddresses: StringMap = [:]

    /// Who may do what.
    public var access = AccessControl.disabled

    // Addresses and ports; -1 is off
    public var bindAddress = "127.0.0.1"
    public var clientAddress = "127.0.0.1"
    public var advertiseAddress = "127.0.0.1"
    public var advertiseAddressWAN = "127.0.0.1"
    public var httpPort = 8500
    public var httpsPort = -1
    public var dnsPort = 8600
    public var grpcPort = -1
    public var serverPort = 8300
    public var serfLANPort = 8301
    public var serfWANPort = 8302
    public var sidecarMinPort = 21000
    public var sidecarMaxPort = 21255

    // Gossip: the pool within the datacenter, and the one between datacenters (servers only, unless `serfWANPort` is -1)
    /// 16, 24 or 32 bytes; nil: no key is configured. A keyring file goes before it (`Keyring`).
    public var encryptKey: [UInt8]?
    public var encryptVerifyIncoming = true
    public var encryptVerifyOutgoing = true
    /// Keys stay in memory: there are no `serf/local.keyring` and `serf/remote.keyring`.
    public var disableKeyringFile = false
    public var serfBindAddressLAN = "127.0.0.1"
    public var serfBindAddressWAN = "127.0.0.1"
    /// Networks in CIDR form that members may come from; empty: everywhere.
    public var serfAllowedCIDRsLAN: [String] = []
    public var serfAllowedCIDRsWAN: [String] = []
    public var gossipLAN = GossipTuning.lan
    public var gossipWAN = GossipTuning.wan
    /// How long a failed member is kept.
    public var reconnectTimeoutLAN: Duration = .hours(72)
    public var reconnectTimeoutWAN: Duration = .hours(72)
    /// The version of Consul's protocol that is announced, 2 or 3.
    public var protocolVersion = 2
    public var disableCoordinates = false
    public var coordinateUpdatePeriod: Duration = .seconds(5)
    public var coordinateUpdateBatchSize = 128
    public var coordinateUpdateMaxBatches = 5
    /// Coordinates a second that all agents together send.
    public var syncCoordinateRateTarget = 64.0
    public var syncCoordinateIntervalMin: Duration = .seconds(15)

    // Joining: once at start, where failure ends the agent, and again and again until it works. Each is an entry for `JoinAddress`.
    public var startJoinLAN: [String] = []
    public var startJoinWAN: [String] = []
    public var retryJoinLAN: [String] = []
    public var retryJoinWAN: [String] = []
    public var retryJoinInterval: Duration = .seconds(30)
    public var retryJoinIntervalWAN: Duration = .seconds(30)
    /// Attempts after the first one; 0: without end.
    public var retryJoinMaxAttempts = 0
    public var retryJoinMaxAttemptsWAN = 0
    /// Joins the members of the snapshot file even after a graceful leave.
    public var rejoinAfterLeave = false
    public var disableRemoteExec = true

    // Raft
    public var bootstrap = true
    /// Whether the member's tags say so: `bootstrap` or `bootstrap_expect = 1`, and not development mode alone.
    public var announcesBootstrap = false
    /// The number of servers that a new cluster waits for; 0: not configured. Never 1, which is `bootstrap`.
    public var bootstrapExpect = 0
    /// 2 or 3.
    public var raftProtocol = 3
    /// The tag `nonvoter` is set; nothing else follows from it.
    public var nonVotingServer = false
    /// The block `autopilot`: what a new cluster's configuration is seeded with (config §7.9).
    public var autopilot = AutopilotConfiguration()
    /// How often a leader looks after the health of servers.
    public var serverHealthInterval: Duration = .seconds(2)
    /// The servers of a cluster that forms without gossip (the simulator's), itself included. Empty: only itself.
    public var initialServers: [ServerIdentity] = []
    public var raftHeartbeatTimeout: Duration = .milliseconds(5000)
    public var raftElectionTimeout: Duration = .milliseconds(5000)
    public var raftLeaderLeaseTimeout: Duration = .milliseconds(2500)
    public var raftCommitTimeout: Duration = .milliseconds(50)
    public var raftSnapshotInterval: Duration = .seconds(30)
    public var raftSnapshotThreshold: UInt64 = 16384
    public var raftTrailingLogs: UInt64 = 10240
    public var raftSegmentSize = 16 << 20

    // Servers and reads
    public var rpcHoldTimeout: Duration = .seconds(7)
    public var leaveDrainTime: Duration = .seconds(5)
    public var defaultQueryTime: Duration = .seconds(300)
    public var maxQueryTime: Duration = .seconds(600)
    public var sessionTTLMin: Duration = .seconds(10)
    public var tombstoneTTL: Duration = .minutes(15)
    public var tombstoneGranularity: Duration = .seconds(30)
    public var reconcileInterval: Duration = .seconds(60)
    /// Requests a second of this agent to servers; nil: no limit. The bucket holds `rpcMaxBurst`.
    public var rpcRate: Double?
    public var rpcMaxBurst = 1000
    public var rpcMaxConnectionsPerClient = 100
    public var rpcHandshakeTimeout: Duration = .seconds(5)
    /// How often a leader promotes and cleans up servers.
    public var autopilotInterval: Duration = .seconds(10)

    // HTTP
    public var kvMaxValueSize = 512 << 10
    public var txnMaxRequestLength = 512 << 10
    public var httpMaxConnectionsPerClient = 200
    public var responseHeaders: StringMap = [:]
    public var blockEndpoints: [String] = []
    /// Networks in CIDR form from which writes are accepted; empty: everywhere.
    public var allowWriteHTTPFrom: [String] = []
    public var translateWANAddresses = false
    public var discoveryMaxStale: Duration = .zero
    public var disableUnprintableFilter = false
    public var uiEnabled = false
    /// Where the files of the web page are; naming one turns it on, too.
    public var uiDirectory = ""
    public var uiContentPath = "/ui/"
    public var httpUseCache = true
    public var enableDebug = false
    /// Begins the names of all metrics.
    public var metricsPrefix = "consul"
    /// Follows the prefix in the names of gauges; empty: nothing does.
    public var metricsHostName = ""
    public var metricsFilter = MetricFilter()
    /// How long metrics are shown to Prometheus after their last change; zero: they are not collected for it.
    public var prometheusRetention: Duration = .zero

    // DNS
    public var dns = DNSConfig()

    // Local services and checks
    public var services: [ServiceDefinition] = []
    public var checks: [CheckDefinition] = []
    /// Scripts from anywhere, respectively only from configuration files.
    public var enableScriptChecks = false
    public var enableLocalScriptChecks = false
    public var checkUpdateInterval: Duration = .minutes(5)
    public var checkOutputMaxSize = 4096
    public var checkReapInterval: Duration = .seconds(30)
    public var discardCheckOutput = false
    public var antiEntropyInterval: Duration = .minutes(1)
    /// Whether registrations over HTTP are kept in the data directory.
    public var persistsRegistrations = true

    // The machine, as `/v1/agent/self` tells it
    public var processorCount = 1
    public var architecture = "amd64"

    public var leaveOnTerminate = false
    public var skipLeaveOnInterrupt = true
    public var logLevel = LogLevel.info
    /// Added to an `Instant` to get nanoseconds since 1970; a driver may change it when the wall clock jumps.
    public var wallClockOffset: Int64 = 0
    /// `/v1/agent/self`'s DebugConfig: what the configuration came to.
    public var debugConfig: DynamicValue = .map([])

    public init() {}
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
