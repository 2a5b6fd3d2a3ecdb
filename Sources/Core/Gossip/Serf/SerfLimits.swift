/// Bounds of what others can make a Serf keep or do. In a pool without encryption anybody can send what a member can.
enum SerfLimits {
    /// Bytes of name and payload of an event, as large as the reference lets its owner configure. A larger one is passed over.
    static let eventSizeMax = 9 << 10
    /// Bytes of the latest events, which a push/pull tells of. Beyond it the oldest are forgotten, and what is as old counts as delivered.
    static let recentEventsSizeMax = 2 << 20
    /// What an event counts beside its bytes.
    static let eventOverhead = 64
    /// Events, respectively queries, of one Lamport time. One more is passed over.
    static let eventsPerTimeMax = 1_024
    static let queriesPerTimeMax = 1_024
    /// Bytes of the payload of an answer to a query of ours. A larger one is passed over.
    static let responseSizeMax = 16 << 10
    /// Elements of arrays and maps in one message: a state of as many members as there may be has two for each.
    static let elementsMax = 1 << 20
    /// Different keys that the answers about the keys of a pool are counted by. One more is passed over.
    static let keysMax = 4_096
    /// Over how many members an answer of ours is relayed, whatever the query asks for: no more than the commands allow.
    static let relayFactorMax = 5
    /// Bytes of the names that intents wait for, each with `intentOverhead`. One more intent is passed over.
    static let intentsSizeMax = 2 << 20
    static let intentOverhead = 64
    /// A queue of broadcasts that has grown to so many times its limit is pruned at once, not with the next check.
    static let queueGrowthMax = 2
}
