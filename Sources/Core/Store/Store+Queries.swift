/// Why a read has no answer: the text goes to the client verbatim.
public struct QueryError: Error, Hashable, Sendable {
    public var text: String
    public init(_ text: String) { self.text = text }
}

// Reading. Spec: behaviour §1.4 (indexes, watches), http-1 §5-7, http-2 §5.
extension Store {
    /// What a query finds, in the order of the answer, and the index that it reports.
    ///
    /// Applies tags, `nodeMetaFilters` and `sourceNode`; filter expressions and access control are the caller's. The index is at least 1,
    /// except that of a transaction, which is 0 and never blocks.
    public func evaluate(_ query: ReadQuery, options: QueryOptions) -> Result<(result: QueryResult, index: UInt64), QueryError> {
        if case .txnRead(let ops) = query { return .success((.txn(readTxn(ops)), 0)) }
        do {
            var (result, index) = try find(query, options.nodeMetaFilters)
            if !options.sourceNode.isEmpty { result = sorted(result, byDistanceFrom: options.sourceNode) }
            return .success((result, max(index, 1)))
        } catch {
            return .failure(QueryError(error.text))
        }
    }

    private func find(_ query: ReadQuery, _ meta: StringMap) throws(GoError) -> (QueryResult, UInt64) {
        switch query {
        case .kvGet(let key):
            guard let entry = kvs[key] else { return (.entries([]), kvIndex) }
            return (.entries([DirEntry(key: key, entry: entry)]), entry.index.modify)
        case .kvList(let prefix):
            let (entries, index) = list(prefix)
            return (.entries(entries), index)
        case .kvKeys(let prefix, let separator):
            let (keys, index) = keys(prefix, separator: separator)
            return (.keys(keys), index)
        case .sessionGet(let id): return (.sessions(try session(id).map { [$0] } ?? []), index(IndexName.sessions))
        case .sessionList: return (.sessions(sessions.map(\.value)), index(IndexName.sessions))
        case .nodeSessions(let node): return (.sessions(sessionsByNode.values(withPrefix: TableKey.of(node))), index(IndexName.sessions))
        case .nodes:
            let found = nodes.map(\.value)
            return (.nodes(meta.isEmpty ? found : found.filter { $0.value.satisfies(meta) }), index(IndexName.nodes))
        case .services: return listServices(meta)
        case .serviceList:
            guard case (.services(let found), let index) = listServices([:]) else { preconditionFailure("services are listed") }
            return (.serviceList(found.map(\.name)), index)
        case .serviceNodes(let service, let tags, let connect): return serviceNodes(service, tags, connect: connect, meta)
        case .nodeServices(let name), .nodeServiceList(let name):
            guard let node = findNode(name) else { return (.nodeServices(nil), 0) }
            let services = services.values(withPrefix: TableKey.of(node.value.node))
            return (.nodeServices((node, services)), catalogIndex(checks: false))
        // Config entries are kept, not interpreted: no gateway has services yet.
        case .gatewayServices: return (.gatewayServices([]), index(IndexName.gatewayServices))
        case .nodeChecks(let node): return (.checks(checks.values(withPrefix: TableKey.of(node))), index(IndexName.checks))
        case .serviceChecks(let service):
            let found = checksByServiceName.values(withPrefix: TableKey.of(service))
            if meta.isEmpty { return (.checks(found), index(IndexName.checks)) }
            return (.checks(found.filter { satisfies($0, meta) }), serviceIndex(service, exists: true, checks: true))
        case .checksInState(let state):
            let found = state == "any" ? checks.map(\.value) : checksByStatus.values(withPrefix: TableKey.ofStatus(state))
            return (.checks(meta.isEmpty ? found : found.filter { satisfies($0, meta) }), index(IndexName.checks))
        case .healthServiceNodes(let service, let tags, let connect, let ingress):
            return healthServiceNodes(service, tags, connect: connect, ingress: ingress, meta)
        case .nodeDump(let name): return (.nodeDump(dump(name)), catalogIndex(checks: true))
        case .serviceByAddress(let address): return serviceByAddress(address)
        case .serviceDump(let kind): return (.healthNodes(dumpServices(kind)), serviceDumpIndex(kind))
        case .coordinates: return (.coordinates(coordinates.map(\.value)), index(IndexName.coordinates))
        case .nodeCoordinates(let node): return (.coordinates(coordinates(ofNode: node)), index(IndexName.coordinates))
        case .autopilotConfiguration:
            guard let configuration = autopilot else { throw GoError("autopilot config not initialized yet") }
            return (.autopilot(configuration), configuration.index.modify)
        case .txnRead(let ops): return (.txn(readTxn(ops)), 0)
        }
    }

    private func satisfies(_ check: Row<HealthCheck>, _ meta: StringMap) -> Bool {
        node(check.value.node)?.value.satisfies(meta) ?? false
    }

    /// By name, or else by the beginning of its ID.
    func findNode(_ name: String) -> Row<Node>? { node(name) ?? node(idPrefix: name) }

    private func dump(_ name: String?) -> [NodeDump] {
        let found: [Row<Node>] = if let name { node(name).map { [$0] } ?? [] } else { nodes.map(\.value) }
        return found.map { node in
            let key = TableKey.of(node.value.node)
            return NodeDump(node: node, services: services.values(withPrefix: key), checks: checks.values(withPrefix: key))
        }
    }

    /// What a blocked query waits for. Every change that can raise the index it reports touches one of these, with the exceptions that the
    /// reference makes: a row that is absent or belongs to one node waits for just that, although what it reports is the table's index.
    public func topics(of query: ReadQuery, options: QueryOptions) -> [WatchTopic] {
        let byMeta = !options.nodeMetaFilters.isEmpty
        switch query {
        case .kvGet(let key): return [.kvKey(key)]
        case .kvList(let prefix), .kvKeys(let prefix, _): return [.kvPrefix(prefix)]
        case .sessionGet(let id): return Self.sessionKey(id).map { [.session($0)] } ?? []
        case .sessionList: return [.table(.sessions)]
        case .nodeSessions(let node): return [.nodeSessions(TableKey.of(node))]
        case .nodes: return [.table(.nodes)]
        case .serviceList: return [.table(.services)]
        case .services: return byMeta ? [.table(.services), .table(.nodes)] : [.table(.services)]
        case .serviceNodes(let service, _, let connect):
            return serviceTopics(service, connect: connect, exists: hasInstances(service, connect: connect), checks: false)
        case .nodeServices(let name), .nodeServiceList(let name):
            let key = TableKey.of(findNode(name)?.value.node ?? name)
            return [.node(key), .nodeServices(key)]
        case .gatewayServices: return [.table(.gatewayServices)]
        case .nodeChecks(let node): return [.nodeChecks(TableKey.of(node))]
        case .serviceChecks(let service):
            let key = TableKey.of(service)
            return byMeta ? [.serviceChecks(key), .serviceIndex(key), .table(.nodes)] : [.serviceChecks(key)]
        case .checksInState(let state): return [state == "any" ? .table(.checks) : .checksInState(TableKey.ofStatus(state))]
        case .healthServiceNodes(let service, let tags, let connect, let ingress):
            return healthTopics(service, tags, connect: connect, ingress: ingress)
        case .nodeDump(nil): return [.table(.nodes), .table(.services), .table(.checks)]
        case .nodeDump(let name?):
            let key = TableKey.of(name)
            return [.node(key), .nodeServices(key), .nodeChecks(key)]
        case .serviceByAddress: return [.table(.services), .table(.nodes)]
        case .serviceDump: return [.table(.nodes), .table(.services), .table(.checks)]
        case .coordinates, .nodeCoordinates: return [.table(.coordinates)]
        case .autopilotConfiguration: return [.table(.autopilot)]
        case .txnRead: return []
        }
    }
}

extension Node {
    /// Whether the metadata holds every one of these pairs.
    func satisfies(_ filters: StringMap) -> Bool { filters.allSatisfy { meta?[$0.key] == $0.value } }
}
