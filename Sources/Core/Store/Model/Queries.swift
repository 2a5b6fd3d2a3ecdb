// What clients ask the servers to read. Spec: rpc-raft-wire §3-4 (RPC), behaviour §1.4 (indexes and watches).

/// Options common to all reads (http-1 §1.8, rpc-raft-wire §4.1).
public struct QueryOptions: Hashable, Sendable {
    public var datacenter = ""
    public var token = ""
    public var allowStale = false
    public var requireConsistent = false
    /// 0: answer at once.
    public var minQueryIndex: UInt64 = 0
    /// Zero or less: the default of 300 s.
    public var maxQueryTime: Duration = .zero
    /// Agent-side: a stale answer older than this is asked again without `allowStale`.
    public var maxStaleDuration: Duration = .zero
    public var filter = ""
    /// `near`: the node from which results are sorted by round-trip time; empty for none.
    public var sourceNode = ""
    /// The datacenter of that node; empty for the one that is asked. Nodes of other datacenters are not sorted by.
    public var sourceDatacenter = ""
    public var nodeMetaFilters: StringMap = [:]
    public init() {}

    /// Whether a stale answer is older than `max_stale` permits.
    func isTooOld(_ answer: QueryMeta) -> Bool { allowStale && maxStaleDuration > .zero && answer.lastContact > maxStaleDuration }
}

/// A service instance with its node and all checks that concern it.
public struct CheckServiceNode: Sendable {
    public var node: Row<Node>
    public var service: Row<ServiceInstance>
    /// Node-level checks first, then the instance's, each group by check ID.
    public var checks: [Row<HealthCheck>]
    public init(node: Row<Node>, service: Row<ServiceInstance>, checks: [Row<HealthCheck>]) {
        self.node = node
        self.service = service
        self.checks = checks
    }
}

public struct NodeDump: Sendable {
    public var node: Row<Node>
    public var services: [Row<ServiceInstance>]
    public var checks: [Row<HealthCheck>]
    public init(node: Row<Node>, services: [Row<ServiceInstance>], checks: [Row<HealthCheck>]) {
        self.node = node
        self.services = services
        self.checks = checks
    }
}

/// The value that a `ReadQuery` found. `?filter` is applied by the caller.
public enum QueryResult: Sendable {
    /// KVQuery.get (zero or one), KVQuery.list
    case entries(EntryList)
    case keys([ByteString])
    case sessions([Row<Session>])
    case nodes([Row<Node>])
    case services(ServiceList)
    case serviceList([String])
    /// CatalogQuery.serviceNodes, serviceByAddress: instance and its node, in the order of node name, then service id
    case serviceNodes([(node: Row<Node>, service: Row<ServiceInstance>)])
    /// nodeServices, nodeServiceList: nil for an unknown node; services by id
    case nodeServices((node: Row<Node>, services: [Row<ServiceInstance>])?)
    /// Each row as it would stand on the wire (the store keeps gateway rows opaque until gateways exist).
    case gatewayServices([DynamicValue])
    case checks([Row<HealthCheck>])
    case healthNodes([CheckServiceNode])
    case nodeDump([NodeDump])
    /// By node, then segment
    case coordinates([Row<NodeCoordinate>])
    case autopilot(AutopilotConfiguration)
    case txn(TxnResponse)
}

/// What a read tells beside its value (rpc-raft-wire §4.1 QueryMeta).
public struct QueryMeta: Hashable, Sendable {
    public var index: UInt64 = 0
    /// Since the answering server last heard from the leader; zero on the leader.
    public var lastContact: Duration = .zero
    public var knownLeader = false
    public init() {}
}
