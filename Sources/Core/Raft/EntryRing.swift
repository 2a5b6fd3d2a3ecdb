/// The newest entries of the log, kept in memory: a queue that grows at the end, shrinks at both, and is indexed by log index in O(1).
struct EntryRing {
    private var slots: [LogEntry] = []
    private var head = 0
    private(set) var count = 0
    /// The index of the first entry held; of the next one to come while there is none.
    private(set) var first: UInt64
    /// Memory held, in bytes (`LogEntry.weight`).
    private(set) var weight = 0

    private static var vacant: LogEntry { LogEntry(index: 0, term: 0) }

    init(first: UInt64) { self.first = first }

    /// The index after the last entry held.
    var end: UInt64 { first + UInt64(count) }

    subscript(index: UInt64) -> LogEntry {
        _read {
            precondition(index >= first && index < end, "an entry is asked for that is not in memory")
            yield slots[(head + Int(index - first)) & (slots.count - 1)]
        }
    }

    mutating func append(_ entry: LogEntry) {
        precondition(entry.index == end, "entries are appended in the order of their indexes")
        if count == slots.count { grow() }
        weight += entry.weight
        slots[(head + count) & (slots.count - 1)] = entry
        count += 1
    }

    mutating func removeFirst() {
        weight -= slots[head].weight
        slots[head] = Self.vacant
        head = (head + 1) & (slots.count - 1)
        count -= 1
        first += 1
    }

    /// Removes the entries from `index` on.
    mutating func truncate(from index: UInt64) {
        while count > 0, end > index {
            let at = (head + count - 1) & (slots.count - 1)
            weight -= slots[at].weight
            slots[at] = Self.vacant
            count -= 1
        }
        if count == 0 { first = min(first, index) }
    }

    /// Takes the entry's token, so that its proposer is answered once only.
    mutating func takeToken(_ index: UInt64) -> UInt64 {
        let at = (head + Int(index - first)) & (slots.count - 1)
        let token = slots[at].token
        slots[at].token = 0
        return token
    }

    private mutating func grow() {
        var larger: [LogEntry] = []
        larger.reserveCapacity(max(64, slots.count * 2))
        for offset in 0..<count { larger.append(slots[(head + offset) & (slots.count - 1)]) }
        larger.append(contentsOf: repeatElement(Self.vacant, count: max(64, slots.count * 2) - count))
        slots = larger
        head = 0
    }

    /// Gives back the room that many entries needed once.
    mutating func shrink() {
        guard slots.count > 1024, count < slots.count / 8 else { return }
        var smaller: [LogEntry] = []
        let capacity = slots.count / 4
        smaller.reserveCapacity(capacity)
        for offset in 0..<count { smaller.append(slots[(head + offset) & (slots.count - 1)]) }
        smaller.append(contentsOf: repeatElement(Self.vacant, count: capacity - count))
        slots = smaller
        head = 0
    }
}
