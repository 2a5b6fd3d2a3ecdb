/// A small map kept as a sorted array: walked in the order of its keys, looked up in O(log n), changed in O(n).
///
/// For things of a few dozen entries (tags, metadata, headers). Large tables use `PersistentMap`.
public struct SortedMap<Key: Comparable, Value>: RandomAccessCollection, ExpressibleByDictionaryLiteral {
    public typealias Element = (key: Key, value: Value)
    @usableFromInline var elements: [(key: Key, value: Value)]

    @inlinable public init() { elements = [] }

    /// The last of several values for one key wins. O(n log n), and O(n) if the pairs come in order.
    public init(_ pairs: some Sequence<(Key, Value)>) {
        elements = pairs.map { (key: $0.0, value: $0.1) }
        if elements.count < 2 || zip(elements, elements.dropFirst()).allSatisfy({ $0.key < $1.key }) { return }
        // Of equal keys the one that came last is first: the others are left out.
        let sorted = elements.indices.sorted { a, b in
            elements[a].key == elements[b].key ? a > b : elements[a].key < elements[b].key
        }
        var kept: [(key: Key, value: Value)] = []
        kept.reserveCapacity(sorted.count)
        for at in sorted where kept.last.map({ $0.key != elements[at].key }) ?? true { kept.append(elements[at]) }
        elements = kept
    }

    public init(dictionaryLiteral pairs: (Key, Value)...) { self.init(pairs) }

    @inlinable public var startIndex: Int { 0 }
    @inlinable public var endIndex: Int { elements.count }
    @inlinable public subscript(position: Int) -> Element { elements[position] }

    /// The position of the first key that is not less than `key`.
    @inlinable public func lowerBound(_ key: Key) -> Int {
        var low = 0, high = elements.count
        while low < high {
            let middle = (low + high) / 2
            if elements[middle].key < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    @inlinable public subscript(key: Key) -> Value? {
        get {
            let at = lowerBound(key)
            return at < elements.count && elements[at].key == key ? elements[at].value : nil
        }
        set {
            let at = lowerBound(key)
            let present = at < elements.count && elements[at].key == key
            switch (present, newValue) {
            case (true, .some(let value)): elements[at].value = value
            case (true, nil): elements.remove(at: at)
            case (false, .some(let value)): elements.insert((key, value), at: at)
            case (false, nil): break
            }
        }
    }

    /// Changes a value in its place; false if there is none for that key.
    @discardableResult
    @inlinable public mutating func update(_ key: Key, _ body: (inout Value) -> Void) -> Bool {
        let at = lowerBound(key)
        guard at < elements.count, elements[at].key == key else { return false }
        body(&elements[at].value)
        return true
    }

    @discardableResult
    public mutating func removeValue(forKey key: Key) -> Value? {
        let old = self[key]
        if old != nil { self[key] = nil }
        return old
    }

    public var keys: [Key] { elements.map(\.key) }
    public var values: [Value] { elements.map(\.value) }
}

extension SortedMap: Sendable where Key: Sendable, Value: Sendable {}
extension SortedMap: Equatable where Value: Equatable {
    public static func == (a: Self, b: Self) -> Bool {
        a.elements.count == b.elements.count && zip(a.elements, b.elements).allSatisfy { $0.key == $1.key && $0.value == $1.value }
    }
}
extension SortedMap: Hashable where Key: Hashable, Value: Hashable {
    public func hash(into hasher: inout Hasher) {
        for (key, value) in elements {
            hasher.combine(key)
            hasher.combine(value)
        }
    }
}

/// Names and texts, sorted by name: tags, metadata.
public typealias StringMap = SortedMap<String, String>
