// The key/value table. Spec: behaviour §1.3, §1.8; http-2 §2, §4.
extension Store {
    mutating func applyKV(_ request: KVSRequest, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) -> ApplyResult {
        let key = request.dirEnt.key, entry = request.dirEnt.entry
        if key.isEmpty && request.op != .deleteTree { throw TextError("Must provide key") }
        switch request.op {
        case .set:
            setEntry(key, entry, keepingSession: true, index, &changes)
            return .none
        case .delete:
            deleteEntry(key, index, &changes)
            return .none
        case .deleteCAS: return .bool(deleteEntry(key, ifIndex: entry.index.modify, index, &changes))
        case .deleteTree:
            deleteTree(key, index, &changes)
            return .none
        case .cas: return .bool(setEntry(key, entry, ifIndex: entry.index.modify, index, &changes) != nil)
        case .lock: return .bool(try lock(key, entry, index, &changes) != nil)
        case .unlock: return .bool(try unlock(key, entry, index, &changes) != nil)
        case .unknown(let op): throw TextError("Invalid KVS operation '\(op)'")
        }
    }

    /// Writes an entry unless it is what the table holds already; returns it as it is stored then.
    @discardableResult
    mutating func setEntry(
        _ key: ByteString, _ entry: KVEntry, keepingSession: Bool, _ index: UInt64, _ changes: inout ChangeSet
    ) -> KVEntry {
        let existing = kvs[key]
        var entry = entry
        if keepingSession { entry.session = planted(.plainWriteUnlocks) ? "" : existing?.session ?? "" }
        entry.index = existing?.index ?? RaftIndex(create: index, modify: index)
        if planted(.flagsLost), let existing { entry.flags = existing.flags }
        if entry == existing { return entry }
        entry.index.modify = index
        put(key, entry, replacing: existing?.session ?? "")
        if !planted(.kvIndexNotRaised) { raise(IndexName.kvs, to: index) }
        if !planted(.kvKeyNotWoken) { changes.add(.kvKey(key)) }
        return entry
    }

    mutating func put(_ key: ByteString, _ entry: KVEntry, replacing session: String) {
        if entry.session != session {
            removeHeld(key, by: session)
            if let holder = Self.sessionKey(entry.session), !planted(.heldKeysNotKept) { kvsBySession[TableKey.join(holder, key)] = () }
        }
        kvs[key] = entry
    }

    private mutating func removeHeld(_ key: ByteString, by session: String) {
        guard let holder = Self.sessionKey(session) else { return }
        kvsBySession[TableKey.join(holder, key)] = nil
    }

    /// nil: the entry is not what the client believes. `ifIndex` 0 means absent.
    mutating func setEntry(
        _ key: ByteString, _ entry: KVEntry, ifIndex expected: UInt64, _ index: UInt64, _ changes: inout ChangeSet
    ) -> KVEntry? {
        guard
            (planted(.casComparesCreation) ? kvs[key]?.index.create ?? 0 : kvs[key]?.index.modify ?? 0) == expected
                || planted(.casIndexIgnored) && expected > 0 && kvs[key] != nil || planted(.casZeroMeansAny) && expected == 0
        else { return nil }
        return setEntry(key, entry, keepingSession: true, index, &changes)
    }

    mutating func deleteEntry(_ key: ByteString, _ index: UInt64, _ changes: inout ChangeSet) {
        guard let entry = kvs.removeValue(forKey: key) else { return }
        removeHeld(key, by: entry.session)
        raise(IndexName.kvs, to: index)
        if !planted(.noTombstone) { addTombstone(key, index, &changes) }
        if !planted(.kvDeleteNotWoken) { changes.add(.kvKey(key)) }
    }

    private mutating func addTombstone(_ key: ByteString, _ index: UInt64, _ changes: inout ChangeSet) {
        putTombstone(key, index)
        raise(IndexName.tombstones, to: index)
        changes.addTombstone(at: index)
    }

    mutating func putTombstone(_ key: ByteString, _ index: UInt64) {
        if tombstones.updateValue(index, forKey: key) == index { return }
        if tombstonesByIndex.modify(index, { $0.append(key) }) == nil { tombstonesByIndex[index] = [key] }
    }

    /// True also for an absent key.
    mutating func deleteEntry(_ key: ByteString, ifIndex expected: UInt64, _ index: UInt64, _ changes: inout ChangeSet) -> Bool {
        guard let entry = kvs[key] else { return true }
        guard entry.index.modify == expected || planted(.deleteCASIgnoresIndex) else { return false }
        deleteEntry(key, index, &changes)
        return true
    }

    /// One tombstone stands for the whole tree; none for the whole store, whose lists report the index of the table anyway.
    mutating func deleteTree(_ prefix: ByteString, _ index: UInt64, _ changes: inout ChangeSet) {
        var doomed: [(key: ByteString, session: String)] = []
        kvs.scan(prefix: prefix) { key, entry in
            doomed.append((key, entry.session))
            return true
        }
        if planted(.deleteTreeOneTooMany), let last = doomed.last?.key {
            kvs.scan(from: last) { key, entry in
                if key != last { doomed.append((key, entry.session)) }
                return key == last
            }
        }
        if doomed.isEmpty { return }
        if doomed.count == kvs.count {
            kvs.removeAll()
            kvsBySession.removeAll()
        } else {
            for (key, session) in doomed {
                kvs.removeValue(forKey: key)
                removeHeld(key, by: session)
            }
        }
        raise(IndexName.kvs, to: index)
        if planted(.deleteTreeLeavesOne), doomed.count > 1 { put(doomed[doomed.count - 1].key, KVEntry(), replacing: "") }
        if !prefix.isEmpty, !planted(.noTreeTombstone) { addTombstone(prefix, index, &changes) }
        for (key, _) in doomed where !planted(.kvTreeNotWoken) { changes.add(.kvKey(key)) }
    }

    /// nil: another session holds the key.
    mutating func lock(_ key: ByteString, _ entry: KVEntry, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) -> KVEntry? {
        if entry.session.isEmpty { throw TextError("missing session") }
        guard try session(entry.session) != nil || planted(.lockBySessionGone) else {
            throw TextError("invalid session \(GoQuote.quote(entry.session))")
        }
        var entry = entry
        let existing = kvs[key]
        switch existing?.session {
        case entry.session: entry.lockIndex = existing!.lockIndex &+ (planted(.lockIndexRaisedAgain) ? 1 : 0)
        case nil, "": entry.lockIndex = planted(.lockIndexNotRaised) ? 1 : (existing?.lockIndex ?? 0) &+ 1
        default:
            if !planted(.lockOfOthersTaken) { return nil }
        }
        return setEntry(key, entry, keepingSession: false, index, &changes)
    }

    /// nil: the session does not hold the key.
    mutating func unlock(_ key: ByteString, _ entry: KVEntry, _ index: UInt64, _ changes: inout ChangeSet) throws(TextError) -> KVEntry? {
        if entry.session.isEmpty { throw TextError("missing session") }
        guard let existing = kvs[key], existing.session == entry.session || planted(.unlockByStranger) && !existing.session.isEmpty else {
            return nil
        }
        var entry = entry
        entry.session = ""
        entry.lockIndex = planted(.lockIndexForgotten) ? 0 : existing.lockIndex
        return setEntry(key, entry, keepingSession: false, index, &changes)
    }

    /// Moves no index. O(tombstones reaped).
    mutating func reapTombstones(_ request: TombstoneRequest) throws(TextError) -> ApplyResult {
        if case .unknown(let op) = request.op { throw TextError("Invalid Tombstone operation '\(op)'") }
        while let (index, keys) = tombstonesByIndex.first, index <= request.reapIndex || planted(.reapedTooEarly) {
            for key in keys where tombstones[key] == index && !planted(.reapedNever) { tombstones.removeValue(forKey: key) }
            tombstonesByIndex.removeValue(forKey: index)
        }
        return .none
    }

    /// The keys that a session holds.
    func keysHeld(bySession id: ByteString) -> [ByteString] {
        var keys: [ByteString] = []
        kvsBySession.scan(prefix: id) { key, _ in
            keys.append(ByteString(Array(key.bytes[id.count...])))
            return true
        }
        return keys
    }

    // MARK: Reading

    func list(_ prefix: ByteString) -> (entries: EntryList, index: UInt64) {
        let summary = kvs.summary(prefix: prefix)
        return (EntryList(in: kvs, below: prefix, count: summary.count), listIndex(prefix, entries: summary.index))
    }

    /// Keys of a prefix; what follows a separator behind the prefix is cut off, and what is equal then appears once: of many keys that come
    /// to the same, few are looked at.
    func keys(_ prefix: ByteString, separator: ByteString) -> (keys: [ByteString], index: UInt64) {
        var keys: [ByteString] = []
        let summary = kvs.summary(prefix: prefix)
        if separator.isEmpty { keys.reserveCapacity(summary.count) }
        var start: ByteString? = prefix
        while let from = start {
            start = nil
            var repeated = 0
            kvs.scan(from: from) { key, _ in
                guard key.hasPrefix(prefix) else { return false }
                if separator.isEmpty {
                    keys.append(key)
                    return true
                }
                let cut = Self.cut(key, behind: separator, from: prefix.count)
                if keys.last != cut {
                    keys.append(cut)
                    repeated = 0
                    return true
                }
                repeated += 1
                if repeated < Self.repeatedMax { return true }
                start = cut.endOfPrefix
                return false
            }
        }
        return (keys, listIndex(prefix, entries: summary.index))
    }
    /// Keys that come to the same are stepped over so often before the end of them is searched for, which costs about as much.
    private static let repeatedMax = 8

    private static func cut(_ key: ByteString, behind separator: ByteString, from start: Int) -> ByteString {
        guard let first = separator.bytes.first else { return key }
        var at = start
        while let found = key.bytes.span.firstIndex(of: first, in: at..<key.count) {
            let end = found + separator.count
            // A separator at the end cuts nothing off.
            if end >= key.count { return key }
            if key.bytes[found..<end].elementsEqual(separator.bytes) { return ByteString(Array(key.bytes[..<end])) }
            at = found + 1
        }
        return key
    }

    /// Behaviour §1.4, "KV list".
    private func listIndex(_ prefix: ByteString, entries: UInt64) -> UInt64 {
        if prefix.isEmpty || planted(.listIndexOfTable) { return kvIndex }
        let index = planted(.listIndexWithoutDeletions) ? entries : max(entries, tombstones.summary(prefix: prefix).index)
        return index == 0 ? kvIndex : index
    }
}
