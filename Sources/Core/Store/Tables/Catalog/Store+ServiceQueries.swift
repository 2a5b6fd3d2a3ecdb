// Reading services and their health. Spec: behaviour §1.4, http-1 §5.5-5.6, §6.4.
extension Store {
    /// O(1), or with `meta` a walk through all instances.
    func listServices(_ meta: StringMap) -> (services: ServiceList, index: UInt64) {
        if meta.isEmpty { return (serviceTags.list, index(IndexName.services)) }
        var found = ServiceList()
        servicesByName.scan(from: ByteString([])) { _, row in
            if node(row.value.node)?.value.satisfies(meta) == true { found.insert(row.value.service.service, row.value.service.tags ?? []) }
            return true
        }
        return (found, catalogIndex(checks: false))
    }

    private func instances(_ service: String, connect: Bool) -> [Row<ServiceInstance>] {
        (connect ? servicesByConnect : servicesByName).values(withPrefix: TableKey.of(service))
    }

    func hasInstances(_ service: String, connect: Bool) -> Bool {
        (connect ? servicesByConnect : servicesByName).first(withPrefix: TableKey.of(service)) != nil
    }

    func serviceNodes(_ service: String, _ tags: [String], connect: Bool, _ meta: StringMap) -> (QueryResult, UInt64) {
        let found = instances(service, connect: connect)
        let index = serviceIndex(service, exists: !found.isEmpty, checks: false)
        let wanted = connect ? [] : tags.map(TableKey.lowerCased)
        var result: [(node: Row<Node>, service: Row<ServiceInstance>)] = []
        result.reserveCapacity(found.count)
        for row in found where wanted.isEmpty || row.value.service.has(wanted) {
            guard let node = node(row.value.node), meta.isEmpty || node.value.satisfies(meta) else { continue }
            result.append((node, row))
        }
        return (.serviceNodes(result), index)
    }

    /// `connect` wins over tags, tags over `ingress` (http-1 §6.4).
    func healthServiceNodes(
        _ service: String, _ tags: [String], connect: Bool, ingress: Bool, _ meta: StringMap
    ) -> (QueryResult, UInt64) {
        // Config entries are kept, not interpreted: no ingress gateway exposes a service yet.
        if ingress && !connect && tags.isEmpty { return (.healthNodes([]), index(IndexName.gatewayServices)) }
        let found = instances(service, connect: connect)
        let wanted = connect ? [] : tags.map(TableKey.lowerCased)
        var result: [CheckServiceNode] = []
        result.reserveCapacity(found.count)
        for row in found where wanted.isEmpty || row.value.service.has(wanted) {
            let key = TableKey.of(row.value.node)
            guard let node = nodes[key], meta.isEmpty || node.value.satisfies(meta) else { continue }
            result.append(CheckServiceNode(node: node, service: row, checks: checks(node: key, ofService: row.value.service.id)))
        }
        return (.healthNodes(result), healthIndex(service, found, connect: connect))
    }

    /// Node-level checks first, then the instance's.
    private func checks(node: ByteString, ofService id: String) -> [Row<HealthCheck>] {
        var found: [Row<HealthCheck>] = []
        func add(_ key: ByteString, _ row: Row<HealthCheck>) -> Bool {
            found.append(row)
            return true
        }
        checksByInstance.scan(prefix: TableKey.join(node, Self.noService), add)
        checksByInstance.scan(prefix: TableKey.join(node, TableKey.of(id)), add)
        return found
    }
    private static let noService = TableKey.of("")

    /// The highest index of all the names that the instances go by: proxies have their own.
    private func healthIndex(_ service: String, _ found: [Row<ServiceInstance>], connect: Bool) -> UInt64 {
        guard connect, !found.isEmpty else { return serviceIndex(service, exists: !found.isEmpty, checks: true) }
        return names(of: found).map { serviceIndex($0, exists: true, checks: true) }.max() ?? 0
    }

    private func names(of instances: [Row<ServiceInstance>]) -> [String] {
        var names: [String] = []
        for row in instances where !names.contains(row.value.service.service) { names.append(row.value.service.service) }
        return names
    }

    func healthTopics(_ service: String, _ tags: [String], connect: Bool, ingress: Bool) -> [WatchTopic] {
        if ingress && !connect && tags.isEmpty { return [.table(.gatewayServices)] }
        let exists = hasInstances(service, connect: connect)
        guard connect && exists else { return serviceTopics(service, connect: connect, exists: exists, checks: true) }
        let names = names(of: instances(service, connect: true))
        return names.map { .serviceIndex(TableKey.of($0)) } + [.connect(TableKey.of(service))]
    }

    /// A service without instances appears by its own index entry, and its queries report the last extinction; before the first one ever,
    /// the whole catalog's index.
    func serviceTopics(_ service: String, connect: Bool, exists: Bool, checks: Bool) -> [WatchTopic] {
        var topics: [WatchTopic] = [.serviceIndex(TableKey.of(service))]
        if connect { topics.append(.connect(TableKey.of(service))) }
        let hasOwnIndex = indexes.contains(IndexName.service(service))
        if !exists { topics.append(.extinction) }
        if !hasOwnIndex && (exists || !indexes.contains(IndexName.lastExtinction)) {
            topics.append(.table(.nodes))
            topics.append(.table(.services))
            if checks { topics.append(.table(.checks)) }
        }
        return topics
    }

    /// By node, then service ID.
    func dumpServices(_ kind: String?) -> [CheckServiceNode] {
        var result: [CheckServiceNode] = []
        for (_, row) in services where kind == nil || row.value.service.kind == kind {
            let key = TableKey.of(row.value.node)
            guard let node = nodes[key] else { continue }
            result.append(CheckServiceNode(node: node, service: row, checks: checks(node: key, ofService: row.value.service.id)))
        }
        return result
    }

    func serviceDumpIndex(_ kind: String?) -> UInt64 {
        kind.map { index(IndexName.serviceKind($0)) } ?? catalogIndex(checks: true)
    }

    /// For reverse DNS questions: by the address of the instance or one of its tagged addresses. Reports no index.
    func serviceByAddress(_ address: String) -> (QueryResult, UInt64) {
        var result: [(node: Row<Node>, service: Row<ServiceInstance>)] = []
        for (_, row) in services {
            let service = row.value.service
            guard service.address == address || service.taggedAddresses?.contains(where: { $0.value.address == address }) == true else {
                continue
            }
            if let node = node(row.value.node) { result.append((node, row)) }
        }
        return (.serviceNodes(result), 0)
    }
}

extension NodeService {
    /// Whether the instance has all of these tags, which are in lower case.
    func has(_ wanted: [ByteString]) -> Bool {
        wanted.allSatisfy { wanted in (tags ?? []).contains { TableKey.lowerCased($0) == wanted } }
    }
}
