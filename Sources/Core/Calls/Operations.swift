// What servers are asked for beside reads and writes of the replicated state. Spec: rpc-raft-wire §3, §4.4, §4.8.

/// One such request. Over the wire each is a method of the server port.
public enum ServerOperation: Hashable, Sendable {
    // Answered by whichever server is asked, of itself.

    /// `Status.Ping`
    case ping
    /// `Status.Leader`: `.text`, empty without a leader
    case leader
    /// `Status.Peers`: `.texts`, the addresses of the Raft configuration
    case peers
    /// `Status.RaftStats`: `.raftStatistics`
    case raftStatistics
    /// `Catalog.ListDatacenters`: `.texts`, by distance
    case datacenters
    /// `Coordinate.ListDatacenters`: `.datacenterCoordinates`
    case datacenterCoordinates
    /// `Internal.KeyringOperation`: `.keyring`
    case keyring(KeyringRequest)

    // Answered by the leader, or where the options allow it by whichever server is asked.

    /// `Internal.EventFire`: broadcasts a user event; `name` is without the prefix `consul:event:`, `payload` the encoded event.
    /// Options with `allowStale` let the server that is asked do it.
    case fireEvent(name: String, payload: [UInt8])
    /// `Operator.RaftGetConfiguration`: `.raftConfiguration`
    case raftConfiguration
    /// `Operator.RaftRemovePeerByID` and `ByAddress`
    case removeRaftPeer(RaftPeer)
    /// `Operator.ServerHealth`: `.health`
    case serverHealth
    /// `Coordinate.Update`: written to the log a few seconds later, together with others
    case updateCoordinate(NodeCoordinate)
    /// Hands leadership to that server, or to the one that is furthest; no method of the wire.
    case transferLeadership(to: String?)
    /// Replaces the replicated state by that of `state.bin` in a snapshot archive, which was taken at `index`; no method of the wire.
    case restore(state: [UInt8], index: UInt64)
    /// An archive of the replicated state (rpc-raft-wire §8.3): `.snapshot`. Options with `allowStale` let the server that is asked make it.
    /// Goes over the stream protocol of snapshots, as does the next.
    case saveSnapshot
    /// Replaces the replicated state by that of an archive.
    case restoreSnapshot([UInt8])
}

// What is true of each. None of these may have a default: an operation that is added says so itself, or does not compile.
extension ServerOperation {
    /// What a caller needs for it (acl §13).
    var permission: Permission {
        switch self {
        case .ping, .leader, .peers, .raftStatistics, .datacenters, .datacenterCoordinates: .openToEverybody
        case .keyring(let request): request.operation == .list ? .keyringRead : .keyringWrite
        case .fireEvent(let name, _): .eventWrite(name)
        case .raftConfiguration, .serverHealth: .operatorRead
        case .removeRaftPeer, .transferLeadership: .operatorWrite
        case .updateCoordinate(let update): .nodeWrite(update.node)
        case .restore, .saveSnapshot, .restoreSnapshot: .aclWrite
        }
    }

    /// What a caller without that permission is told.
    var denial: String {
        guard case .keyring(let request) = self else { return Denied().text }
        return request.operation == .list ? "Reading keyring denied by ACLs" : "Modifying keyring denied due to ACLs"
    }

    /// Whether it may be done twice: what it changes, if anything, does not add up, and it takes little.
    var isRepeatable: Bool {
        switch self {
        case .ping, .leader, .peers, .raftStatistics, .datacenters, .datacenterCoordinates, .keyring, .fireEvent, .raftConfiguration,
            .serverHealth:
            true
        case .removeRaftPeer, .updateCoordinate, .transferLeadership, .restore, .saveSnapshot, .restoreSnapshot: false
        }
    }

    /// Whether it is about the server that is asked, whichever that is: a call of it may leave out the datacenter.
    var isOfAskedServer: Bool {
        switch self {
        case .ping, .leader, .peers, .raftStatistics, .datacenters, .datacenterCoordinates, .keyring: true
        case .fireEvent, .raftConfiguration, .removeRaftPeer, .serverHealth, .updateCoordinate, .transferLeadership, .restore,
            .saveSnapshot, .restoreSnapshot:
            false
        }
    }

    /// Who may answer it.
    var place: Place {
        switch self {
        case .ping, .leader, .peers, .raftStatistics, .datacenters, .datacenterCoordinates, .keyring: .anyServer
        case .fireEvent, .raftConfiguration: .anyServerInTouch
        case .saveSnapshot, .restoreSnapshot: .anyServerIfStale
        case .removeRaftPeer, .serverHealth, .updateCoordinate, .transferLeadership, .restore: .leader
        }
    }

    enum Place {
        /// Whichever is asked.
        case anyServer
        /// Whichever is asked, if the caller allows stale answers.
        case anyServerIfStale
        /// The same, but only a server that has heard from a leader.
        case anyServerInTouch
        case leader
    }
}

/// How an operator names a server of the Raft configuration.
public enum RaftPeer: Hashable, Sendable {
    case id(String)
    case address(Address)
}

/// What an operation came to.
public enum ServerOperationResult: Hashable, Sendable {
    case done
    case text(String)
    case texts([String])
    case raftStatistics(RaftStatistics)
    case raftConfiguration([RaftServerDescription])
    case health(ClusterHealth)
    case datacenterCoordinates([DatacenterCoordinates])
    case keyring([KeyringResponse])
    /// The archive, and what it is as of.
    case snapshot([UInt8], QueryMeta)
}

/// One server as `/v1/operator/raft/configuration` shows it.
public struct RaftServerDescription: Hashable, Sendable {
    public var id: String
    /// `(unknown)` for a server that is not in the gossip pool.
    public var node: String
    public var address: String
    public var isLeader: Bool
    /// `unknown` for a server that is not in the gossip pool.
    public var protocolVersion: String
    public var isVoter: Bool

    public init(id: String, node: String, address: String, isLeader: Bool, protocolVersion: String = "3", isVoter: Bool = true) {
        self.id = id
        self.node = node
        self.address = address
        self.isLeader = isLeader
        self.protocolVersion = protocolVersion
        self.isVoter = isVoter
    }
}

/// `ServerStats`: what the leader asks every server for, to judge its health.
public struct RaftStatistics: Hashable, Sendable {
    /// A duration as Go prints it, `0` on the leader, `never` if there was none.
    public var lastContact = ""
    public var lastIndex: UInt64 = 0
    public var lastTerm: UInt64 = 0
    public init() {}
}

/// The servers as autopilot sees them (http-2 §10.5).
public struct ClusterHealth: Hashable, Sendable {
    public var healthy = false
    /// How many servers may fail before the cluster stops.
    public var failureTolerance = 0
    /// In the order of the Raft configuration.
    public var servers: [ServerHealth] = []
    public init() {}
}

public struct ServerHealth: Hashable, Sendable {
    public var id = ""
    /// Empty when the server is not in the gossip pool.
    public var name = ""
    public var address: Address = ""
    public var status = MemberStatus.none
    public var version = ""
    public var isLeader = false
    /// -1 ns when unknown.
    public var lastContact: Duration = .nanoseconds(-1)
    public var lastTerm: UInt64 = 0
    public var lastIndex: UInt64 = 0
    public var isHealthy = false
    public var isVoter = false
    /// When `isHealthy` last changed.
    public var stableSince = GoTime.zero
    public init() {}
}

/// Management of gossip keys (http-2 §10.3).
public struct KeyringRequest: Hashable, Sendable {
    /// As it is named on the wire.
    public enum Operation: String, Hashable, Sendable { case list, install, use, remove }

    public var operation = Operation.list
    /// Base64.
    public var key = ""
    public var relayFactor: UInt8 = 0
    /// Only for lists: of the asked server's LAN pool alone.
    public var localOnly = false
    /// Set when servers of other datacenters are asked: they answer for themselves only.
    public var forwarded = false
    public init() {}
}

/// What one pool answered.
public struct KeyringResponse: Hashable, Sendable {
    public var isWAN = false
    public var datacenter = ""
    public var segment = ""
    /// By node.
    public var messages: StringMap?
    /// How many nodes have it, by key.
    public var keys: SortedMap<String, Int>?
    public var primaryKeys: SortedMap<String, Int>?
    public var nodeCount = 0
    public var error = ""
    public init() {}
}
