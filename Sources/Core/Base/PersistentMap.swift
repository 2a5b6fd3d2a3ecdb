/// An ordered map that is persistent in the functional sense: a copy costs O(1) and shares everything with the original.
///
/// A B+ tree with wide nodes. Changing a map that nobody shares happens in place; changing a shared one copies the nodes
/// on the path to the change (O(log n) of them) and shares the rest. Look-up, insertion and removal are O(log n). The order
/// of walking depends on the keys alone, never on the history of the map.
///
/// Each node knows the summary of all values below it (`TreeSummary`), and so does a range of keys in O(log n).
public struct SummarizedMap<Key: TreeKey, Value, Summary: TreeSummary>: Sendable where Summary.Value == Value {
    typealias TreeNode = PersistentNode<Key, Value, Summary>

    var root: TreeNode?
    public private(set) var count = 0

    public init() {}

    public var isEmpty: Bool { count == 0 }

    /// Whether one is an unchanged copy of the other. O(1); false also where the same has been put in again.
    public func isSame(as other: SummarizedMap) -> Bool { root === other.root }

    /// Reads in O(log n); assigning nil removes the key.
    public subscript(key: Key) -> Value? {
        get {
            guard let leaf = root?.leaf(for: key), let at = leaf.position(of: key) else { return nil }
            return leaf.values[at]
        }
        set {
            if let newValue { updateValue(newValue, forKey: key) } else { removeValue(forKey: key) }
        }
    }

    public func contains(_ key: Key) -> Bool { root?.leaf(for: key).position(of: key) != nil }

    /// The smallest key and its value.
    public var first: (key: Key, value: Value)? {
        guard var node = root else { return nil }
        while let child = node.children.first { node = child }
        return (node.keys[0], node.values[0])
    }

    /// The largest key and its value.
    public var last: (key: Key, value: Value)? {
        guard var node = root else { return nil }
        while let child = node.children.last { node = child }
        return (node.keys[node.keys.count - 1], node.values[node.keys.count - 1])
    }

    /// Sets the value of a key and returns the one that it replaces.
    @discardableResult
    public mutating func updateValue(_ value: Value, forKey key: Key) -> Value? {
        guard root != nil else {
            root = TreeNode(keys: [key], values: [value], children: [])
            count = 1
            return nil
        }
        var replaced: Value?
        if let split = TreeNode.insert(into: &root!, key, value, replaced: &replaced) {
            root = TreeNode(keys: [split.separator], values: [], children: [root!, split.right])
        }
        if replaced == nil { count += 1 }
        return replaced
    }

    /// Removes a key and returns its value; nil and no copying if it is absent.
    @discardableResult
    public mutating func removeValue(forKey key: Key) -> Value? {
        guard contains(key) else { return nil }
        let removed = TreeNode.remove(from: &root!, key)
        count -= 1
        while let node = root, node.children.count == 1 { root = node.children[0] }
        if count == 0 { root = nil }
        return removed
    }

    /// Changes the value of a key in place; nil and no copying if it is absent.
    @discardableResult
    public mutating func modify<Result>(_ key: Key, _ body: (inout Value) throws -> Result) rethrows -> Result? {
        guard contains(key) else { return nil }
        return try TreeNode.modify(in: &root!, key, body)
    }

    public mutating func removeAll() {
        root = nil
        count = 0
    }
}

/// A map whose parts are not summed up: most of them.
public typealias PersistentMap<Key: TreeKey, Value: Sendable> = SummarizedMap<Key, Value, NoSummary<Value>>
