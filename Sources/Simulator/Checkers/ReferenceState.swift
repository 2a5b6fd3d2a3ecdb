import Core

/// The state that every server must have after each committed entry: a store that applies the entries once, beside the servers.
///
/// Copies of a store cost nothing, so the states of the latest entries are all at hand; comparing one costs its size, so a server is
/// compared now and then, and whenever it came by its state in another way (a start, a snapshot).
struct ReferenceState {
    /// States that are kept; a server that is further behind is not compared.
    private static let kept = 4096

    private var store = Store()
    private(set) var appliedIndex: UInt64 = 0
    private var states: [Store] = []
    /// The digest that was computed last; servers tend to be compared at the same index.
    private var digests: [(index: UInt64, digest: UInt64)] = []

    /// Whether there is anything to compare with.
    var isActive: Bool { appliedIndex > 0 }

    mutating func apply(_ entry: LogEntry) {
        // An entry that no server had in memory when it was seen first cannot be applied, nor can those behind it.
        guard entry.index == appliedIndex + 1 else { return }
        var changes = ChangeSet()
        if entry.kind == .command {
            if entry.extensions.isEmpty {
                _ = store.apply(entry.data[...], index: entry.index, changes: &changes)
            } else {
                _ = store.applyChunk(entry.extensions, entry.data, term: entry.term, index: entry.index, changes: &changes)
            }
        }
        appliedIndex = entry.index
        if states.count < Self.kept { states.append(store) } else { states[Int(entry.index - 1) % Self.kept] = store }
    }

    /// What the state after `index` looks like; nil if that is too long ago.
    mutating func digest(at index: UInt64) -> UInt64? {
        guard index > 0, index <= appliedIndex, appliedIndex - index < UInt64(Self.kept) else { return nil }
        if let known = digests.last(where: { $0.index == index }) { return known.digest }
        let digest = states[Int(index - 1) % Self.kept].digest
        if digests.count >= 16 { digests.removeFirst() }
        digests.append((index, digest))
        return digest
    }
}
