import Testing

@testable import Core

@Suite struct StorePropertyTests {
    /// What the look-up tables must hold, derived from the primary ones.
    private static func expectConsistent(_ store: Store) {
        #expect(store.nodesByID.count == store.nodes.filter { !$0.value.value.id.isEmpty }.count)
        for (_, row) in store.nodesByID { #expect(store.nodes[TableKey.of(row.value.node)] === row) }
        #expect(store.servicesByName.count == store.services.count)
        for (_, row) in store.servicesByName {
            #expect(store.services[TableKey.of(row.value.node, row.value.service.id)] === row)
            #expect(store.nodes.contains(TableKey.of(row.value.node)))
            #expect(store.indexes.contains(IndexName.service(row.value.service.service)))
        }
        expectListed(store)
        #expect(store.servicesByConnect.count == store.services.filter { $0.value.value.service.connectTarget != nil }.count)
        for (_, row) in store.servicesByConnect { #expect(store.services[TableKey.of(row.value.node, row.value.service.id)] === row) }
        #expect(store.checksByStatus.count == store.checks.count && store.checksByInstance.count == store.checks.count)
        for table in [store.checksByStatus, store.checksByInstance, store.checksByServiceName] {
            for (_, row) in table { #expect(store.checks[TableKey.of(row.value.node, row.value.checkID)] === row) }
        }
        #expect(store.checksByServiceName.count == store.checks.filter { !$0.value.value.serviceName.isEmpty }.count)
        #expect(store.kvsBySession.count == store.kvs.filter { !$0.value.session.isEmpty }.count)
        for (key, index) in store.tombstones { #expect(store.tombstonesByIndex[index]?.contains(key) == true) }
        #expect(store.sessionsByNode.count == store.sessions.count)
        for (key, row) in store.sessions {
            #expect(store.nodes.contains(TableKey.of(row.value.node)))
            for id in row.value.checkIDs {
                #expect(store.checks[TableKey.of(row.value.node, id)]?.value.status != CheckStatus.critical)
                #expect(store.sessionChecks.contains(TableKey.join(TableKey.of(row.value.node, id), key)))
            }
        }
        for (_, entry) in store.kvs where !entry.session.isEmpty { #expect(store.sessions.contains(Store.sessionKey(entry.session)!)) }
    }

    private static func expectListed(_ store: Store) {
        var listed = ServiceTags()
        for (_, row) in store.services { listed.replace(nil, with: row.value.service) }
        func lines(_ list: ServiceList) -> [String] { list.map { "\($0.name): \($0.tags)" } }
        #expect(lines(store.serviceTags.list) == lines(listed.list))
        var emptied = store.serviceTags
        for (_, row) in store.services { emptied.replace(row.value.service, with: nil) }
        #expect(emptied.isEmpty)
    }

    @Test(arguments: 0..<25)
    func `tables agree, failures leave no trace, copies stay what they were`(seed: UInt64) {
        var commands = RandomCommands(seed: 1_000 + seed)
        var h = Harness()
        var copies: [(Store, UInt64)] = []
        for step in 0..<250 {
            let before = h.store.digest
            let result = h.apply(commands.command())
            switch result {
            case .error: #expect(h.store.digest == before && h.changes.isEmpty)
            case .txn(let response) where !response.errors.isEmpty: #expect(h.store.digest == before && h.changes.isEmpty)
            default: if h.store.lastIndex == h.index { #expect(!h.changes.topics.isEmpty) }
            }
            if step % 50 == 0 { copies.append((h.store, h.store.digest)) }
        }
        Self.expectConsistent(h.store)
        for (copy, digest) in copies { #expect(copy.digest == digest) }
    }

    @Test(arguments: 0..<15)
    func `a restored snapshot goes on exactly like the original`(seed: UInt64) throws {
        var commands = RandomCommands(seed: 2_000 + seed)
        var h = Harness()
        for _ in 0..<150 { h.apply(commands.command()) }
        var restored = h
        var random = Random(seed: seed)
        restored.store = try restore(h.store) { Int.random(in: 1...300, using: &random) }
        #expect(restored.store.digest == h.store.digest)
        Self.expectConsistent(restored.store)
        for _ in 0..<100 {
            let command = commands.command()
            #expect(h.apply(command) == restored.apply(command))
            let query = commands.query()
            #expect(h.index(query) == restored.index(query))
        }
        #expect(restored.store.digest == h.store.digest)
        Self.expectConsistent(restored.store)
    }
}

/// Encodes and decodes a store in pieces of the given sizes.
func restore(_ store: Store, pieces: () -> Int) throws -> Store {
    var encoder = SnapshotEncoder(store)
    var decoder = SnapshotDecoder()
    while true {
        let size = pieces()
        guard let bytes = encoder.next(maxBytes: size) else { break }
        #expect(bytes.count <= size)
        try decoder.feed(bytes)
    }
    return try decoder.finish()
}
