/// Entries of the key/value store in the order of their keys: a list, or all below a prefix of one state.
///
/// A prefix costs one word to hold, however much is below it: its entries are walked when they are needed.
public struct EntryList: Sequence, ExpressibleByArrayLiteral, Sendable {
    private enum Source {
        case list([DirEntry])
        case prefix(KVTable, ByteString)
    }

    private var source: Source
    public private(set) var count: Int

    /// So few entries are copied, so that nobody who holds them holds a state.
    static let copiedMax = 64

    public init(_ entries: [DirEntry]) {
        source = .list(entries)
        count = entries.count
    }

    public init(arrayLiteral entries: DirEntry...) { self.init(entries) }

    /// All of `table` below `prefix`, of which there are `count`. O(log n), without a copy.
    init(in table: KVTable, below prefix: ByteString, count: Int) {
        self.count = count
        source = .prefix(table, prefix)
        if count <= Self.copiedMax { source = .list(Array(self)) }
    }

    /// Takes away the entries that the holder must not see. O(1) for who may do everything.
    mutating func keep(for authorizer: Authorizer) {
        if authorizer.view == .everything { return }
        self = EntryList(filter { authorizer.allows(.keyRead($0.key)) })
    }

    public var isEmpty: Bool { count == 0 }
    public var first: DirEntry? { first { _ in true } }
    public var underestimatedCount: Int { count }

    public func makeIterator() -> Iterator {
        switch source {
        case .list(let entries): Iterator(source: .list(entries.makeIterator()), left: count)
        case .prefix(let table, let prefix): Iterator(source: .prefix(table.makeIterator(from: prefix)), left: count)
        }
    }

    public struct Iterator: IteratorProtocol, Sendable {
        fileprivate enum Source: Sendable {
            case list(IndexingIterator<[DirEntry]>)
            case prefix(KVTable.Iterator)
        }

        fileprivate var source: Source
        fileprivate var left: Int

        public mutating func next() -> DirEntry? {
            if left == 0 { return nil }
            left -= 1
            switch source {
            case .list(var entries):
                defer { source = .list(entries) }
                return entries.next()
            case .prefix(var entries):
                // The iterator is moved out, so that walking does not copy its path.
                source = .list([].makeIterator())
                defer { source = .prefix(entries) }
                return entries.next().map { DirEntry(key: $0.key, entry: $0.value) }
            }
        }
    }
}
