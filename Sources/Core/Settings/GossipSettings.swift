/// The pool within the datacenter, and the one between datacenters (servers only, unless its port is -1).
public struct GossipSettings: Sendable {
    public var lan = PoolSettings(port: 8301, tuning: .lan)
    public var wan = PoolSettings(port: 8302, tuning: .wan)
    /// 16, 24 or 32 bytes; nil: no key is configured. A keyring file goes before it (`Keyring`).
    public var encryptKey: [UInt8]?
    public var verifyIncoming = true
    public var verifyOutgoing = true
    /// Keys stay in memory: there are no `serf/local.keyring` and `serf/remote.keyring`.
    public var disableKeyringFile = false
    /// The version of Consul's protocol that is announced, 2 or 3.
    public var protocolVersion = 2
    /// Joins the members of the snapshot file even after a graceful leave.
    public var rejoinAfterLeave = false
    /// Whether user events of `consul exec` are ignored.
    public var disableRemoteExec = true

    public subscript(pool: GossipPool) -> PoolSettings { pool == .lan ? lan : wan }
}

/// One gossip pool: where it is reached, who may come, how it is joined.
public struct PoolSettings: Sendable {
    public var bindAddress = "127.0.0.1"
    /// -1: there is no such pool.
    public var port: Int
    /// Networks in CIDR form that members may come from; empty: everywhere.
    public var allowedCIDRs: [String] = []
    public var tuning: GossipTuning
    /// How long a failed member is kept.
    public var reconnectTimeout: Duration = .hours(72)
    /// Joined once at start, where failure ends the agent. Each is an entry for `JoinAddress`, as in `retryJoin`.
    public var startJoin: [String] = []
    /// Joined again and again until it works.
    public var retryJoin: [String] = []
    public var retryJoinInterval: Duration = .seconds(30)
    /// Attempts after the first one; 0: without end.
    public var retryJoinMaxAttempts = 0

    init(port: Int, tuning: GossipTuning) {
        self.port = port
        self.tuning = tuning
    }
}

/// Network coordinates: when agents send theirs, and how servers write them down.
public struct CoordinateSettings: Sendable {
    public var disabled = false
    public var updatePeriod: Duration = .seconds(5)
    public var updateBatchSize = 128
    public var updateMaxBatches = 5
    /// Coordinates a second that all agents together send.
    public var sendRateTarget = 64.0
    public var sendIntervalMin: Duration = .seconds(15)
}
