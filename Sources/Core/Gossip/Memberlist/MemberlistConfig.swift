/// The settings of one memberlist (gossip §10), under the reference's names, hence over 15 stored variables.
public struct MemberlistConfig: Sendable {
    public var pool = GossipPool.lan
    /// Unique in the pool.
    public var name: String
    /// What others are told to send to.
    public var advertise: NodeAddress
    /// Stands in wherever a message names no port.
    public var bindPort: UInt16
    /// The memberlist version that is spoken; 1 to 5 are understood. Speaking 1 means encryption version 0.
    public var protocolVersion: UInt8 = 2
    /// Serf's version that is spoken; 2 to 5 are understood.
    public var delegateVersion: UInt8 = 4

    /// Of a connection, and of each of its two directions.
    public var tcpTimeout: Duration = .seconds(10)
    /// How many others are asked to probe a node that did not answer.
    public var indirectChecks = 3
    /// A broadcast is sent `retransmitMult × ceil(log10(n + 1))` times.
    public var retransmitMult = 4
    /// The least time that a node stays suspected is `suspicionMult × log10(n) × probeInterval`.
    public var suspicionMult = 4
    /// The longest such time, as a multiple of the least.
    public var suspicionMaxTimeoutMult = 6
    /// Zero turns the periodic exchange of whole states off. Grows with the pool (§9.4).
    public var pushPullInterval: Duration = .seconds(30)
    /// Zero turns probing off.
    public var probeInterval: Duration = .seconds(1)
    public var probeTimeout: Duration = .milliseconds(500)
    public var disableTCPPings = false
    /// The health score stays below it.
    public var awarenessMaxMultiplier = 8
    /// Zero of either turns gossip off.
    public var gossipNodes = 3
    public var gossipInterval: Duration = .milliseconds(200)
    /// How long dead nodes are still told what goes on, and remembered.
    public var gossipToTheDeadTime: Duration = .seconds(30)
    /// After it the name of a dead node may come back with another address; zero: never.
    public var deadNodeReclaimTime: Duration = .zero
    public var enableCompression = true
    /// How large a packet may grow by broadcasts that ride along.
    public var udpBufferSize = 1_400
    /// How many alive, suspect, dead and user messages one packet may bring.
    public var handoffQueueDepth = 1_024
    public var metaMaxSize = 512
    /// Reject what is not encrypted while there are keys.
    public var verifyIncoming = true
    /// Encrypt while there are keys.
    public var verifyOutgoing = true
    /// Where members may be; nil: anywhere.
    public var allowedNetworks: [IPNetwork]?

    // The parts of Lifeguard (Dadgar, Phillips, Currey: "Lifeguard: Local Health Awareness for More Accurate Failure Detection"), each
    // of which a study may turn off; without all three the detector is plain SWIM with suspicion.

    /// Local health aware probe: failures of one's own probes stretch the probe interval, and helpers report with nacks.
    public var usesAwareness = true
    /// Local health aware suspicion: suspicions last long at first, and shorter with every further accuser.
    public var usesDynamicSuspicion = true
    /// Buddy system: a suspected node is told so with the ping that it gets.
    public var usesBuddySystem = true

    /// A LAN, with the reference's defaults for bare memberlists.
    public init(name: String, advertise: NodeAddress, bindPort: UInt16? = nil) {
        self.name = name
        self.advertise = advertise
        self.bindPort = bindPort ?? advertise.port
    }

    /// Consul's LAN pool.
    public static func lan(name: String, advertise: NodeAddress) -> MemberlistConfig {
        var config = MemberlistConfig(name: name, advertise: advertise)
        config.deadNodeReclaimTime = .seconds(30)
        return config
    }

    /// Consul's WAN pool. It gossips to 3 nodes, not 4 as memberlist's own WAN profile.
    public static func wan(name: String, advertise: NodeAddress) -> MemberlistConfig {
        var config = lan(name: name, advertise: advertise)
        config.pool = .wan
        config.tcpTimeout = .seconds(30)
        config.suspicionMult = 6
        config.pushPullInterval = .seconds(60)
        config.probeTimeout = .seconds(3)
        config.probeInterval = .seconds(5)
        config.gossipInterval = .milliseconds(500)
        config.gossipToTheDeadTime = .seconds(60)
        return config
    }

    /// memberlist's profile for members on one machine. Neither of Consul's pools has it.
    public static func local(name: String, advertise: NodeAddress) -> MemberlistConfig {
        var config = MemberlistConfig(name: name, advertise: advertise)
        config.tcpTimeout = .seconds(1)
        config.indirectChecks = 1
        config.retransmitMult = 2
        config.suspicionMult = 3
        config.pushPullInterval = .seconds(15)
        config.probeTimeout = .milliseconds(200)
        config.gossipInterval = .milliseconds(100)
        config.gossipToTheDeadTime = .seconds(15)
        return config
    }

    var versions: MemberVersions {
        MemberVersions(
            protocolMin: 1, protocolMax: 5, protocolCurrent: protocolVersion, delegateMin: 2, delegateMax: 5,
            delegateCurrent: delegateVersion)
    }
}
