/// What is known of all values of a part of a map at once, so that it need not be walked: every node of the tree keeps it.
///
/// Adding summaries up gives the same in any order and grouping.
public protocol TreeSummary: Sendable {
    associatedtype Value: Sendable
    /// Of no values.
    init()
    init(_ value: Value)
    mutating func add(_ other: Self)
    /// A part that was `old` is `new` now. False, and unchanged, where only adding all parts up anew tells what that comes to.
    mutating func replace(_ old: Self, with new: Self) -> Bool
}

/// Nothing: takes no memory and no time.
public struct NoSummary<Value: Sendable>: TreeSummary {
    @inline(__always) public init() {}
    @inline(__always) public init(_ value: Value) {}
    @inline(__always) public mutating func add(_ other: NoSummary) {}
    @inline(__always) public mutating func replace(_ old: NoSummary, with new: NoSummary) -> Bool { true }
}
