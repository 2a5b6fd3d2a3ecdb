/// All that an `Agent` is told about itself, by concern. The command line and the configuration files become one of these
/// (`Core/Config`); the simulator makes its own. Everything here has the reference's default.
///
/// What a reload may change is `reloadable`, and nothing else is.
public struct AgentSettings: Sendable {
    public var identity = IdentitySettings()
    public var addresses = AddressSettings()
    public var gossip = GossipSettings()
    public var coordinates = CoordinateSettings()
    public var raft = RaftSettings()
    public var servers = ServerSettings()
    public var http = HTTPSettings()
    public var checks = CheckSettings()
    public var telemetry = TelemetrySettings()
    public var leaving = LeavingSettings()
    public var reloadable = Reloadable()
    /// Who may do what.
    public var access = AccessControl.disabled
    /// Added to an `Instant` to get nanoseconds since 1970; a driver may change it when the wall clock jumps.
    public var wallClockOffset: Int64 = 0
    /// `/v1/agent/self`'s DebugConfig: what the configuration came to.
    public var debugConfig: DynamicValue = .map([])

    /// The project's own version, after the compatibility version 1.8.6.
    public static let compatibilityVersion = "1.8.6"
    public static let revision = "7f2d3ce0"

    public init() {}
}

/// What takes effect while an agent runs (config §21). All the rest needs a restart, and would contradict what others know of the agent.
public struct Reloadable: Sendable {
    public var logLevel = LogLevel.info
    public var services: [ServiceDefinition] = []
    public var checks: [CheckDefinition] = []
    public var discardCheckOutput = false
    public var nodeMeta: StringMap = [:]
    /// Requests a second of this agent to servers; nil: no limit. The bucket holds `rpcMaxBurst`.
    public var rpcRate: Double?
    public var rpcMaxBurst = 1000
    public var httpMaxConnectionsPerClient = 200
    public var metricsFilter = MetricFilter()
    /// All but the domains, which stay as they were at the start (dns §18).
    public var dns = DNSConfig()

    public init() {}
}

/// Who an agent is, and the machine that it runs on.
public struct IdentitySettings: Sendable {
    public var nodeName = "node"
    /// A UUID.
    public var nodeID = ""
    public var datacenter = "dc1"
    public var primaryDatacenter = "dc1"
    public var isServer = true
    public var devMode = false
    /// For texts that name a file; empty where nothing is kept.
    public var dataDirectory = ""
    /// Configured in addition to `lan`, `wan` and their `_ipv4` / `_ipv6` forms.
    public var taggedAddresses: StringMap = [:]
    /// As `/v1/agent/self` tells it.
    public var processorCount = 1
    public var architecture = "amd64"
}

/// Addresses without ports, and ports; -1 is off. Those of the gossip pools are `PoolSettings`.
public struct AddressSettings: Sendable {
    public var bind = "127.0.0.1"
    public var client = "127.0.0.1"
    public var advertise = "127.0.0.1"
    public var advertiseWAN = "127.0.0.1"
    public var httpPort = 8500
    public var httpsPort = -1
    public var dnsPort = 8600
    public var grpcPort = -1
    public var serverPort = 8300
    public var sidecarMinPort = 21000
    public var sidecarMaxPort = 21255
}

/// Local services and checks, and how they get into the catalog.
public struct CheckSettings: Sendable {
    /// Scripts from anywhere, respectively only from configuration files.
    public var enableScripts = false
    public var enableLocalScripts = false
    /// How long a change of nothing but a check's output may wait.
    public var updateInterval: Duration = .minutes(5)
    /// In bytes.
    public var outputMaxSize = 4096
    public var reapInterval: Duration = .seconds(30)
    public var antiEntropyInterval: Duration = .minutes(1)
    /// Whether registrations over HTTP are kept in the data directory.
    public var persistsRegistrations = true
}

/// The names of metrics and how long they are kept; which ones there are is `Reloadable.metricsFilter`.
public struct TelemetrySettings: Sendable {
    /// Begins the names of all metrics.
    public var prefix = "consul"
    /// Follows the prefix in the names of gauges; empty: nothing does.
    public var hostName = ""
    /// How long metrics are shown to Prometheus after their last change; zero: they are not collected for it.
    public var prometheusRetention: Duration = .zero
}

/// What ends an agent: whether a signal makes it leave the cluster, and how long its clients may still be served.
public struct LeavingSettings: Sendable {
    /// At SIGTERM.
    public var onTerminate = false
    /// At SIGINT.
    public var skipsOnInterrupt = true
    public var drainTime: Duration = .seconds(5)
}
