// What a memberlist tells of itself.

extension Memberlist {
    /// Everybody known, in any state, this node included; in no particular order. O(n).
    public var members: [MemberlistNode] { table.allSlots.map { table[$0].node } }

    /// Any state; O(1).
    public func member(_ name: String) -> MemberlistNode? { table.slot(name).map { table[$0].node } }

    /// Any state; O(1), without copying the member.
    public func state(of name: String) -> NodeState? { table.slot(name).map { table[$0].state } }

    /// All known, in any state.
    public var knownCount: Int { table.count }
    /// Alive or suspected, this node included.
    public var activeCount: Int { table.activeCount }
    public var aliveCount: Int { table.aliveCount }

    /// 0 is healthy (Lifeguard's local health multiplier).
    public var healthScore: Int { awareness.score }
    /// How many messages wait for gossip.
    public var queueDepth: Int { broadcasts.count }
    /// This node's incarnation as others hear of it.
    public var ownIncarnation: UInt32 { incarnation }
    public var localNode: MemberlistNode? { ownSlot.map { table[$0].node } }
}
