typealias KVTable = SummarizedMap<ByteString, KVEntry, KVSummary>
typealias TombstoneTable = SummarizedMap<ByteString, UInt64, HighestIndex>

/// How many entries there are, and the highest index at which one of them was changed; 0 for none.
struct KVSummary: TreeSummary {
    var count = 0
    private(set) var highest = HighestIndex()
    var index: UInt64 { highest.index }

    init() {}

    init(_ entry: KVEntry) {
        count = 1
        highest = HighestIndex(entry.index.modify)
    }

    mutating func add(_ other: KVSummary) {
        count += other.count
        highest.add(other.highest)
    }

    mutating func replace(_ old: KVSummary, with new: KVSummary) -> Bool {
        guard highest.replace(old.highest, with: new.highest) else { return false }
        count += new.count - old.count
        return true
    }
}

/// The highest of indexes; 0 for none.
struct HighestIndex: TreeSummary {
    private(set) var index: UInt64 = 0

    init() {}
    init(_ index: UInt64) { self.index = index }

    mutating func add(_ other: HighestIndex) { index = max(index, other.index) }

    /// Indexes mostly grow: then it is one comparison. Where the highest part became lower, another one may be the highest.
    mutating func replace(_ old: HighestIndex, with new: HighestIndex) -> Bool {
        if new.index < old.index && old.index == index { return false }
        index = max(index, new.index)
        return true
    }
}
