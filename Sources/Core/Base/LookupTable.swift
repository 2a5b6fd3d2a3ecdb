/// A hash table that can be asked but not walked: its order would change with every process.
///
/// What must be walked goes into an ordered collection. Look-up, insertion and removal are O(1) on average.
public struct LookupTable<Key: Hashable, Value> {
    @usableFromInline var storage: [Key: Value] = [:]

    @inlinable public init() {}

    @inlinable public var count: Int { storage.count }
    @inlinable public var isEmpty: Bool { storage.isEmpty }

    @inlinable public subscript(key: Key) -> Value? {
        get { storage[key] }
        _modify { yield &storage[key] }
    }

    @inlinable public subscript(key: Key, default value: @autoclosure () -> Value) -> Value {
        get { storage[key, default: value()] }
        _modify { yield &storage[key, default: value()] }
    }

    @inlinable public func contains(_ key: Key) -> Bool { storage[key] != nil }

    @discardableResult
    @inlinable public mutating func removeValue(forKey key: Key) -> Value? { storage.removeValue(forKey: key) }

    @inlinable public mutating func removeAll(keepingCapacity: Bool = false) { storage.removeAll(keepingCapacity: keepingCapacity) }
}

extension LookupTable: Sendable where Key: Sendable, Value: Sendable {}

/// A hash set that can be asked but not walked. See `LookupTable`.
public struct LookupSet<Element: Hashable> {
    @usableFromInline var storage: Set<Element> = []

    @inlinable public init() {}

    @inlinable public var count: Int { storage.count }
    @inlinable public var isEmpty: Bool { storage.isEmpty }
    @inlinable public func contains(_ element: Element) -> Bool { storage.contains(element) }

    /// Returns whether the element is new.
    @discardableResult
    @inlinable public mutating func insert(_ element: Element) -> Bool { storage.insert(element).inserted }

    @discardableResult
    @inlinable public mutating func remove(_ element: Element) -> Bool { storage.remove(element) != nil }

    @inlinable public mutating func removeAll() { storage.removeAll() }
}

extension LookupSet: Sendable where Element: Sendable {}
