/// How an entry relates to the catalog.
struct SyncState {
    /// Changed through `SyncedEntries` only, which knows all entries that are not.
    fileprivate(set) var inSync = false
    /// Gone here, kept until the catalog has confirmed.
    var deleted = false
    /// Counts changes, so that the answer to a write says nothing about what changed after it was sent.
    fileprivate(set) var version: UInt64 = 0
}

protocol SyncedEntry: AnyObject {
    var sync: SyncState { get set }
}

/// Entries by id, in the order of their bytes; deleted ones stay until the catalog has confirmed.
///
/// Which of them differ from the catalog is kept beside them, so that a change costs the same however many there are.
struct SyncedEntries<Entry: SyncedEntry> {
    private(set) var all = SortedMap<ByteString, Entry>()
    private var unsynced = SortedMap<ByteString, Entry>()

    subscript(id: ByteString) -> Entry? { all[id] }

    /// Those that are registered here.
    func live(_ id: ByteString) -> Entry? {
        guard let entry = all[id], !entry.sync.deleted else { return nil }
        return entry
    }

    /// Adds an entry or replaces one; it differs from the catalog until a write or a comparison says otherwise.
    mutating func put(_ id: ByteString, _ entry: Entry) {
        all[id] = entry
        changed(id)
    }

    mutating func changed(_ id: ByteString) {
        guard let entry = all[id] else { return }
        entry.sync.version &+= 1
        entry.sync.inSync = false
        if planted(.serviceNotSynced) { return }
        unsynced[id] = entry
    }

    mutating func delete(_ id: ByteString) {
        all[id]?.sync.deleted = true
        changed(id)
    }

    mutating func setInSync(_ id: ByteString, _ inSync: Bool) {
        guard let entry = all[id] else { return }
        entry.sync.inSync = inSync
        unsynced[id] = inSync ? nil : entry
    }

    /// The catalog no longer has it.
    mutating func forget(_ id: ByteString) {
        all[id] = nil
        unsynced[id] = nil
    }

    /// The first that differs from the catalog behind `last`; nil is before all.
    func nextUnsynced(after last: ByteString?) -> (id: ByteString, entry: Entry)? {
        var at = 0
        if let last {
            at = unsynced.lowerBound(last)
            if at < unsynced.count, unsynced[at].key == last { at += 1 }
        }
        return at < unsynced.count ? (unsynced[at].key, unsynced[at].value) : nil
    }
}
