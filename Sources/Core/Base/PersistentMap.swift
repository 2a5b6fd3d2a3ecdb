/// An ordered map that is persistent in the functional sense: a copy costs O(1) and shares everything with the original.
///
/// A B+ tree with wide nodes. Changing a map that nobody shares happens in place; changing a shared one copies the nodes
/// on the path to the change (O(log n) of them) and shares the rest. Look-up, insertion and removal are O(log n). The order
/// of walking depends on the keys alone, never on the history of the map.
public struct PersistentMap<Key: Comparable & Sendable, Value: Sendable>: Sendable {
    var root: PersistentNode<Key, Value>?
    public private(set) var count = 0

    public init() {}

    public var isEmpty: Bool { count == 0 }

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
            root = PersistentNode(keys: [key], values: [value], children: [])
            count = 1
            return nil
        }
        var replaced: Value?
        if let split = PersistentNode.insert(into: &root!, key, value, replaced: &replaced) {
            root = PersistentNode(keys: [split.separator], values: [], children: [root!, split.right])
        }
        if replaced == nil { count += 1 }
        return replaced
    }

    /// Removes a key and returns its value; nil and no copying if it is absent.
    @discardableResult
    public mutating func removeValue(forKey key: Key) -> Value? {
        guard contains(key) else { return nil }
        let removed = PersistentNode.remove(from: &root!, key)
        count -= 1
        while let node = root, node.children.count == 1 { root = node.children[0] }
        if count == 0 { root = nil }
        return removed
    }

    /// Changes the value of a key in place; nil and no copying if it is absent.
    @discardableResult
    public mutating func modify<Result>(_ key: Key, _ body: (inout Value) throws -> Result) rethrows -> Result? {
        guard contains(key) else { return nil }
        return try PersistentNode.modify(in: &root!, key, body)
    }

    public mutating func removeAll() {
        root = nil
        count = 0
    }
}

/// A node of a `PersistentMap`: a leaf when it has no children.
///
/// A leaf holds keys and values side by side. An inner node holds its children and between each two of them a key that is
/// greater than all keys on its left and not greater than any on its right. Nodes may be less than half full, but a leaf
/// holds at least one key and an inner node at least one child.
///
/// Sendable without a check by the compiler: a node is changed only through a reference that `isKnownUniquelyReferenced`,
/// so what two threads can see is never changed.
final class PersistentNode<Key: Comparable & Sendable, Value: Sendable>: @unchecked Sendable {
    var keys: [Key]
    var values: [Value]
    var children: [PersistentNode]

    /// The most keys of a leaf and the most children of an inner node. Wide enough to keep the cost of a node small per
    /// entry, small enough that copying a node takes about a microsecond.
    static var width: Int { 64 }

    init(keys: [Key], values: [Value], children: [PersistentNode]) {
        self.keys = keys
        self.values = values
        self.children = children
    }

    /// The first position whose key is not less than `key`.
    func lowerBound(_ key: Key) -> Int {
        keys.withUnsafeBufferPointer { keys in
            var low = 0, high = keys.count
            while low < high {
                let middle = (low &+ high) / 2
                if keys[middle] < key { low = middle &+ 1 } else { high = middle }
            }
            return low
        }
    }

    /// The position of the child in whose range `key` lies.
    func childPosition(_ key: Key) -> Int {
        keys.withUnsafeBufferPointer { keys in
            var low = 0, high = keys.count
            while low < high {
                let middle = (low &+ high) / 2
                if key < keys[middle] { high = middle } else { low = middle &+ 1 }
            }
            return low
        }
    }

    func position(of key: Key) -> Int? {
        let at = lowerBound(key)
        return at < keys.count && keys[at] == key ? at : nil
    }

    func leaf(for key: Key) -> PersistentNode {
        var node = self
        while !node.children.isEmpty { node = node.children[node.childPosition(key)] }
        return node
    }

    /// Copies the node unless the caller's reference is the only one. The arrays are copied only when they change.
    static func makeUnique(_ node: inout PersistentNode) {
        if !isKnownUniquelyReferenced(&node) {
            node = PersistentNode(keys: node.keys, values: node.values, children: node.children)
        }
    }

    typealias Split = (separator: Key, right: PersistentNode)

    static func insert(into node: inout PersistentNode, _ key: Key, _ value: Value, replaced: inout Value?) -> Split? {
        makeUnique(&node)
        if node.children.isEmpty { return node.insertIntoLeaf(key, value, replaced: &replaced) }
        let at = node.childPosition(key)
        guard let split = insert(into: &node.children[at], key, value, replaced: &replaced) else { return nil }
        node.keys.insert(split.separator, at: at)
        node.children.insert(split.right, at: at + 1)
        if node.children.count <= width { return nil }
        let kept = leftShare(insertedAt: at + 1)
        let separator = node.keys[kept - 1]
        let right = PersistentNode(keys: Array(node.keys[kept...]), values: [], children: Array(node.children[kept...]))
        node.keys = Array(node.keys[..<(kept - 1)])
        node.children = Array(node.children[..<kept])
        return (separator, right)
    }

    private func insertIntoLeaf(_ key: Key, _ value: Value, replaced: inout Value?) -> Split? {
        let at = lowerBound(key)
        if at < keys.count && keys[at] == key {
            replaced = values[at]
            values[at] = value
            return nil
        }
        keys.insert(key, at: at)
        values.insert(value, at: at)
        if keys.count <= Self.width { return nil }
        let kept = Self.leftShare(insertedAt: at)
        let right = PersistentNode(keys: Array(keys[kept...]), values: Array(values[kept...]), children: [])
        keys = Array(keys[..<kept])
        values = Array(values[..<kept])
        return (right.keys[0], right)
    }

    /// How much of an overfull node stays on the left: half of it, or all but the last element if that is the new one, so
    /// that ascending keys leave full nodes behind.
    private static func leftShare(insertedAt at: Int) -> Int { at == width ? width : width / 2 }

    /// Removes a key that is present.
    static func remove(from node: inout PersistentNode, _ key: Key) -> Value {
        makeUnique(&node)
        if node.children.isEmpty {
            let at = node.lowerBound(key)
            node.keys.remove(at: at)
            return node.values.remove(at: at)
        }
        let at = node.childPosition(key)
        let removed = remove(from: &node.children[at], key)
        if node.children[at].size < width / 4 { node.mergeChild(at) }
        return removed
    }

    private var size: Int { children.isEmpty ? keys.count : children.count }

    /// Joins a small child with a neighbour when both fit into one node; drops it when it is empty.
    private func mergeChild(_ at: Int) {
        if children[at].size == 0 {
            children.remove(at: at)
            if !keys.isEmpty { keys.remove(at: at == 0 ? 0 : at - 1) }
            return
        }
        for left in [at - 1, at] where left >= 0 && left + 1 < children.count {
            guard children[left].size + children[left + 1].size <= Self.width * 3 / 4 else { continue }
            let right = children.remove(at: left + 1)
            let separator = keys.remove(at: left)
            Self.makeUnique(&children[left])
            let joined = children[left]
            if !right.children.isEmpty { joined.keys.append(separator) }
            joined.keys.append(contentsOf: right.keys)
            joined.values.append(contentsOf: right.values)
            joined.children.append(contentsOf: right.children)
            return
        }
    }

    /// Changes the value of a key that is present.
    static func modify<Result>(
        in node: inout PersistentNode, _ key: Key, _ body: (inout Value) throws -> Result
    ) rethrows -> Result {
        makeUnique(&node)
        if node.children.isEmpty {
            let at = node.lowerBound(key)
            return try body(&node.values[at])
        }
        return try modify(in: &node.children[node.childPosition(key)], key, body)
    }
}
