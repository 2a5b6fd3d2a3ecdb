/// Builds a store from the bytes of a snapshot's `state.bin`, which come in pieces cut anywhere (rpc-raft-wire §8.2).
///
/// Every record is checked as it comes; the first damaged one ends the decoding with an error that names its offset. Holds no more of the
/// input than one record.
public struct SnapshotDecoder: Sendable {
    /// The largest record: a chunked command of a few hundred megabytes is beyond reason.
    static let recordBytesMax = 256 << 20

    private var store = Store()
    private var pending: [UInt8] = []
    /// Where `pending` begins in the file.
    private var offset = 0
    private var lastIndex: UInt64?
    private var hasIndexes = false
    private var failure: TextError?

    public init() {}

    /// Takes in the next bytes of the file.
    public mutating func feed(_ bytes: some Collection<UInt8>) throws(TextError) {
        if let failure { throw failure }
        pending.append(contentsOf: bytes)
        do { try readRecords() } catch {
            failure = error
            pending = []
            throw error
        }
    }

    /// The store, once the whole file has been fed.
    public consuming func finish() throws(TextError) -> Store {
        if let failure { throw failure }
        guard lastIndex != nil else { throw TextError("damaged snapshot: no header") }
        guard pending.isEmpty else { throw TextError("damaged snapshot: ends within a record at offset \(offset)") }
        if !hasIndexes { store.rebuildIndexes() }
        return store
    }

    private mutating func readRecords() throws(TextError) {
        // Taken out of the struct so that reading it does not copy it.
        let bytes = pending
        pending = []
        var reader = MessagePackReader(bytes)
        while !reader.isAtEnd {
            let start = reader.position
            guard try readRecord(&reader) else {
                if bytes.count - start > Self.recordBytesMax { throw damage(start, "record is too large") }
                pending = Array(bytes[start...])
                offset += start
                return
            }
        }
        offset += bytes.count
    }

    private func damage(_ position: Int, _ text: String) -> TextError {
        TextError("damaged snapshot at offset \(offset + position): \(text)")
    }

    /// Whether a whole record was there.
    private mutating func readRecord(_ reader: inout MessagePackReader) throws(TextError) -> Bool {
        let start = reader.position
        var ahead = reader
        var type: UInt8?
        if lastIndex != nil {
            type = ahead.rest.first
            ahead = MessagePackReader(ahead.rest.dropFirst())
        }
        let body: ArraySlice<UInt8>
        do { body = try ahead.encodedValue() } catch .truncated { return false } catch { throw damage(start, error.text) }
        do {
            if let type { try restore(type, body) } else { try restoreHeader(body) }
        } catch let error as MessagePackError {
            throw damage(start, error.text)
        } catch let error as TextError {
            throw damage(start, error.text)
        } catch {
            throw damage(start, "unreadable record")
        }
        reader = ahead
        return true
    }

    private mutating func restoreHeader(_ body: ArraySlice<UInt8>) throws(MessagePackError) {
        let header = try EncodedStruct(body)
        guard header["LastIndex"] != nil else { throw .invalid("no header") }
        lastIndex = try header.uint("LastIndex")
    }

    private mutating func restore(_ type: UInt8, _ body: ArraySlice<UInt8>) throws {
        var reader = MessagePackReader(body)
        switch type {
        case 0: store.restore(try RegisterRequest(from: &reader), unindexed: lastIndex ?? 0)
        case 2:
            let row = try DirEntry(from: &reader)
            if row.key.isEmpty { throw TextError("entry without a key") }
            store.put(row.key, row.entry, replacing: planted(.heldKeysNotRestored) ? row.entry.session : store.kvs[row.key]?.session ?? "")
        case 3:
            let session = try Session(from: &reader)
            store.insert(Row(session), try Store.lookUpKey(session.id))
        case 5:
            let row = try DirEntry(from: &reader)
            store.putTombstone(row.key, row.entry.index.modify)
        case 6:
            for row in try NodeCoordinate.array(from: &reader) ?? [] { store.coordinates[TableKey.of(row.node, row.segment)] = Row(row) }
        case 16:
            let entry = try EncodedStruct(body)
            store.indexes[TableKey.lowerCased(try entry.text("Key"))] = try entry.uint("Value")
            hasIndexes = true
        case 29: try store.restoreChunks(try EncodedStruct(body))
        default:
            guard try store.restoreOpaque(type, body) else { throw TextError("Unrecognized msg type \(type)") }
        }
    }
}

extension Store {
    fileprivate mutating func restore(_ request: RegisterRequest, unindexed: UInt64) {
        let key = TableKey.of(request.node)
        if !nodes.contains(key) {
            var node = Node(request)
            // Old versions did not write the indexes of nodes.
            node.index = request.index.create == 0 ? RaftIndex(create: unindexed, modify: unindexed) : request.index
            if planted(.createIndexLost) { node.index.create = node.index.modify }
            insert(Row(node), key)
        }
        if let service = request.service {
            insert(Row(ServiceInstance(node: request.node, service: service)), TableKey.of(request.node, service.id))
        }
        for check in (request.check.map { [$0] } ?? []) + (request.checks ?? []) {
            insert(Row(check), TableKey.of(check.node, check.checkID))
        }
    }

    /// False for a type that does not exist.
    fileprivate mutating func restoreOpaque(_ type: UInt8, _ body: ArraySlice<UInt8>) throws -> Bool {
        switch type {
        case 4: try restore(.aclTokens, try LegacyACL.token(EncodedStruct(body)))
        case 11: indexes["acl-token-bootstrap"] = try EncodedStruct(body).index.modify
        case 22:
            let entry = try ConfigEntryEnvelope(body)
            let row = OpaqueRow(encoded: ConfigEntryEnvelope.encode(kind: entry.kind, entry.entry), index: try entry.entry.index)
            opaque[OpaqueTable.configEntries.fullKey(entry.key)] = row
        case 30: try restore(.federationStates, try EncodedStruct(body).nested("State"))
        default:
            guard let table = OpaqueTable(rawValue: type) else { return false }
            try restore(table, try EncodedStruct(body))
        }
        return true
    }

    private mutating func restore(_ table: OpaqueTable, _ row: EncodedStruct) throws(MessagePackError) {
        opaque[table.fullKey(try table.key(of: row))] = OpaqueRow(encoded: row.encoded, index: try row.index)
    }

    fileprivate mutating func restoreChunks(_ state: EncodedStruct) throws {
        var reader = MessagePackReader(state["ChunkMap"] ?? [0xC0])
        for _ in 0..<(try reader.mapHeader() ?? 0) {
            let operation = try reader.uint64()
            var pieces: [ChunkCollector.Piece?] = []
            for _ in 0..<(try reader.arrayHeader() ?? 0) {
                let piece = try EncodedStruct(try reader.encodedValue())
                if piece.members.isEmpty {
                    pieces.append(nil)
                    continue
                }
                var data = MessagePackReader(piece["Data"] ?? [0xC0])
                let term = try piece.uint("Term")
                pieces.append(ChunkCollector.Piece(data: try data.bytes(), term: term))
                chunks.term = max(chunks.term, term)
            }
            if pieces.count > ChunkCollector.piecesMax { throw TextError("too many chunks of a command") }
            chunks.operations[operation] = pieces
        }
    }

    /// For snapshots that hold none: every entry as high as its rows.
    fileprivate mutating func rebuildIndexes() {
        var ignored = ChangeSet()
        for (_, node) in nodes { raise(IndexName.nodes, to: node.value.index.modify) }
        for (_, instance) in services {
            raise(IndexName.services, to: instance.value.service.index.modify)
            raiseService(instance.value, to: instance.value.service.index.modify, &ignored)
        }
        for (_, check) in checks { raise(IndexName.checks, to: check.value.index.modify) }
        for (_, entry) in kvs { raise(IndexName.kvs, to: entry.index.modify) }
        for (_, index) in tombstones { raise(IndexName.tombstones, to: index) }
        for (_, session) in sessions { raise(IndexName.sessions, to: session.value.index.modify) }
        for (key, row) in opaque {
            guard let name = OpaqueTable(rawValue: key.bytes[0])?.indexName else { continue }
            raise(name, to: row.index.modify)
        }
    }
}
