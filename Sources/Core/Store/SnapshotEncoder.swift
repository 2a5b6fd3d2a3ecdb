/// Writes the state as `state.bin` of a snapshot, piece by piece: a header, then records of a type byte and a value, in the reference's
/// order (rpc-raft-wire §8.2).
///
/// Works on a copy of the store, which costs nothing, so the original goes on changing meanwhile. Equal states give equal bytes, whatever
/// their history.
public struct SnapshotEncoder: Sendable {
    private let store: Store
    private var writer = MessagePackWriter()
    /// How much of the writer's bytes has been handed out.
    private var handedOut = 0
    private var phase = Phase.header

    private enum Phase: Sendable {
        case header
        case nodes(PersistentMap<ByteString, Row<Node>>.Iterator)
        case services(Row<Node>, PersistentMap<ByteString, Row<ServiceInstance>>.Iterator, PersistentMap<ByteString, Row<Node>>.Iterator)
        case checks(Row<Node>, PersistentMap<ByteString, Row<HealthCheck>>.Iterator, PersistentMap<ByteString, Row<Node>>.Iterator)
        case opaque(Int, PersistentMap<ByteString, OpaqueRow>.Iterator)
        case coordinates(PersistentMap<ByteString, Row<NodeCoordinate>>.Iterator)
        case sessions(PersistentMap<ByteString, Row<Session>>.Iterator)
        case entries(KVTable.Iterator)
        case tombstones(TombstoneTable.Iterator)
        case indexes(PersistentMap<ByteString, UInt64>.Iterator)
        case done
    }

    /// Of tables between which the modelled ones stand: keys behind the fifth.
    private static let opaqueOrder: [OpaqueTable] = [
        .aclTokens, .aclPolicies, .aclRoles, .aclBindingRules, .aclAuthMethods, .preparedQueries, .autopilot, .intentions, .caRoots,
        .caProviderState, .caConfig, .configEntries, .federationStates,
    ]

    public init(_ store: Store) { self.store = store }

    /// The next bytes, at most `maxBytes` (at least one), fewer only at the end; nil when there are no more.
    public mutating func next(maxBytes: Int) -> [UInt8]? {
        let wanted = max(maxBytes, 1)
        writer.bytes.removeSubrange(..<handedOut)
        handedOut = 0
        while writer.bytes.count < wanted {
            if case .done = phase { break }
            step()
        }
        if writer.bytes.isEmpty { return nil }
        handedOut = min(wanted, writer.bytes.count)
        if handedOut == writer.bytes.count {
            defer {
                writer = MessagePackWriter()
                handedOut = 0
            }
            return writer.bytes
        }
        return Array(writer.bytes[..<handedOut])
    }

    /// Writes one record, or moves on.
    private mutating func step() {
        switch phase {
        case .header:
            writer.mapHeader(1)
            writer.field("LastIndex", store.lastIndex)
            phase = .nodes(store.nodes.makeIterator())
        case .nodes(var nodes):
            guard let (key, node) = nodes.next() else { return phase = .coordinates(store.coordinates.makeIterator()) }
            record(node, service: nil, check: nil)
            phase = .services(node, store.services.makeIterator(from: key), nodes)
        case .services(let node, var services, let nodes):
            if let (key, service) = services.next(), Self.isOf(node, key) {
                record(node, service: service.value.service, check: nil)
                phase = .services(node, services, nodes)
            } else {
                phase = .checks(node, store.checks.makeIterator(from: TableKey.of(node.value.node)), nodes)
            }
        case .checks(let node, var checks, let nodes):
            if let (key, check) = checks.next(), Self.isOf(node, key) {
                if !planted(.checksNotInSnapshot) { record(node, service: nil, check: check.value) }
                phase = .checks(node, checks, nodes)
            } else {
                phase = .nodes(nodes)
            }
        case .opaque(let at, var rows):
            let table = Self.opaqueOrder[at]
            guard let (key, row) = rows.next(), key.hasPrefix(table.prefix) else { return finishOpaque(table, at) }
            record(table, row)
            phase = .opaque(at, rows)
        default: stepTable()
        }
    }

    private mutating func stepTable() {
        switch phase {
        case .coordinates(var coordinates):
            guard let (_, row) = coordinates.next(), !planted(.coordinatesNotInSnapshot) else {
                return phase = .sessions(store.sessions.makeIterator())
            }
            writer.bytes.append(6)
            writer.arrayHeader(1)
            row.value.encode(into: &writer)
            phase = .coordinates(coordinates)
        case .sessions(var sessions):
            guard let (_, session) = sessions.next(), !planted(.sessionsNotInSnapshot) else { return startOpaque(0) }
            writer.bytes.append(3)
            session.value.encode(into: &writer)
            phase = .sessions(sessions)
        case .entries(var entries):
            guard let (key, entry) = entries.next(), !planted(.lastEntryNotInSnapshot) || key != store.kvs.last?.key else {
                return phase = .tombstones(store.tombstones.makeIterator())
            }
            writer.bytes.append(2)
            DirEntry.encode(key, entry, into: &writer)
            phase = .entries(entries)
        case .tombstones(var tombstones):
            guard let (key, index) = tombstones.next(), !planted(.tombstonesNotInSnapshot) else { return startOpaque(5) }
            var entry = KVEntry()
            entry.index.modify = index
            writer.bytes.append(5)
            DirEntry.encode(key, entry, into: &writer)
            phase = .tombstones(tombstones)
        case .indexes(var indexes):
            guard let (name, value) = indexes.next(), !planted(.indexesNotInSnapshot) else {
                recordChunks()
                return phase = .done
            }
            writer.bytes.append(16)
            writer.mapHeader(2)
            writer.field("Key", name)
            writer.field("Value", value)
            phase = .indexes(indexes)
        default: preconditionFailure("every phase of a snapshot has a step")
        }
    }

    private static func isOf(_ node: Row<Node>, _ key: ByteString) -> Bool { key.hasPrefix(TableKey.of(node.value.node)) }

    private mutating func startOpaque(_ at: Int) { phase = .opaque(at, store.opaque.makeIterator(from: Self.opaqueOrder[at].prefix)) }

    private mutating func finishOpaque(_ table: OpaqueTable, _ at: Int) {
        switch table {
        case .aclAuthMethods: phase = .entries(store.kvs.makeIterator())
        case .federationStates: phase = .indexes(store.indexes.makeIterator())
        default: startOpaque(at + 1)
        }
    }

    /// A registration of a node, with at most one service or check of its own.
    private mutating func record(_ node: Row<Node>, service: NodeService?, check: HealthCheck?) {
        let node = node.value
        writer.bytes.append(0)
        writer.mapHeader(13)
        writer.field("Address", node.address)
        writer.field("Check", check)
        writer.nullField("Checks")
        writer.field("CreateIndex", node.index.create)
        writer.field("Datacenter", node.datacenter)
        writer.field("ID", node.id)
        writer.field("ModifyIndex", node.index.modify)
        writer.field("Node", node.node)
        writer.field("NodeMeta", planted(.nodeMetaNotEncoded) ? nil : node.meta)
        writer.field("Service", service)
        writer.field("SkipNodeUpdate", false)
        writer.field("TaggedAddresses", node.taggedAddresses)
        writer.field("Token", "")
    }

    private mutating func record(_ table: OpaqueTable, _ row: OpaqueRow) {
        writer.bytes.append(table.rawValue)
        switch table {
        case .federationStates:
            writer.mapHeader(4)
            writer.field("Datacenter", "")
            writer.field("Op", "upsert")
            writer.key("State")
            writer.encoded(row.encoded)
            writer.field("Token", "")
        default: writer.encoded(row.encoded)
        }
    }

    private mutating func recordChunks() {
        writer.bytes.append(29)
        writer.mapHeader(1)
        writer.key("ChunkMap")
        let operations = planted(.chunksNotInSnapshot) ? PersistentMap<UInt64, [ChunkCollector.Piece?]>() : store.chunks.operations
        writer.mapHeader(operations.count)
        for (operation, pieces) in operations {
            writer.uint(operation)
            writer.arrayHeader(pieces.count)
            for (sequence, piece) in pieces.enumerated() {
                guard let piece else {
                    writer.null()
                    continue
                }
                writer.mapHeader(5)
                writer.field("Data", piece.data)
                writer.field("NumChunks", pieces.count)
                writer.field("OpNum", operation)
                writer.field("SequenceNum", sequence)
                writer.field("Term", piece.term)
            }
        }
    }
}

extension Store {
    /// The highest index of any table: what a snapshot's header says.
    public var lastIndex: UInt64 {
        let names: [ByteString] = [
            IndexName.nodes, IndexName.services, IndexName.checks, IndexName.kvs, IndexName.tombstones, IndexName.sessions,
            IndexName.gatewayServices, IndexName.coordinates,
        ]
        let opaque = SnapshotTables.opaque.compactMap(\.indexName)
        return (names + opaque).map(index).max() ?? 0
    }

    /// A number that equal states share and others hardly ever do: FNV-1a over the snapshot. O(size of the state).
    public var digest: UInt64 {
        var encoder = SnapshotEncoder(self)
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        while let bytes = encoder.next(maxBytes: 65_536) {
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        }
        return hash
    }
}

private enum SnapshotTables {
    static let opaque: [OpaqueTable] = [
        .preparedQueries, .intentions, .caRoots, .caProviderState, .aclTokens, .aclPolicies, .aclRoles, .aclBindingRules,
        .aclAuthMethods, .configEntries, .federationStates,
    ]
}
