/// A node of a `PersistentMap`: a leaf when it has no children.
///
/// A leaf holds keys and values side by side. An inner node holds its children and between each two of them a key that is
/// greater than all keys on its left and not greater than any on its right. Nodes may be less than half full, but a leaf
/// holds at least one key and an inner node at least one child.
///
/// Sendable without a check by the compiler: a node is changed only through a reference that `isKnownUniquelyReferenced`,
/// so what two threads can see is never changed.
final class PersistentNode<Key: TreeKey, Value, Summary: TreeSummary>: @unchecked Sendable where Summary.Value == Value {
    private(set) var keys: [Key]
    var values: [Value]
    var children: [PersistentNode]
    /// Of all values below.
    private(set) var summary = Summary()
    /// What all keys begin with has at least this length.
    private var skip = 0
    /// `keys[i].head(after: skip)`: a search compares these, which lie side by side, and looks at few keys themselves.
    private var heads: [UInt64]

    /// The most keys of a leaf and the most children of an inner node: a change of a shared map copies a node on each level,
    /// and each copy counts a reference for all that the node holds.
    static var width: Int { 32 }

    init(keys: [Key], values: [Value], children: [PersistentNode]) {
        self.keys = keys
        self.values = values
        self.children = children
        heads = []
        summarize()
        sumUp()
    }

    private init(copying node: PersistentNode) {
        keys = node.keys
        values = node.values
        children = node.children
        summary = node.summary
        skip = node.skip
        heads = node.heads
    }

    // MARK: Keys and their heads

    /// Makes the heads anew. O(number of keys).
    private func summarize() {
        skip = keys.count > 1 ? keys[0].sharedPrefix(with: keys[keys.count - 1]) : 0
        heads = keys.map { $0.head(after: skip) }
    }

    private func insertKey(_ key: Key, at position: Int) {
        keys.insert(key, at: position)
        if skip > 0 && (position == 0 || position == keys.count - 1) && keys[0].sharedPrefix(with: keys[keys.count - 1]) < skip {
            summarize()
        } else {
            heads.insert(key.head(after: skip), at: position)
        }
    }

    private func removeKey(at position: Int) {
        keys.remove(at: position)
        heads.remove(at: position)
        if keys.isEmpty { skip = 0 }
    }

    /// The first position whose key is not less than `key` or, with `past`, greater than it.
    @inline(__always)
    private func bound(_ key: Key, past: Bool) -> Int {
        if skip > 0 {
            // Other beginnings than that of all keys here: before or behind all of them.
            if key.sharedPrefix(with: keys[0]) < skip { return key < keys[0] ? 0 : keys.count }
        }
        let head = key.head(after: skip)
        return heads.withUnsafeBufferPointer { heads in
            keys.withUnsafeBufferPointer { keys in
                var low = 0, high = heads.count
                while low < high {
                    let middle = (low &+ high) / 2
                    let other = heads[middle]
                    let goesRight =
                        if other != head { other < head } else if past { !(key < keys[middle]) } else { keys[middle] < key }
                    if goesRight { low = middle &+ 1 } else { high = middle }
                }
                return low
            }
        }
    }

    /// The first position whose key is not less than `key`.
    func lowerBound(_ key: Key) -> Int { bound(key, past: false) }

    /// The position of the child in whose range `key` lies.
    func childPosition(_ key: Key) -> Int { bound(key, past: true) }

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
            node = PersistentNode(copying: node)
        }
    }

    // MARK: Summaries

    /// A part of the node was `old` and is `new` now.
    @inline(__always)
    private func resum(_ old: Summary, _ new: Summary) { if !summary.replace(old, with: new) { sumUp() } }

    /// O(width): reads all values, or looks into all children.
    private func sumUp() {
        if MemoryLayout<Summary>.size == 0 { return }
        var sum = Summary()
        for value in values { sum.add(Summary(value)) }
        for child in children { sum.add(child.summary) }
        summary = sum
    }

    /// Of the keys from `lower` on that are less than `upper`; nil for no bound.
    func summary(from lower: Key?, to upper: Key?) -> Summary {
        if lower == nil && upper == nil { return summary }
        var sum = Summary()
        if children.isEmpty {
            let start = lower.map(lowerBound) ?? 0, end = upper.map(lowerBound) ?? keys.count
            if start < end { for value in values[start..<end] { sum.add(Summary(value)) } }
            return sum
        }
        let first = lower.map(childPosition) ?? 0, last = upper.map(childPosition) ?? children.count - 1
        if first > last { return sum }
        if first == last { return children[first].summary(from: lower, to: upper) }
        sum.add(children[first].summary(from: lower, to: nil))
        for child in children[(first + 1)..<last] { sum.add(child.summary) }
        sum.add(children[last].summary(from: nil, to: upper))
        return sum
    }

    // MARK: Changes

    typealias Split = (separator: Key, right: PersistentNode)

    static func insert(into node: inout PersistentNode, _ key: Key, _ value: Value, replaced: inout Value?) -> Split? {
        makeUnique(&node)
        if node.children.isEmpty { return node.insertIntoLeaf(key, value, replaced: &replaced) }
        let at = node.childPosition(key)
        let before = node.children[at].summary
        let split = insert(into: &node.children[at], key, value, replaced: &replaced)
        var after = node.children[at].summary
        if let split {
            after.add(split.right.summary)
            node.insertKey(split.separator, at: at)
            node.children.insert(split.right, at: at + 1)
        }
        node.resum(before, after)
        if node.children.count <= width { return nil }
        let kept = leftShare(insertedAt: at + 1)
        let separator = node.keys[kept - 1]
        let right = PersistentNode(keys: Array(node.keys[kept...]), values: [], children: Array(node.children[kept...]))
        node.keys = Array(node.keys[..<(kept - 1)])
        node.children = Array(node.children[..<kept])
        node.summarize()
        node.sumUp()
        return (separator, right)
    }

    private func insertIntoLeaf(_ key: Key, _ value: Value, replaced: inout Value?) -> Split? {
        let at = lowerBound(key)
        if at < keys.count && keys[at] == key {
            replaced = values[at]
            values[at] = value
            resum(replaced.map { Summary($0) } ?? Summary(), Summary(value))
            return nil
        }
        insertKey(key, at: at)
        values.insert(value, at: at)
        if keys.count <= Self.width {
            resum(Summary(), Summary(value))
            return nil
        }
        let kept = Self.leftShare(insertedAt: at)
        let right = PersistentNode(keys: Array(keys[kept...]), values: Array(values[kept...]), children: [])
        keys = Array(keys[..<kept])
        values = Array(values[..<kept])
        summarize()
        sumUp()
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
            node.removeKey(at: at)
            let removed = node.values.remove(at: at)
            node.resum(Summary(removed), Summary())
            return removed
        }
        let at = node.childPosition(key)
        let before = node.children[at].summary
        let removed = remove(from: &node.children[at], key)
        node.resum(before, node.children[at].summary)
        if node.children[at].size < width / 4 { node.mergeChild(at) }
        return removed
    }

    private var size: Int { children.isEmpty ? keys.count : children.count }

    /// Joins a small child with a neighbour when both fit into one node; drops it when it is empty.
    private func mergeChild(_ at: Int) {
        if children[at].size == 0 {
            children.remove(at: at)
            if !keys.isEmpty { removeKey(at: at == 0 ? 0 : at - 1) }
            return
        }
        for left in [at - 1, at] where left >= 0 && left + 1 < children.count {
            guard children[left].size + children[left + 1].size <= Self.width * 3 / 4 else { continue }
            let right = children.remove(at: left + 1)
            let separator = keys[left]
            removeKey(at: left)
            Self.makeUnique(&children[left])
            let joined = children[left]
            if !right.children.isEmpty { joined.keys.append(separator) }
            joined.keys.append(contentsOf: right.keys)
            joined.values.append(contentsOf: right.values)
            joined.children.append(contentsOf: right.children)
            joined.summarize()
            joined.summary.add(right.summary)
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
            let before = Summary(node.values[at])
            defer { node.resum(before, Summary(node.values[at])) }
            return try body(&node.values[at])
        }
        let at = node.childPosition(key)
        let before = node.children[at].summary
        defer { node.resum(before, node.children[at].summary) }
        return try modify(in: &node.children[at], key, body)
    }
}
