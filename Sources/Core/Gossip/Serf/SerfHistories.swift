// What a Serf remembers of events and queries, what it has to pass on, and where members are (gossip §12.4, §12.6, §13.2).

/// The user events that this member has seen.
struct EventHistory {
    var clock = LamportClock()
    var recent: RecentEvents
    /// What is older was delivered before a restart, or forgotten for want of room.
    var timeMin: UInt64 = 0
    /// What is older, and known to the member that this one joined, was delivered before it joined.
    var joinTime: UInt64 = 0
    /// How many joins are under way whose targets' old events are not wanted.
    var joinsIgnoringOld = 0

    init(size: Int) { recent = RecentEvents(size: size) }

    /// The clock goes on where it was before a restart.
    mutating func restore(_ time: UInt64) {
        clock.witness(time)
        if time < clock.time { timeMin = time + 1 }
    }
}

/// The queries that this member has seen, and those of its own that are answered.
struct QueryHistory {
    var clock = LamportClock()
    var recent: RecentQueries
    /// What is older was delivered before a restart.
    var timeMin: UInt64 = 0
    /// By Lamport time.
    var collectors = LookupTable<UInt64, QueryCollector>()

    init(size: Int) { recent = RecentQueries(size: size) }

    /// The clock goes on where it was before a restart.
    mutating func restore(_ time: UInt64) {
        clock.witness(time)
        if time < clock.time { timeMin = time + 1 }
    }
}

/// Messages that are gossiped on, the most urgent kind first.
struct SerfQueues {
    var intents: BroadcastQueue
    var queries: BroadcastQueue
    var events: BroadcastQueue
    /// Of the messages among the intents whose end somebody waits for.
    var nextToken: UInt64 = 0

    init(retransmitMult: Int) {
        intents = BroadcastQueue(retransmitMult: retransmitMult)
        queries = BroadcastQueue(retransmitMult: retransmitMult)
        events = BroadcastQueue(retransmitMult: retransmitMult)
    }

    /// The number of messages in the longest queue.
    var longest: Int { max(intents.count, queries.count, events.count) }

    mutating func prune(to limit: Int) {
        intents.prune(to: limit)
        queries.prune(to: limit)
        events.prune(to: limit)
    }
}

/// Where this member is in the network, and what it knows of where others are.
struct PoolCoordinates {
    var client: CoordinateClient
    /// What others, and we, said of where they are.
    var known = LookupTable<String, Coordinate>()

    init(seed: UInt64) { client = CoordinateClient(seed: seed) }
}
