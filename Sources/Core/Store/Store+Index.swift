/// Names of entries in the `index` table (behaviour §1.2).
enum IndexName {
    static let nodes: ByteString = "nodes"
    static let services: ByteString = "services"
    static let checks: ByteString = "checks"
    static let kvs: ByteString = "kvs"
    static let tombstones: ByteString = "tombstones"
    static let sessions: ByteString = "sessions"
    static let coordinates: ByteString = "coordinates"
    static let gatewayServices: ByteString = "gateway-services"
    static let lastExtinction: ByteString = "service_last_extinction"
    static let preparedQueries: ByteString = "prepared-queries"

    /// `service.<name>`; names that differ only in case share one entry.
    static func service(_ name: String) -> ByteString {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + name.utf8.count)
        bytes.append(text: "service." as StaticString)
        TableKey.appendLowerCased(name, to: &bytes)
        return ByteString(bytes)
    }

    static func serviceKind(_ kind: String) -> ByteString {
        if kind.isEmpty { return typicalKind }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(13 + kind.utf8.count)
        bytes.append(text: "service_kind." as StaticString)
        TableKey.appendLowerCased(kind, to: &bytes)
        return ByteString(bytes)
    }
    private static let typicalKind: ByteString = "service_kind.typical"
}

extension Store {
    /// The value of an index entry, 0 if there is none.
    func index(_ name: ByteString) -> UInt64 { indexes[name] ?? 0 }

    /// Entries only grow.
    mutating func raise(_ name: ByteString, to index: UInt64) {
        if indexes.modify(name, { $0 = max($0, index) }) == nil { indexes[name] = index }
    }

    mutating func raiseService(_ instance: ServiceInstance, to index: UInt64, _ changes: inout ChangeSet) {
        raise(IndexName.service(instance.service.service), to: index)
        raise(IndexName.serviceKind(instance.service.kind), to: index)
        changes.add(.serviceIndex(TableKey.of(instance.service.service)))
    }

    /// Health answers show the node and its checks beside each of its services.
    mutating func raiseAllServices(ofNode node: ByteString, to index: UInt64, _ changes: inout ChangeSet) {
        for instance in services.values(withPrefix: node) { raiseService(instance.value, to: index, &changes) }
    }

    var kvIndex: UInt64 { max(index(IndexName.kvs), index(IndexName.tombstones)) }

    /// Of the whole catalog, with or without the checks.
    func catalogIndex(checks: Bool) -> UInt64 {
        let index = max(index(IndexName.nodes), index(IndexName.services))
        return checks ? max(index, self.index(IndexName.checks)) : index
    }

    /// What a query for a service's instances reports (behaviour §1.4): the service's own entry, or when it has no instances the last
    /// extinction of any service, so that the index never goes backwards while the service comes and goes.
    func serviceIndex(_ name: String, exists: Bool, checks: Bool) -> UInt64 {
        if !exists, let extinction = indexes[IndexName.lastExtinction] { return extinction }
        return indexes[IndexName.service(name)] ?? catalogIndex(checks: checks)
    }
}
