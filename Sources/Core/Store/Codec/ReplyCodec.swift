// Answers to reads as RPC bodies. Spec: rpc-raft-wire §4. Lists without elements are nil, as in the reference.

extension ReadQuery {
    /// The body of the answer to this read.
    public func encodeReply(_ result: QueryResult, _ meta: QueryMeta) -> [UInt8] {
        var writer = ReplyWriter(meta)
        switch (self, result) {
        case (.nodeServices, .nodeServices(let found)): writer.nodeServices(found)
        case (.nodeServiceList, .nodeServices(let found)): writer.nodeServiceList(found)
        case (_, .autopilot(let configuration)): return configuration.encoded
        default: writer.encode(result)
        }
        return writer.bytes
    }

    /// What an answer to this read says.
    public func decodeReply(_ body: ArraySlice<UInt8>) throws(MessagePackError) -> (result: QueryResult, meta: QueryMeta) {
        var reader = MessagePackReader(body)
        // The configuration comes by itself, without the metadata of reads.
        if case .autopilotConfiguration = self { return (.autopilot(try AutopilotConfiguration(from: &reader)), QueryMeta()) }
        var fields = ReplyFields()
        try fields.read(self, from: &reader)
        return (fields.result ?? emptyResult, fields.meta)
    }

    /// Of an answer that does not hold what it is about.
    private var emptyResult: QueryResult {
        switch self {
        case .kvGet, .kvList: .entries([])
        case .kvKeys: .keys([])
        case .sessionGet, .sessionList, .nodeSessions: .sessions([])
        case .nodes: .nodes([])
        case .services: .services([])
        case .serviceList: .serviceList([])
        case .serviceNodes, .serviceByAddress: .serviceNodes([])
        case .nodeServices, .nodeServiceList: .nodeServices(nil)
        case .gatewayServices: .gatewayServices([])
        case .nodeChecks, .serviceChecks, .checksInState: .checks([])
        case .healthServiceNodes: .healthNodes([])
        case .nodeDump: .nodeDump([])
        case .txnRead: .txn(TxnResponse())
        case .serviceDump: .healthNodes([])
        case .coordinates, .nodeCoordinates: .coordinates([])
        case .autopilotConfiguration: .autopilot(.zero)
        }
    }

    /// The body of an answer to `Session.Renew`: the session, or none.
    public static func encodeRenewed(_ session: Row<Session>?, _ meta: QueryMeta) -> [UInt8] {
        ReadQuery.sessionList.encodeReply(.sessions(session.map { [$0] } ?? []), meta)
    }
}

/// Writes replies; the four members of the metadata stand between the others.
private struct ReplyWriter {
    private var writer: MessagePackWriter
    private let meta: QueryMeta

    var bytes: [UInt8] { writer.bytes }

    init(_ meta: QueryMeta) {
        self.meta = meta
        writer = MessagePackWriter(reservingCapacity: 1_024)
    }

    private mutating func level() { writer.field("ConsistencyLevel", "") }
    private mutating func index() { writer.field("Index", meta.index) }

    private mutating func contact() {
        writer.field("KnownLeader", meta.knownLeader)
        writer.field("LastContact", meta.lastContact)
    }

    mutating func encode(_ result: QueryResult) {
        if case .txn(let response) = result { return txn(response) }
        writer.mapHeader(5)
        level()
        switch result {
        case .entries(let entries):
            writer.field("Entries", entries.isEmpty ? nil : entries)
            index()
            contact()
        case .checks(let checks):
            writer.field("HealthChecks", rows: checks)
            index()
            contact()
        case .coordinates(let coordinates):
            writer.field("Coordinates", rows: coordinates)
            index()
            contact()
        case .nodeDump(let dump):
            writer.key("Dump")
            writer.arrayHeader(dump.count)
            for node in dump { encode(node) }
            index()
            contact()
        case .keys(let keys):
            index()
            writer.key("Keys")
            encode(keys)
            contact()
        default:
            index()
            contact()
            encodeLast(result)
        }
    }

    /// Members whose names come behind the metadata's.
    private mutating func encodeLast(_ result: QueryResult) {
        switch result {
        case .sessions(let sessions): writer.field("Sessions", rows: sessions)
        case .nodes(let nodes): writer.field("Nodes", rows: nodes)
        case .services(let services):
            writer.key("Services")
            writer.mapHeader(services.count)
            for (name, tags) in services {
                writer.string(name)
                writer.strings(tags)
            }
        case .serviceList(let names):
            writer.key("Services")
            if names.isEmpty { return writer.null() }
            writer.arrayHeader(names.count)
            for name in names {
                writer.mapHeader(1)
                writer.field("Name", name)
            }
        case .serviceNodes(let nodes):
            writer.key("ServiceNodes")
            if nodes.isEmpty { return writer.null() }
            writer.arrayHeader(nodes.count)
            for (node, service) in nodes { encode(node.value, service.value) }
        case .gatewayServices(let services):
            writer.key("Services")
            if services.isEmpty { return writer.null() }
            writer.arrayHeader(services.count)
            for service in services { writer.dynamic(service) }
        case .healthNodes(let nodes):
            writer.key("Nodes")
            if nodes.isEmpty { return writer.null() }
            writer.arrayHeader(nodes.count)
            for node in nodes { encode(node) }
        default: preconditionFailure("every result has a member of its own")
        }
    }

    private mutating func encode(_ keys: [ByteString]) {
        if keys.isEmpty { return writer.null() }
        writer.arrayHeader(keys.count)
        for key in keys { writer.raw(key) }
    }

    private mutating func txn(_ response: TxnResponse) {
        writer.mapHeader(6)
        level()
        response.encodeErrors(into: &writer)
        index()
        contact()
        response.encodeResults(into: &writer)
    }

    private mutating func encode(_ node: CheckServiceNode) {
        writer.mapHeader(3)
        writer.field("Checks", rows: node.checks)
        writer.field("Node", node.node.value)
        writer.field("Service", node.service.value.service)
    }

    /// `ServiceNode`: the instance with what is said of its node.
    private mutating func encode(_ node: Node, _ instance: ServiceInstance) {
        let service = instance.service
        writer.mapHeader(20)
        writer.field("Address", node.address)
        writer.field("CreateIndex", service.index.create)
        writer.field("Datacenter", node.datacenter)
        writer.field("ID", node.id)
        writer.field("ModifyIndex", service.index.modify)
        writer.field("Node", instance.node)
        writer.field("NodeMeta", node.meta)
        writer.field("ServiceAddress", service.address)
        writer.field("ServiceConnect", service.connect)
        writer.field("ServiceEnableTagOverride", service.enableTagOverride)
        writer.field("ServiceID", service.id)
        writer.field("ServiceKind", service.kind)
        writer.field("ServiceMeta", service.meta ?? [:])
        writer.field("ServiceName", service.service)
        writer.field("ServicePort", service.port)
        writer.field("ServiceProxy", service.proxy)
        writer.field("ServiceTaggedAddresses", service.taggedAddresses?.isEmpty == true ? nil : service.taggedAddresses)
        writer.field("ServiceTags", service.tags ?? [])
        writer.field("ServiceWeights", service.weights ?? Weights())
        writer.field("TaggedAddresses", node.taggedAddresses)
    }

    private mutating func encode(_ dump: NodeDump) {
        let node = dump.node.value
        writer.mapHeader(7)
        writer.field("Address", node.address)
        writer.field("Checks", rows: dump.checks)
        writer.field("ID", node.id)
        writer.field("Meta", node.meta)
        writer.field("Node", node.node)
        writer.key("Services")
        encode(dump.services)
        writer.field("TaggedAddresses", node.taggedAddresses)
    }

    private mutating func encode(_ services: [Row<ServiceInstance>]) {
        if services.isEmpty { return writer.null() }
        writer.arrayHeader(services.count)
        for service in services { service.value.service.encode(into: &writer) }
    }

    /// A map by service ID; nil for an unknown node.
    mutating func nodeServices(_ found: (node: Row<Node>, services: [Row<ServiceInstance>])?) {
        writer.mapHeader(5)
        level()
        index()
        contact()
        writer.key("NodeServices")
        guard let found else { return writer.null() }
        writer.mapHeader(2)
        writer.field("Node", found.node.value)
        writer.key("Services")
        writer.mapHeader(found.services.count)
        for service in found.services {
            writer.string(service.value.service.id)
            service.value.service.encode(into: &writer)
        }
    }

    mutating func nodeServiceList(_ found: (node: Row<Node>, services: [Row<ServiceInstance>])?) {
        writer.mapHeader(5)
        level()
        index()
        contact()
        writer.key("NodeServices")
        writer.mapHeader(2)
        writer.field("Node", found?.node.value)
        writer.key("Services")
        encode(found?.services ?? [])
    }
}

/// Reads replies.
private struct ReplyFields {
    var meta = QueryMeta()
    var result: QueryResult?
    private var txn = TxnResponse()

    init() {}

    mutating func read(_ query: ReadQuery, from reader: inout MessagePackReader) throws(MessagePackError) {
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Index": meta.index = try reader.uint64()
            case "KnownLeader": meta.knownLeader = try reader.bool()
            case "LastContact": meta.lastContact = try reader.duration()
            case "ConsistencyLevel": try reader.skip()
            default: if try !readResult(query, key, &reader) { try reader.skip() }
            }
        }
        if case .txnRead = query { result = .txn(txn) }
    }

    private mutating func readResult(
        _ query: ReadQuery, _ key: MessagePackKey, _ reader: inout MessagePackReader
    ) throws(MessagePackError) -> Bool {
        switch (query, key) {
        case (.kvGet, "Entries"), (.kvList, "Entries"): result = .entries(try DirEntry.array(from: &reader) ?? [])
        case (.kvKeys, "Keys"):
            result = .keys(try reader.array { (reader) throws(MessagePackError) in try reader.byteString() } ?? [])
        case (.sessionGet, "Sessions"), (.sessionList, "Sessions"), (.nodeSessions, "Sessions"):
            result = .sessions(try Session.array(from: &reader)?.map { Row($0) } ?? [])
        case (.nodes, "Nodes"): result = .nodes(try Node.array(from: &reader)?.map { Row($0) } ?? [])
        case (.services, "Services"): result = .services(try Self.services(from: &reader))
        case (.serviceList, "Services"):
            let found = try reader.array { (reader) throws(MessagePackError) in try reader.dynamic() }
            result = .serviceList((found ?? []).compactMap { if case .string(let name)? = $0["Name"] { name } else { nil } })
        case (.serviceNodes, "ServiceNodes"), (.serviceByAddress, "ServiceNodes"):
            result = .serviceNodes(try ServiceNodeReply.array(from: &reader)?.map(\.result) ?? [])
        case (.nodeServices, "NodeServices"), (.nodeServiceList, "NodeServices"):
            result = .nodeServices(try NodeServicesReply.optional(from: &reader)?.result)
        case (.gatewayServices, "Services"):
            result = .gatewayServices(try reader.array { (reader) throws(MessagePackError) in try reader.dynamic() } ?? [])
        case (.nodeChecks, "HealthChecks"), (.serviceChecks, "HealthChecks"), (.checksInState, "HealthChecks"):
            result = .checks(try HealthCheck.array(from: &reader)?.map { Row($0) } ?? [])
        case (.coordinates, "Coordinates"), (.nodeCoordinates, "Coordinates"):
            result = .coordinates(try NodeCoordinate.array(from: &reader)?.map { Row($0) } ?? [])
        case (.healthServiceNodes, "Nodes"), (.serviceDump, "Nodes"):
            result = .healthNodes(try CheckServiceNodeReply.array(from: &reader)?.map(\.result) ?? [])
        case (.nodeDump, "Dump"): result = .nodeDump(try NodeInfoReply.array(from: &reader)?.map(\.result) ?? [])
        case (.txnRead, "Errors"): txn.errors = try TxnError.array(from: &reader) ?? []
        case (.txnRead, "Results"): txn.results = try TxnResult.array(from: &reader) ?? []
        default: return false
        }
        return true
    }

    /// Sorted by name, whatever the order on the wire.
    private static func services(from reader: inout MessagePackReader) throws(MessagePackError) -> [(name: String, tags: [String])] {
        var services: [(name: String, tags: [String])] = []
        for _ in 0..<(try reader.mapHeader() ?? 0) {
            let name = try reader.string()
            services.append((name, try reader.strings() ?? []))
        }
        services.sort { $0.name < $1.name }
        return services
    }
}
