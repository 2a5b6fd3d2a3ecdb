// Reads as RPC requests. Spec: rpc-raft-wire §3, §4.

extension ReadQuery {
    /// The method that answers this read.
    public var rpcMethod: String {
        switch self {
        case .kvGet: "KVS.Get"
        case .kvList: "KVS.List"
        case .kvKeys: "KVS.ListKeys"
        case .sessionGet: "Session.Get"
        case .sessionList: "Session.List"
        case .nodeSessions: "Session.NodeSessions"
        case .nodes: "Catalog.ListNodes"
        case .services: "Catalog.ListServices"
        case .serviceList: "Catalog.ServiceList"
        case .serviceNodes, .serviceByAddress: "Catalog.ServiceNodes"
        case .nodeServices: "Catalog.NodeServices"
        case .nodeServiceList: "Catalog.NodeServiceList"
        case .gatewayServices: "Catalog.GatewayServices"
        case .nodeChecks: "Health.NodeChecks"
        case .serviceChecks: "Health.ServiceChecks"
        case .checksInState: "Health.ChecksInState"
        case .healthServiceNodes: "Health.ServiceNodes"
        case .nodeDump(nil): "Internal.NodeDump"
        case .nodeDump: "Internal.NodeInfo"
        case .txnRead: "Txn.Read"
        case .serviceDump: "Internal.ServiceDump"
        case .coordinates: "Coordinate.ListNodes"
        case .nodeCoordinates: "Coordinate.Node"
        case .autopilotConfiguration: "Operator.AutopilotGetConfiguration"
        }
    }

    /// The body of the request.
    public func encodeRequest(_ options: QueryOptions) -> [UInt8] {
        switch self {
        case .kvGet(let key), .kvList(let key):
            var writer = QueryWriter(options, fields: 2)
            writer.datacenter()
            writer.field("Key", key)
            return writer.finish()
        case .kvKeys(let prefix, let separator):
            var writer = QueryWriter(options, fields: 3)
            writer.datacenter()
            writer.field("Prefix", prefix)
            writer.field("Seperator", separator)
            return writer.finish()
        case .sessionGet(let id): return Self.encodeSession(id, options)
        case .sessionList: return Self.encodeSession("", options)
        case .nodes, .services, .serviceList, .nodeDump(nil), .coordinates, .autopilotConfiguration: return Self.encodeDatacenter(options)
        case .serviceNodes(let service, let tags, let connect):
            return Self.encodeService(service, tags: tags, connect: connect, options: options)
        case .serviceByAddress(let address): return Self.encodeService("", address: address, options: options)
        case .healthServiceNodes(let service, let tags, let connect, let ingress):
            return Self.encodeService(service, tags: tags, connect: connect, ingress: ingress, options: options)
        case .serviceChecks(let service), .gatewayServices(let service): return Self.encodeService(service, options: options)
        case .nodeSessions(let node), .nodeServices(let node), .nodeServiceList(let node), .nodeChecks(let node), .nodeDump(let node?),
            .nodeCoordinates(let node):
            var writer = QueryWriter(options, fields: 2)
            writer.datacenter()
            writer.field("Node", node)
            return writer.finish()
        case .checksInState(let state):
            var writer = QueryWriter(options, fields: 4)
            writer.datacenter()
            writer.metaFilters()
            writer.source()
            writer.field("State", state)
            return writer.finish()
        case .serviceDump(let kind):
            var writer = QueryWriter(options, fields: 4)
            writer.datacenter()
            writer.field("ServiceKind", kind ?? "")
            writer.source()
            writer.field("UseServiceKind", kind != nil)
            return writer.finish()
        case .txnRead(let ops):
            var writer = QueryWriter(options, fields: 2)
            writer.datacenter()
            writer.key("Ops")
            writer.encode(ops)
            return writer.finish()
        }
    }

    /// `DCSpecificRequest`
    static func encodeDatacenter(_ options: QueryOptions) -> [UInt8] {
        var writer = QueryWriter(options, fields: 3)
        writer.datacenter()
        writer.metaFilters()
        writer.source()
        return writer.finish()
    }

    private static func encodeService(
        _ name: String, tags: [String] = [], connect: Bool = false, ingress: Bool = false, address: String = "", options: QueryOptions
    ) -> [UInt8] {
        var writer = QueryWriter(options, fields: 10)
        writer.field("Connect", connect)
        writer.datacenter()
        writer.field("Ingress", ingress)
        writer.metaFilters()
        writer.field("ServiceAddress", address)
        writer.field("ServiceName", name)
        writer.field("ServiceTag", "")
        writer.field("ServiceTags", tags.isEmpty ? nil : tags)
        writer.source()
        writer.field("TagFilter", !tags.isEmpty)
        return writer.finish()
    }

    /// Under its present name and that from before 1.7. Also the request of `Session.Renew`.
    public static func encodeSession(_ id: String, _ options: QueryOptions) -> [UInt8] {
        var writer = QueryWriter(options, fields: 3)
        writer.datacenter()
        writer.field("Session", id)
        writer.field("SessionID", id)
        return writer.finish()
    }

    /// The read that a request asks for; nil for a method that is no read of this kind.
    public static func decodeRequest(
        method: String, body: ArraySlice<UInt8>
    ) throws(MessagePackError) -> (query: ReadQuery, options: QueryOptions)? {
        guard isMethod(method) else { return nil }
        var reader = MessagePackReader(body)
        let fields = try QueryFields(from: &reader)
        return fields.query(method).map { ($0, fields.options) }
    }

    private static func isMethod(_ method: String) -> Bool {
        switch method {
        case "KVS.Get", "KVS.List", "KVS.ListKeys", "Session.Get", "Session.List", "Session.NodeSessions", "Catalog.ListNodes",
            "Catalog.ListServices", "Catalog.ServiceList", "Catalog.ServiceNodes", "Catalog.NodeServices", "Catalog.NodeServiceList",
            "Catalog.GatewayServices",
            "Health.NodeChecks", "Health.ServiceChecks", "Health.ChecksInState", "Health.ServiceNodes", "Internal.NodeDump",
            "Internal.NodeInfo", "Txn.Read", "Internal.ServiceDump", "Coordinate.ListNodes", "Coordinate.Node",
            "Operator.AutopilotGetConfiguration":
            true
        default: false
        }
    }

    /// The session ID and the options of a `Session.Renew` request.
    public static func decodeSession(_ body: ArraySlice<UInt8>) throws(MessagePackError) -> (id: String, options: QueryOptions) {
        var reader = MessagePackReader(body)
        let fields = try QueryFields(from: &reader)
        return (fields.session, fields.options)
    }
}

/// Writes the fields of a request between those of the options, which are flattened into the same map.
struct QueryWriter {
    private var writer: MessagePackWriter
    private let options: QueryOptions
    private var written = 0

    /// Of the options, in their order.
    private static let names: [StaticString] = [
        "AllowStale", "Filter", "MaxAge", "MaxQueryTime", "MaxStaleDuration", "MinQueryIndex", "MustRevalidate", "RequireConsistent",
        "StaleIfError", "Token", "UseCache",
    ]

    init(_ options: QueryOptions, fields: Int) {
        self.options = options
        writer = MessagePackWriter(reservingCapacity: 320)
        writer.mapHeader(Self.names.count + fields)
    }

    /// The options that come before this field, then its name.
    mutating func key(_ name: StaticString) {
        while written < Self.names.count, precedes(Self.names[written], name) { writeOption() }
        writer.key(name)
    }

    private func precedes(_ a: StaticString, _ b: StaticString) -> Bool {
        a.withUTF8Buffer { a in b.withUTF8Buffer { b in a.lexicographicallyPrecedes(b) } }
    }

    private mutating func writeOption() {
        switch written {
        case 0: writer.field("AllowStale", options.allowStale)
        case 1: writer.field("Filter", options.filter)
        case 2: writer.field("MaxAge", 0)
        case 3: writer.field("MaxQueryTime", options.maxQueryTime)
        case 4: writer.field("MaxStaleDuration", options.maxStaleDuration)
        case 5: writer.field("MinQueryIndex", options.minQueryIndex)
        case 6: writer.field("MustRevalidate", false)
        case 7: writer.field("RequireConsistent", options.requireConsistent)
        case 8: writer.field("StaleIfError", 0)
        case 9: writer.field("Token", options.token)
        default: writer.field("UseCache", false)
        }
        written += 1
    }

    mutating func field(_ name: StaticString, _ value: String) {
        key(name)
        writer.string(value)
    }

    mutating func field(_ name: StaticString, _ value: ByteString) {
        key(name)
        writer.raw(value)
    }

    mutating func field(_ name: StaticString, _ value: [UInt8]) {
        key(name)
        writer.raw(value)
    }

    mutating func field(_ name: StaticString, _ value: Int) {
        key(name)
        writer.int(value)
    }

    mutating func field(_ name: StaticString, _ value: Bool) {
        key(name)
        writer.bool(value)
    }

    mutating func field(_ name: StaticString, _ value: [String]?) {
        key(name)
        writer.strings(value)
    }

    mutating func datacenter() { field("Datacenter", options.datacenter) }

    mutating func metaFilters() {
        key("NodeMetaFilters")
        writer.stringMap(options.nodeMetaFilters.isEmpty ? nil : options.nodeMetaFilters)
    }

    /// What results are sorted by the distance from.
    mutating func source() {
        key("Source")
        writer.mapHeader(4)
        let datacenter = options.sourceDatacenter.isEmpty ? options.datacenter : options.sourceDatacenter
        writer.field("Datacenter", options.sourceNode.isEmpty ? "" : datacenter)
        writer.field("Ip", "")
        writer.field("Node", options.sourceNode)
        writer.field("Segment", "")
    }

    mutating func encode(_ ops: [TxnOp]) {
        writer.arrayHeader(ops.count)
        for op in ops { op.encode(into: &writer) }
    }

    mutating func finish() -> [UInt8] {
        while written < Self.names.count { writeOption() }
        return writer.bytes
    }
}

/// The union of the fields of all requests to read.
private struct QueryFields: WireFields {
    var options = QueryOptions()
    var key = ByteString([]), prefix = ByteString([]), separator = ByteString([])
    var node = "", state = "", serviceName = "", serviceTag = "", serviceAddress = ""
    var serviceTags: [String] = []
    var connect = false, ingress = false, tagFilter = false, useServiceKind = false
    var serviceKind = ""
    var sessionID = "", oldSession = ""
    var ops: [TxnOp] = []

    /// By the name from before 1.7 if the present one is empty.
    var session: String { sessionID.isEmpty ? oldSession : sessionID }

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch name {
        case "AllowStale": options.allowStale = try reader.bool()
        case "Datacenter": options.datacenter = try reader.string()
        case "Filter": options.filter = try reader.string()
        case "MaxQueryTime": options.maxQueryTime = try reader.duration()
        case "MaxStaleDuration": options.maxStaleDuration = try reader.duration()
        case "MinQueryIndex": options.minQueryIndex = try reader.uint64()
        case "RequireConsistent": options.requireConsistent = try reader.bool()
        case "Token": options.token = try reader.string()
        case "NodeMetaFilters": options.nodeMetaFilters = try reader.stringMap() ?? [:]
        case "Source": (options.sourceNode, options.sourceDatacenter) = try Self.source(from: &reader)
        case "Key": key = try reader.byteString()
        case "Prefix": prefix = try reader.byteString()
        case "Seperator": separator = try reader.byteString()
        case "Node": node = try reader.string()
        case "State": state = try reader.string()
        case "ServiceName": serviceName = try reader.string()
        case "ServiceTag": serviceTag = try reader.string()
        case "ServiceTags": serviceTags = try reader.strings() ?? []
        case "ServiceAddress": serviceAddress = try reader.string()
        case "Connect": connect = try reader.bool()
        case "Ingress": ingress = try reader.bool()
        case "TagFilter": tagFilter = try reader.bool()
        case "UseServiceKind": useServiceKind = try reader.bool()
        case "ServiceKind": serviceKind = try reader.string()
        case "SessionID": sessionID = try reader.string()
        case "Session": oldSession = try reader.string()
        case "Ops": ops = try TxnOp.array(from: &reader) ?? []
        default: return false
        }
        return true
    }

    private static func source(
        from reader: inout MessagePackReader
    ) throws(MessagePackError) -> (node: String, datacenter: String) {
        var node = "", datacenter = ""
        var left = try reader.structHeader()
        while let name = try reader.nextKey(&left) {
            switch name {
            case "Datacenter": datacenter = try reader.string()
            case "Node": node = try reader.string()
            default: try reader.skip()
            }
        }
        return (node, node.isEmpty ? "" : datacenter)
    }

    /// A single tag is how callers before 1.3 filter.
    private var tags: [String] { tagFilter ? (serviceTags.isEmpty ? [serviceTag] : serviceTags) : [] }

    func query(_ method: String) -> ReadQuery? {
        switch method {
        case "KVS.Get": .kvGet(key: key)
        case "KVS.List": .kvList(prefix: key)
        case "KVS.ListKeys": .kvKeys(prefix: prefix, separator: separator)
        case "Session.Get": .sessionGet(id: session)
        case "Session.List": .sessionList
        case "Session.NodeSessions": .nodeSessions(node: node)
        case "Catalog.ListNodes": .nodes
        case "Catalog.ListServices": .services
        case "Catalog.ServiceList": .serviceList
        case "Catalog.ServiceNodes" where !connect && !serviceAddress.isEmpty: .serviceByAddress(serviceAddress)
        case "Catalog.ServiceNodes": .serviceNodes(service: serviceName, tags: tags, connect: connect)
        case "Catalog.NodeServices": .nodeServices(node: node)
        case "Catalog.NodeServiceList": .nodeServiceList(node: node)
        case "Catalog.GatewayServices": .gatewayServices(gateway: serviceName)
        case "Health.NodeChecks": .nodeChecks(node: node)
        case "Health.ServiceChecks": .serviceChecks(service: serviceName)
        case "Health.ChecksInState": .checksInState(state: state)
        case "Health.ServiceNodes": .healthServiceNodes(service: serviceName, tags: tags, connect: connect, ingress: ingress)
        case "Internal.NodeDump": .nodeDump(node: nil)
        case "Internal.NodeInfo": .nodeDump(node: node)
        case "Txn.Read": .txnRead(ops)
        case "Internal.ServiceDump": .serviceDump(kind: useServiceKind ? serviceKind : nil)
        case "Coordinate.ListNodes": .coordinates
        case "Coordinate.Node": .nodeCoordinates(node: node)
        case "Operator.AutopilotGetConfiguration": .autopilotConfiguration
        default: nil
        }
    }
}
