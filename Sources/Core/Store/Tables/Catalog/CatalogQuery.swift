/// Reads of nodes and services. Names are as the client spelled them. Spec: http-1 §5, rpc-raft-wire §4.
public enum CatalogQuery: Hashable, Sendable {
    case nodes
    /// Names and the union of their tags.
    case services
    /// Names alone: asked by servers of the reference, not by the API.
    case serviceList
    /// `tags` compared in lower case, all must match.
    case serviceNodes(service: String, tags: [String], connect: Bool)
    /// For reverse DNS questions: instances whose address or node address equals this one.
    case serviceByAddress(String)
    case nodeServices(node: String)
    case nodeServiceList(node: String)
    case gatewayServices(gateway: String)
}

extension CatalogQuery: QueryFamily {
    enum Method: String, CallMethod {
        case nodes = "Catalog.ListNodes"
        case services = "Catalog.ListServices"
        case serviceList = "Catalog.ServiceList"
        case serviceNodes = "Catalog.ServiceNodes"
        case nodeServices = "Catalog.NodeServices"
        case nodeServiceList = "Catalog.NodeServiceList"
        case gatewayServices = "Catalog.GatewayServices"
    }

    var method: Method {
        switch self {
        case .nodes: .nodes
        case .services: .services
        case .serviceList: .serviceList
        case .serviceNodes, .serviceByAddress: .serviceNodes
        case .nodeServices: .nodeServices
        case .nodeServiceList: .nodeServiceList
        case .gatewayServices: .gatewayServices
        }
    }

    static func decode(_ method: Method, _ reader: inout MessagePackReader) throws(MessagePackError) -> (CatalogQuery, QueryOptions) {
        switch method {
        case .nodes, .services, .serviceList:
            let options = try OptionFields(from: &reader).options
            return (method == .nodes ? .nodes : method == .services ? .services : .serviceList, options)
        case .nodeServices, .nodeServiceList:
            let fields = try NodeFields(from: &reader)
            return (method == .nodeServices ? .nodeServices(node: fields.node) : .nodeServiceList(node: fields.node), fields.options)
        case .serviceNodes, .gatewayServices:
            let fields = try ServiceFields(from: &reader)
            if method == .gatewayServices { return (.gatewayServices(gateway: fields.name), fields.options) }
            if !fields.connect && !fields.address.isEmpty { return (.serviceByAddress(fields.address), fields.options) }
            return (.serviceNodes(service: fields.name, tags: fields.tags, connect: fields.connect), fields.options)
        }
    }

    func encode(_ options: QueryOptions) -> [UInt8] {
        switch self {
        case .nodes, .services, .serviceList: options.encodeDatacenter()
        case .serviceNodes(let service, let tags, let connect): options.encodeService(service, tags: tags, connect: connect)
        case .serviceByAddress(let address): options.encodeService("", address: address)
        case .nodeServices(let node), .nodeServiceList(let node): options.encodeNode(node)
        case .gatewayServices(let gateway): options.encodeService(gateway)
        }
    }

    var problem: String? {
        switch self {
        case .nodeServices(""), .nodeServiceList(""): "Must provide node"
        case .serviceNodes(service: "", _, _): "Must provide service name"
        default: nil
        }
    }

    var canWait: Bool { true }

    func evaluate(_ store: Store, _ options: QueryOptions) throws(TextError) -> (result: QueryResult, index: UInt64) {
        let meta = options.nodeMetaFilters
        switch self {
        case .nodes:
            let found = store.nodes.map(\.value)
            return (.nodes(meta.isEmpty ? found : found.filter { $0.value.satisfies(meta) }), store.index(IndexName.nodes))
        case .services:
            let (services, index) = store.listServices(meta)
            return (.services(services), index)
        case .serviceList:
            let (services, index) = store.listServices([:])
            return (.serviceList(services.map(\.name)), index)
        case .serviceNodes(let service, let tags, let connect): return store.serviceNodes(service, tags, connect: connect, meta)
        case .serviceByAddress(let address): return store.serviceByAddress(address)
        case .nodeServices(let name), .nodeServiceList(let name):
            guard let node = store.findNode(name) else { return (.nodeServices(nil), 0) }
            let services = store.services.values(withPrefix: TableKey.of(node.value.node))
            return (.nodeServices((node, services)), store.catalogIndex(checks: false))
        // Config entries are kept, not interpreted: no gateway has services yet.
        case .gatewayServices: return (.gatewayServices([]), store.index(IndexName.gatewayServices))
        }
    }

    func topics(in store: Store, _ options: QueryOptions) -> [WatchTopic] {
        switch self {
        case .nodes: return [.table(.nodes)]
        case .serviceList: return [.table(.services)]
        case .services: return options.nodeMetaFilters.isEmpty ? [.table(.services)] : [.table(.services), .table(.nodes)]
        case .serviceNodes(let service, _, let connect):
            let exists = store.hasInstances(service, connect: connect)
            return store.serviceTopics(service, connect: connect, exists: exists, checks: false)
        case .serviceByAddress: return [.table(.services), .table(.nodes)]
        case .nodeServices(let name), .nodeServiceList(let name):
            let key = TableKey.of(store.findNode(name)?.value.node ?? name)
            return [.node(key), .nodeServices(key)]
        case .gatewayServices: return [.table(.gatewayServices)]
        }
    }

    func authorize(_ authorizer: Authorizer, _ result: inout QueryResult) throws(Denied) {
        if case .gatewayServices(let gateway) = self { try authorizer.require(.serviceRead(gateway)) }
        switch result {
        case .nodes(var nodes):
            authorizer.filter(&nodes) { authorizer.sees($0.value) }
            result = .nodes(nodes)
        case .services(let services): result = .services(services.filter { authorizer.sees(service: $0) })
        case .serviceList(var names):
            authorizer.filter(&names) { authorizer.sees(service: $0) }
            result = .serviceList(names)
        case .serviceNodes(var rows):
            if case .serviceNodes(let service, _, connect: true) = self, !authorizer.sees(service: service) { rows = [] }
            authorizer.filter(&rows) { authorizer.sees($0.service.value) }
            result = .serviceNodes(rows)
        case .nodeServices(let found):
            guard var found, authorizer.sees(found.node.value) else {
                result = .nodeServices(nil)
                return
            }
            authorizer.filter(&found.services) { authorizer.sees(service: $0.value.service.service) }
            result = .nodeServices(found)
        case .gatewayServices(var services):
            authorizer.filter(&services) { row in
                if case .string(let name)? = row["Service"] { authorizer.sees(service: name) } else { false }
            }
            result = .gatewayServices(services)
        default: throw Denied()
        }
    }

    // MARK: Answers

    func encodeReply(_ result: QueryResult, _ meta: QueryMeta) -> [UInt8] {
        var reply = ReplyWriter(meta)
        switch result {
        case .nodes(let nodes):
            reply.key("Nodes")
            reply.rows(nodes)
        case .services(let list):
            let services = Array(list)
            reply.key("Services")
            reply.writer.mapHeader(services.count)
            for (name, tags) in services {
                reply.writer.string(name)
                reply.writer.strings(tags)
            }
        case .serviceList(let names):
            reply.key("Services")
            reply.list(names) { name, writer in
                writer.mapHeader(1)
                writer.field("Name", name)
            }
        case .serviceNodes(let rows):
            reply.key("ServiceNodes")
            reply.list(rows) { row, writer in writer.serviceNode(row.node.value, row.service.value) }
        case .nodeServices(let found):
            reply.key("NodeServices")
            if case .nodeServiceList = self {
                reply.writer.nodeServiceList(found)
            } else {
                reply.writer.nodeServices(found)
            }
        case .gatewayServices(let services):
            reply.key("Services")
            reply.list(services) { $1.dynamic($0) }
        default: preconditionFailure("no result of a read of the catalog")
        }
        return reply.finish()
    }

    var emptyResult: QueryResult {
        switch self {
        case .nodes: .nodes([])
        case .services: .services(ServiceList())
        case .serviceList: .serviceList([])
        case .serviceNodes, .serviceByAddress: .serviceNodes([])
        case .nodeServices, .nodeServiceList: .nodeServices(nil)
        case .gatewayServices: .gatewayServices([])
        }
    }

    func readReply(
        _ name: MessagePackKey, _ reader: inout MessagePackReader, _ result: inout QueryResult
    ) throws(MessagePackError) -> Bool {
        switch (self, name) {
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
        default: return false
        }
        return true
    }

    private static func services(from reader: inout MessagePackReader) throws(MessagePackError) -> ServiceList {
        var services: [(name: String, tags: [String])] = []
        for _ in 0..<(try reader.mapHeader() ?? 0) {
            let name = try reader.string()
            services.append((name, try reader.strings() ?? []))
        }
        return ServiceList(told: services)
    }
}

extension Node {
    /// Whether the metadata holds every one of these pairs.
    func satisfies(_ filters: StringMap) -> Bool { filters.allSatisfy { meta?[$0.key] == $0.value } }
}
