// What clients ask the servers to write: the bodies of RPC writes and of the log commands made of them.
// Spec: rpc-raft-wire §4 (fields), §7 (commands).

public struct RegisterRequest: Hashable, Sendable {
    public var datacenter = ""
    public var id = ""
    public var node = ""
    public var address = ""
    public var taggedAddresses: StringMap?
    public var nodeMeta: StringMap?
    public var service: NodeService?
    public var check: HealthCheck?
    public var checks: [HealthCheck]?
    public var skipNodeUpdate = false
    public var token = ""
    public var index = RaftIndex()
    public init() {}
}

public struct DeregisterRequest: Hashable, Sendable {
    public var datacenter = ""
    public var node = ""
    public var serviceID = ""
    public var checkID = ""
    public var token = ""
    public init() {}
}

public struct KVSRequest: Hashable, Sendable {
    public var datacenter = ""
    /// `set`, `delete`, `delete-cas`, `delete-tree`, `cas`, `lock`, `unlock`.
    public var op = ""
    public var dirEnt = DirEntry()
    public var token = ""
    public init() {}
}

public struct SessionRequest: Hashable, Sendable {
    public var datacenter = ""
    /// `create` or `destroy`.
    public var op = ""
    public var session = Session()
    public var token = ""
    public init() {}
}

public struct TombstoneRequest: Hashable, Sendable {
    public var datacenter = ""
    /// `reap`.
    public var op = ""
    public var reapIndex: UInt64 = 0
    public var token = ""
    public init() {}
}

/// One operation of a transaction; exactly one member is set.
public enum TxnOp: Hashable, Sendable {
    case kv(verb: String, DirEntry)
    case node(verb: String, Node)
    case service(verb: String, node: String, NodeService)
    case check(verb: String, HealthCheck)
    case session(verb: String, Session)
    /// Only between servers (intention replication): kept as it stood on the wire.
    case intention(DynamicValue)
    /// No member set.
    case none
}

public struct TxnRequest: Hashable, Sendable {
    public var datacenter = ""
    public var ops: [TxnOp] = []
    public var token = ""
    public init() {}
}

public enum TxnResult: Hashable, Sendable {
    case kv(DirEntry)
    case node(Node)
    case service(NodeService)
    case check(HealthCheck)
}

public struct TxnError: Hashable, Sendable {
    public var opIndex: Int
    public var what: String
    public init(opIndex: Int, what: String) {
        self.opIndex = opIndex
        self.what = what
    }
}

public struct TxnResponse: Hashable, Sendable {
    public var results: [TxnResult]
    public var errors: [TxnError]
    public init(results: [TxnResult] = [], errors: [TxnError] = []) {
        self.results = results
        self.errors = errors
    }
}

/// A write as the API or an RPC hands it to the servers.
public enum WriteRequest: Hashable, Sendable {
    indirect case register(RegisterRequest)
    case deregister(DeregisterRequest)
    case kv(KVSRequest)
    case session(SessionRequest)
    case txn(TxnRequest)
    case tombstone(TombstoneRequest)
    case autopilot(AutopilotRequest)
    /// What the leader has collected of its nodes' `Coordinate.Update`.
    case coordinates([NodeCoordinate])
}

/// What applying a log command came to (rpc-raft-wire §7, column "result").
public enum ApplyResult: Hashable, Sendable {
    /// nil in the reference: done.
    case none
    case bool(Bool)
    /// The id of a created session.
    case string(String)
    case index(UInt64)
    case txn(TxnResponse)
    /// Nothing changed; the text is the answer, verbatim.
    case error(String)
}
