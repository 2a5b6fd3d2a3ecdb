import Core

/// What one client's keys and sessions must look like, by the specification alone (http-2 §2-6): it shares no code with the store.
///
/// All of it has one writer, who knows what became of everything it did; so there is one answer to each question.
struct ReferenceModel {
    struct Entry: Equatable {
        var value: [UInt8] = []
        var flags: UInt64 = 0
        /// Which of the sessions holds it.
        var session: Int?
        var lockIndex: UInt64 = 0
        /// nil: not read since.
        var created: UInt64?
        var modified: UInt64?
        /// The change was made after this index was seen.
        var after: UInt64 = 0
    }

    struct Session: Equatable {
        var id: String
        var deletes: Bool
        var dependsOn: Dependence
    }

    /// The check with which a session ends.
    enum Dependence {
        case nothing, nodeCheck, serviceCheck
    }

    /// What a transaction does, and what single requests do.
    enum Operation {
        case set(key: String, value: [UInt8], flags: UInt64)
        case cas(key: String, value: [UInt8], index: UInt64)
        case delete(key: String)
        case deleteCAS(key: String, index: UInt64)
        case deleteTree(prefix: String)
        case lock(key: String, value: [UInt8], session: Int)
        case unlock(key: String, value: [UInt8], session: Int)
        case get(key: String)
        case checkIndex(key: String, index: UInt64)
        case checkSession(key: String, session: Int)
        case checkNotExists(key: String)
    }

    var keys: SortedMap<String, Entry> = [:]
    /// By slot; nil for one that is not there.
    var sessions: [Session?] = [nil, nil]
    /// Whether anything was ever deleted.
    private(set) var hasDeleted = false
    /// The highest index that was seen.
    var seen: UInt64 = 0

    /// The index that the entry has, 0 for an absent one, nil if it is not known.
    func modified(_ key: String) -> UInt64? {
        guard let entry = keys[key] else { return 0 }
        return entry.modified
    }

    /// Whether the outcome can be told: all indexes that it depends on are known.
    func isKnown(_ operation: Operation) -> Bool {
        switch operation {
        case .cas(let key, _, _), .deleteCAS(let key, _), .checkIndex(let key, _): modified(key) != nil
        default: true
        }
    }

    /// Does it; false if it is refused, and then it changes nothing.
    mutating func apply(_ operation: Operation) -> Bool {
        switch operation {
        case .set(let key, let value, let flags): put(key, value, flags, session: keys[key]?.session, lockIndex: 0)
        case .cas(let key, let value, let index):
            guard (keys[key].map { $0.modified ?? 0 } ?? 0) == index else { return false }
            put(key, value, 0, session: keys[key]?.session, lockIndex: 0)
        case .delete(let key): remove(key)
        case .deleteCAS(let key, let index):
            guard let entry = keys[key] else { return true }
            guard entry.modified == index else { return false }
            remove(key)
        case .deleteTree(let prefix): for key in keys.map(\.key) where key.hasPrefix(prefix) { remove(key) }
        case .lock(let key, let value, let session):
            guard sessions[session] != nil else { return false }
            let entry = keys[key]
            if let holder = entry?.session, holder != session { return false }
            let index = entry?.session == session ? entry?.lockIndex ?? 0 : (entry?.lockIndex ?? 0) + 1
            put(key, value, 0, session: session, lockIndex: index)
        case .unlock(let key, let value, let session):
            guard let entry = keys[key], entry.session == session else { return false }
            put(key, value, 0, session: nil, lockIndex: entry.lockIndex)
        case .get(let key): return keys[key] != nil
        case .checkIndex(let key, let index): return keys[key] != nil && keys[key]?.modified == index
        case .checkSession(let key, let session): return keys[key] != nil && keys[key]?.session == session
        case .checkNotExists(let key): return keys[key] == nil
        }
        return true
    }

    /// All of it or nothing; the numbers of the operations that fail. Those behind a failed one are tried all the same.
    mutating func apply(all operations: [Operation]) -> [Int] {
        let before = self
        var failed: [Int] = []
        for (at, operation) in operations.enumerated() where !apply(operation) { failed.append(at) }
        if !failed.isEmpty { self = before }
        return failed
    }

    private mutating func put(_ key: String, _ value: [UInt8], _ flags: UInt64, session: Int?, lockIndex: UInt64) {
        var entry = keys[key] ?? Entry()
        // What changes nothing is not written.
        if keys[key] != nil, entry.value == value, entry.flags == flags, entry.session == session, entry.lockIndex == lockIndex { return }
        (entry.value, entry.flags, entry.session, entry.lockIndex) = (value, flags, session, lockIndex)
        (entry.modified, entry.after) = (nil, seen)
        keys[key] = entry
    }

    /// What a session held is released or deleted.
    mutating func end(session slot: Int) {
        guard let session = sessions[slot] else { return }
        sessions[slot] = nil
        for (key, entry) in Array(keys.map { ($0.key, $0.value) }) where entry.session == slot {
            if session.deletes {
                remove(key)
            } else {
                keys[key]?.session = nil
                (keys[key]!.modified, keys[key]!.after) = (nil, seen)
            }
        }
    }

    /// The node is gone, or checks are gone or critical.
    mutating func endSessions(_ ends: (Dependence) -> Bool) {
        for slot in sessions.indices where sessions[slot].map({ ends($0.dependsOn) }) ?? false { end(session: slot) }
    }

    private mutating func remove(_ key: String) {
        keys[key] = nil
        hasDeleted = true
    }

    // MARK: - Reading

    /// What a list of all keys reports: the newest of them, as long as none was deleted; nil if that is not known.
    var listIndex: UInt64? { hasDeleted ? nil : keys.lazy.compactMap(\.value.modified).max() }

    /// Compares an entry as it is shown with what it must be, and takes down its indexes; the difference, nil if there is none.
    mutating func compare(_ key: String, _ shown: DynamicValue?) -> String? {
        guard let entry = keys[key] else { return shown == nil ? nil : "\(key) is there" }
        guard let shown, let found = KeyEntry(shown) else { return "\(key) is not there" }
        let session = entry.session.flatMap { sessions[$0]?.id } ?? ""
        guard found.value == entry.value, shown["Flags"]?.number == entry.flags, found.session == session,
            found.lockIndex == entry.lockIndex
        else {
            return "\(key) has value \(String(decoding: found.value, as: UTF8.self)), flags \(shown["Flags"]?.number ?? 0), session "
                + "\"\(found.session)\", lock index \(found.lockIndex); it must have \(String(decoding: entry.value, as: UTF8.self)), "
                + "\(entry.flags), \"\(session)\", \(entry.lockIndex)"
        }
        if let modified = entry.modified, modified != found.modifyIndex {
            return "\(key) has ModifyIndex \(found.modifyIndex), before it was \(modified)"
        }
        if entry.modified == nil, found.modifyIndex <= entry.after {
            return "\(key) has ModifyIndex \(found.modifyIndex), it was written after index \(entry.after) was seen"
        }
        if let created = entry.created, created != found.createIndex {
            return "\(key) has CreateIndex \(found.createIndex), before it was \(created)"
        }
        if found.createIndex > found.modifyIndex { return "\(key) was changed before it was created" }
        keys[key]?.created = found.createIndex
        keys[key]?.modified = found.modifyIndex
        return nil
    }

    /// The keys of a prefix, cut off behind the separator.
    func names(cutAt separator: Character) -> [String] {
        var names: [String] = []
        for (key, _) in keys {
            let name = key.firstIndex(of: separator).map { String(key[...$0]) } ?? key
            if names.last != name { names.append(name) }
        }
        return names
    }
}
