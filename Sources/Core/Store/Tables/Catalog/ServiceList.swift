/// The names of services, each with the distinct tags of its instances, in the order of their bytes: one table, so that a change costs the
/// same however many names and tags there are, and a copy is O(1). Spec: http-1 §5.4.
public struct ServiceList: Sequence, Sendable {
    enum Entry: Sendable {
        /// The tags of a name follow it.
        case name(String)
        case tag(String)
    }

    private var entries = PersistentMap<ByteString, Entry>()
    /// Instead of the table: a list that nothing changes any more.
    private var fixed: [(name: String, tags: [String])]?

    public init() {}

    /// As another server told it: sorted by name, with the tags in their order there.
    init(told services: [(name: String, tags: [String])]) { fixed = services.sorted { $0.name < $1.name } }

    public var isEmpty: Bool { fixed?.isEmpty ?? entries.isEmpty }

    /// Whether one is an unchanged copy of the other. O(1); false also where the same has been put in again.
    public func isSame(as other: ServiceList) -> Bool { fixed == nil && other.fixed == nil && entries.isSame(as: other.entries) }

    /// What is there already is left as it is.
    mutating func insert(_ name: String, _ tags: [String]) {
        insert(.name(name), ServiceListKey.of(name))
        for tag in tags { insert(.tag(tag), ServiceListKey.of(name, tag)) }
    }

    mutating func insert(_ entry: Entry, _ key: ByteString) { if !entries.contains(key) { entries[key] = entry } }
    mutating func remove(_ key: ByteString) { entries.removeValue(forKey: key) }

    /// The services whose names satisfy this.
    func filter(_ isIncluded: (String) -> Bool) -> ServiceList {
        var result = ServiceList()
        result.fixed = Array(self).filter { isIncluded($0.name) }
        return result
    }

    public func makeIterator() -> Iterator { Iterator(entries.makeIterator(), fixed?.makeIterator()) }

    public struct Iterator: IteratorProtocol, Sendable {
        private var entries: PersistentMap<ByteString, Entry>.Iterator
        /// Whose tags come next.
        private var name: String?
        private var fixed: IndexingIterator<[(name: String, tags: [String])]>?

        fileprivate init(
            _ entries: PersistentMap<ByteString, Entry>.Iterator, _ fixed: IndexingIterator<[(name: String, tags: [String])]>?
        ) {
            self.entries = entries
            self.fixed = fixed
            if case .name(let first)? = self.entries.next()?.value { name = first }
        }

        public mutating func next() -> (name: String, tags: [String])? {
            if fixed != nil { return fixed?.next() }
            guard let name else { return nil }
            var tags: [String] = []
            while let (_, entry) = entries.next() {
                switch entry {
                case .tag(let tag): tags.append(tag)
                case .name(let next):
                    self.name = next
                    return (name, tags)
                }
            }
            self.name = nil
            return (name, tags)
        }
    }
}

/// Keys of names and of their tags. Exact, unlike those of tables: names that differ in case are listed apart.
enum ServiceListKey {
    static func of(_ name: String) -> ByteString {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(name.utf8.count + 1)
        append(name, to: &bytes)
        return ByteString(bytes)
    }

    static func of(_ name: String, _ tag: String) -> ByteString {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(name.utf8.count + 1 + tag.utf8.count)
        append(name, to: &bytes)
        bytes.append(text: tag)
        // An empty tag is one, too: its key is not the name's.
        bytes.append(0)
        return ByteString(bytes)
    }

    /// Zero ends a name, whatever is in it; the order of names stays that of their bytes.
    private static func append(_ name: String, to bytes: inout [UInt8]) {
        for byte in name.utf8 {
            if byte > 1 {
                bytes.append(byte)
            } else {
                bytes.append(1)
                bytes.append(byte + 1)
            }
        }
        bytes.append(0)
    }
}

/// Which names and tags the instances have, and how many instances have each: what no instance has is not listed.
struct ServiceTags: Sendable {
    /// Changes only when a name or a tag comes or goes.
    private(set) var list = ServiceList()
    /// Under the keys of the list.
    private var uses = PersistentMap<ByteString, Int>()

    var isEmpty: Bool { list.isEmpty && uses.isEmpty }

    /// An instance came (`old` is nil), went (`new` is nil), or changed.
    mutating func replace(_ old: NodeService?, with new: NodeService?) {
        if let old, let new, old.service.hasSameBytes(new.service), Self.areSame(old.tags ?? [], new.tags ?? []) { return }
        // What both have keeps a use meanwhile.
        if let new { add(new) }
        if let old { remove(old) }
    }

    private static func areSame(_ some: [String], _ others: [String]) -> Bool {
        some.count == others.count && zip(some, others).allSatisfy { $0.hasSameBytes($1) }
    }

    private mutating func add(_ service: NodeService) {
        if service.service.isEmpty { return }
        add(.name(service.service), ServiceListKey.of(service.service))
        for tag in service.tags ?? [] { add(.tag(tag), ServiceListKey.of(service.service, tag)) }
    }

    private mutating func add(_ entry: ServiceList.Entry, _ key: ByteString) {
        if uses.modify(key, { $0 += 1 }) != nil { return }
        uses[key] = 1
        list.insert(entry, key)
    }

    private mutating func remove(_ service: NodeService) {
        if service.service.isEmpty { return }
        remove(ServiceListKey.of(service.service))
        for tag in service.tags ?? [] { remove(ServiceListKey.of(service.service, tag)) }
    }

    private mutating func remove(_ key: ByteString) {
        let left = uses.modify(key) { uses -> Int in
            uses -= 1
            return uses
        }
        if left == 0 {
            uses.removeValue(forKey: key)
            list.remove(key)
        }
    }
}
