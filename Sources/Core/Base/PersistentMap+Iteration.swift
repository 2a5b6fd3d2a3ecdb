extension SummarizedMap: Sequence {
    /// Walks the pairs in the order of their keys. Later changes of the map do not show.
    public struct Iterator: IteratorProtocol, Sendable {
        /// The inner nodes above the leaf, each with the position of the child that is being walked.
        private var path: [(node: TreeNode, at: Int)] = []
        private var leaf: TreeNode?
        private var at = 0

        init(_ root: TreeNode?, from lower: Key?) {
            guard var node = root else { return }
            while !node.children.isEmpty {
                let child = lower.map(node.childPosition) ?? 0
                path.append((node, child))
                node = node.children[child]
            }
            leaf = node
            at = lower.map(node.lowerBound) ?? 0
        }

        public mutating func next() -> (key: Key, value: Value)? {
            while let leaf {
                if at < leaf.keys.count {
                    defer { at += 1 }
                    return (leaf.keys[at], leaf.values[at])
                }
                moveToNextLeaf()
            }
            return nil
        }

        private mutating func moveToNextLeaf() {
            leaf = nil
            at = 0
            while let (node, child) = path.popLast() {
                guard child + 1 < node.children.count else { continue }
                path.append((node, child + 1))
                var below = node.children[child + 1]
                while !below.children.isEmpty {
                    path.append((below, 0))
                    below = below.children[0]
                }
                leaf = below
                return
            }
        }
    }

    public func makeIterator() -> Iterator { Iterator(root, from: nil) }

    /// Walks from the first key that is not less than `lower`. O(log n) to start.
    public func makeIterator(from lower: Key) -> Iterator { Iterator(root, from: lower) }

    public var underestimatedCount: Int { count }

    /// Calls `body` for the pairs from the first key that is not less than `lower` until it returns false.
    ///
    /// Allocates nothing: the way to walk short ranges on a request path.
    public func scan(from lower: Key, _ body: (Key, Value) throws -> Bool) rethrows {
        _ = try root?.scan(from: lower, body)
    }
}

extension PersistentNode {
    /// Whether `body` asked for more.
    func scan(from lower: Key?, _ body: (Key, Value) throws -> Bool) rethrows -> Bool {
        if children.isEmpty {
            var at = lower.map(lowerBound) ?? 0
            while at < keys.count {
                guard try body(keys[at], values[at]) else { return false }
                at += 1
            }
            return true
        }
        let start = lower.map(childPosition) ?? 0
        guard try children[start].scan(from: lower, body) else { return false }
        for child in children[(start + 1)...] {
            guard try child.scan(from: nil, body) else { return false }
        }
        return true
    }
}

extension SummarizedMap where Key == ByteString {
    /// Of the values of all keys that start with `prefix`. O(log n).
    public func summary(prefix: ByteString) -> Summary {
        root?.summary(from: prefix.isEmpty ? nil : prefix, to: prefix.endOfPrefix) ?? Summary()
    }

    /// Calls `body` for the pairs whose key starts with `prefix`, in order, until it returns false.
    public func scan(prefix: ByteString, _ body: (ByteString, Value) throws -> Bool) rethrows {
        try scan(from: prefix) { key, value in
            guard key.hasPrefix(prefix) else { return false }
            return try body(key, value)
        }
    }

    /// The first pair whose key starts with `prefix`.
    public func first(withPrefix prefix: ByteString) -> (key: ByteString, value: Value)? {
        var found: (ByteString, Value)?
        scan(prefix: prefix) { key, value in
            found = (key, value)
            return false
        }
        return found
    }

    /// The values of all keys that start with `prefix`, in the order of the keys.
    public func values(withPrefix prefix: ByteString) -> [Value] {
        var found: [Value] = []
        scan(prefix: prefix) { _, value in
            found.append(value)
            return true
        }
        return found
    }
}
