/// What the web page of the reference shows: rows of several tables put together. Spec: http-2 §13, rpc-raft-wire §4.
public enum InternalQuery: Hashable, Sendable {
    /// Nodes with all services and checks; nil for every node.
    case nodeDump(node: String?)
    /// Instances with nodes and checks; of one kind (`""` is the usual one), or nil for every kind.
    case serviceDump(kind: String?)
}

extension InternalQuery: QueryFamily {
    enum Method: String, CallMethod {
        case nodeDump = "Internal.NodeDump"
        case nodeInfo = "Internal.NodeInfo"
        case serviceDump = "Internal.ServiceDump"
    }

    var method: Method {
        switch self {
        case .nodeDump(nil): .nodeDump
        case .nodeDump: .nodeInfo
        case .serviceDump: .serviceDump
        }
    }

    private struct DumpFields: WireFields {
        var options = QueryOptions()
        private var serviceKind = ""
        private var usesServiceKind = false

        var kind: String? { usesServiceKind ? serviceKind : nil }

        mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
            switch name {
            case "UseServiceKind": usesServiceKind = try reader.bool()
            case "ServiceKind": serviceKind = try reader.string()
            default: return try options.read(name, from: &reader)
            }
            return true
        }
    }

    static func decode(_ method: Method, _ reader: inout MessagePackReader) throws(MessagePackError) -> (InternalQuery, QueryOptions) {
        switch method {
        case .nodeDump: return (.nodeDump(node: nil), try OptionFields(from: &reader).options)
        case .nodeInfo:
            let fields = try NodeFields(from: &reader)
            return (.nodeDump(node: fields.node), fields.options)
        case .serviceDump:
            let fields = try DumpFields(from: &reader)
            return (.serviceDump(kind: fields.kind), fields.options)
        }
    }

    func encode(_ options: QueryOptions) -> [UInt8] {
        switch self {
        case .nodeDump(nil): return options.encodeDatacenter()
        case .nodeDump(let node?): return options.encodeNode(node)
        case .serviceDump(let kind):
            var writer = QueryWriter(options, fields: 4)
            writer.datacenter()
            writer.field("ServiceKind", kind ?? "")
            writer.source()
            writer.field("UseServiceKind", kind != nil)
            return writer.finish()
        }
    }

    var problem: String? { nil }
    var canWait: Bool { true }

    func evaluate(_ store: Store, _ options: QueryOptions) throws(TextError) -> (result: QueryResult, index: UInt64) {
        switch self {
        case .nodeDump(let name): (.nodeDump(store.dump(name)), store.catalogIndex(checks: true))
        case .serviceDump(let kind): (.healthNodes(store.dumpServices(kind)), store.serviceDumpIndex(kind))
        }
    }

    func topics(in store: Store, _ options: QueryOptions) -> [WatchTopic] {
        switch self {
        case .nodeDump(nil), .serviceDump: return [.table(.nodes), .table(.services), .table(.checks)]
        case .nodeDump(let name?):
            let key = TableKey.of(name)
            return [.node(key), .nodeServices(key), .nodeChecks(key)]
        }
    }

    func authorize(_ authorizer: Authorizer, _ result: inout QueryResult) throws(Denied) {
        switch result {
        case .nodeDump(var nodes):
            authorizer.filter(&nodes) { authorizer.sees($0.node.value) }
            for at in nodes.indices {
                authorizer.filter(&nodes[at].services) { authorizer.sees(service: $0.value.service.service) }
                authorizer.filter(&nodes[at].checks) { authorizer.sees(service: $0.value.serviceName) }
            }
            result = .nodeDump(nodes)
        case .healthNodes(var rows):
            authorizer.filter(&rows)
            result = .healthNodes(rows)
        default: throw Denied()
        }
    }

    func encodeReply(_ result: QueryResult, _ meta: QueryMeta) -> [UInt8] {
        var reply = ReplyWriter(meta)
        switch result {
        case .nodeDump(let nodes):
            reply.key("Dump")
            reply.writer.arrayHeader(nodes.count)
            for node in nodes { reply.writer.nodeDump(node) }
        case .healthNodes(let rows):
            reply.key("Nodes")
            reply.list(rows) { $1.checkServiceNode($0) }
        default: preconditionFailure("no result of a dump")
        }
        return reply.finish()
    }

    var emptyResult: QueryResult { if case .nodeDump = self { .nodeDump([]) } else { .healthNodes([]) } }

    func readReply(
        _ name: MessagePackKey, _ reader: inout MessagePackReader, _ result: inout QueryResult
    ) throws(MessagePackError) -> Bool {
        switch (self, name) {
        case (.nodeDump, "Dump"): result = .nodeDump(try NodeInfoReply.array(from: &reader)?.map(\.result) ?? [])
        case (.serviceDump, "Nodes"): result = .healthNodes(try CheckServiceNodeReply.array(from: &reader)?.map(\.result) ?? [])
        default: return false
        }
        return true
    }
}

extension Store {
    fileprivate func dump(_ name: String?) -> [NodeDump] {
        let found: [Row<Node>] = if let name { node(name).map { [$0] } ?? [] } else { nodes.map(\.value) }
        return found.map { node in
            let key = TableKey.of(node.value.node)
            return NodeDump(node: node, services: services.values(withPrefix: key), checks: checks.values(withPrefix: key))
        }
    }
}
