/// Reads of checks, and of services with their health. Spec: http-1 §6, rpc-raft-wire §4.
public enum HealthQuery: Hashable, Sendable {
    case nodeChecks(node: String)
    case serviceChecks(service: String)
    case checksInState(state: String)
    case serviceNodes(service: String, tags: [String], connect: Bool, ingress: Bool)
}

extension HealthQuery: QueryFamily {
    enum Method: String, CallMethod {
        case nodeChecks = "Health.NodeChecks"
        case serviceChecks = "Health.ServiceChecks"
        case checksInState = "Health.ChecksInState"
        case serviceNodes = "Health.ServiceNodes"
    }

    var method: Method {
        switch self {
        case .nodeChecks: .nodeChecks
        case .serviceChecks: .serviceChecks
        case .checksInState: .checksInState
        case .serviceNodes: .serviceNodes
        }
    }

    private struct StateFields: WireFields {
        var options = QueryOptions()
        var state = ""

        mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
            switch name {
            case "State": state = try reader.string()
            default: return try options.read(name, from: &reader)
            }
            return true
        }
    }

    static func decode(_ method: Method, _ reader: inout MessagePackReader) throws(MessagePackError) -> (HealthQuery, QueryOptions) {
        switch method {
        case .nodeChecks:
            let fields = try NodeFields(from: &reader)
            return (.nodeChecks(node: fields.node), fields.options)
        case .serviceChecks:
            let fields = try ServiceFields(from: &reader)
            return (.serviceChecks(service: fields.name), fields.options)
        case .checksInState:
            let fields = try StateFields(from: &reader)
            return (.checksInState(state: fields.state), fields.options)
        case .serviceNodes:
            let fields = try ServiceFields(from: &reader)
            let query = HealthQuery.serviceNodes(
                service: fields.name, tags: fields.tags, connect: fields.connect, ingress: fields.ingress)
            return (query, fields.options)
        }
    }

    func encode(_ options: QueryOptions) -> [UInt8] {
        switch self {
        case .nodeChecks(let node): return options.encodeNode(node)
        case .serviceChecks(let service): return options.encodeService(service)
        case .checksInState(let state):
            var writer = QueryWriter(options, fields: 4)
            writer.datacenter()
            writer.metaFilters()
            writer.source()
            writer.field("State", state)
            return writer.finish()
        case .serviceNodes(let service, let tags, let connect, let ingress):
            return options.encodeService(service, tags: tags, connect: connect, ingress: ingress)
        }
    }

    var problem: String? {
        if case .serviceNodes(service: "", _, _, _) = self { "Must provide service name" } else { nil }
    }

    var canWait: Bool { true }

    func evaluate(_ store: Store, _ options: QueryOptions) throws(TextError) -> (result: QueryResult, index: UInt64) {
        let meta = options.nodeMetaFilters, index = store.index(IndexName.checks)
        switch self {
        case .nodeChecks(let node): return (.checks(store.checks.values(withPrefix: TableKey.of(node))), index)
        case .serviceChecks(let service):
            let found = store.checksByServiceName.values(withPrefix: TableKey.of(service))
            if meta.isEmpty { return (.checks(found), index) }
            return (.checks(found.filter { store.satisfies($0, meta) }), store.serviceIndex(service, exists: true, checks: true))
        case .checksInState(let state):
            let found = state == "any" ? store.checks.map(\.value) : store.checksByStatus.values(withPrefix: TableKey.ofStatus(state))
            return (.checks(meta.isEmpty ? found : found.filter { store.satisfies($0, meta) }), index)
        case .serviceNodes(let service, let tags, let connect, let ingress):
            return store.healthServiceNodes(service, tags, connect: connect, ingress: ingress, meta)
        }
    }

    func topics(in store: Store, _ options: QueryOptions) -> [WatchTopic] {
        switch self {
        case .nodeChecks(let node): return [.nodeChecks(TableKey.of(node))]
        case .serviceChecks(let service):
            let key = TableKey.of(service)
            let byMeta = !options.nodeMetaFilters.isEmpty
            return byMeta ? [.serviceChecks(key), .serviceIndex(key), .table(.nodes)] : [.serviceChecks(key)]
        case .checksInState(let state): return [state == "any" ? .table(.checks) : .checksInState(TableKey.ofStatus(state))]
        case .serviceNodes(let service, let tags, let connect, let ingress):
            return store.healthTopics(service, tags, connect: connect, ingress: ingress)
        }
    }

    func authorize(_ authorizer: Authorizer, _ result: inout QueryResult) throws(Denied) {
        switch (self, result) {
        case (_, .checks(var checks)):
            authorizer.filter(&checks) { authorizer.sees($0.value) }
            result = .checks(checks)
        case (.serviceNodes(let service, _, let connect, let ingress), .healthNodes(var rows)):
            if connect || ingress, !authorizer.sees(service: service) { rows = [] }
            authorizer.filter(&rows)
            result = .healthNodes(rows)
        default: throw Denied()
        }
    }

    func encodeReply(_ result: QueryResult, _ meta: QueryMeta) -> [UInt8] {
        var reply = ReplyWriter(meta)
        switch result {
        case .checks(let checks):
            reply.key("HealthChecks")
            reply.rows(checks)
        case .healthNodes(let rows):
            reply.key("Nodes")
            reply.list(rows) { $1.checkServiceNode($0) }
        default: preconditionFailure("no result of a read of checks")
        }
        return reply.finish()
    }

    var emptyResult: QueryResult { if case .serviceNodes = self { .healthNodes([]) } else { .checks([]) } }

    func readReply(
        _ name: MessagePackKey, _ reader: inout MessagePackReader, _ result: inout QueryResult
    ) throws(MessagePackError) -> Bool {
        switch (self, name) {
        case (.nodeChecks, "HealthChecks"), (.serviceChecks, "HealthChecks"), (.checksInState, "HealthChecks"):
            result = .checks(try HealthCheck.array(from: &reader)?.map { Row($0) } ?? [])
        case (.serviceNodes, "Nodes"): result = .healthNodes(try CheckServiceNodeReply.array(from: &reader)?.map(\.result) ?? [])
        default: return false
        }
        return true
    }
}

extension Store {
    fileprivate func satisfies(_ check: Row<HealthCheck>, _ meta: StringMap) -> Bool {
        node(check.value.node)?.value.satisfies(meta) ?? false
    }
}
