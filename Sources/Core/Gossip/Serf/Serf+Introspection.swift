// What a Serf tells of itself and of the pool.

extension Serf {
    /// Everybody in any status, ourselves included, by name. The first call decodes all tags: O(n); later ones what changed.
    public var members: [Member] { state.members.decodedAll() }

    /// Any status; O(log n).
    public func member(named name: String) -> Member? { state.members[name]?.member }

    /// Ourselves.
    public var localMember: Member? { member(named: config.name) }

    public var memberCount: Int { state.members.count }
    public func memberCount(_ status: MemberStatus) -> Int { state.members.count(status) }

    /// Messages that wait to be passed on.
    public var queueDepths: (intents: Int, events: Int, queries: Int) {
        (state.queues.intents.count, state.queues.events.count, state.queues.queries.count)
    }

    /// Where we are in the space of latencies.
    public var coordinate: Coordinate { state.coordinates.client.coordinate }

    /// Where a member was when it last answered a ping of ours; for our own name, where we are. nil: not known.
    public func coordinate(of name: String) -> Coordinate? {
        name == config.name ? state.coordinates.client.coordinate : state.coordinates.known[name]
    }

    public var keyring: GossipKeyring { memberlist.keyring }
    public var tags: StringMap { state.tags }
    public var healthScore: Int { memberlist.healthScore }
    public var counters: SerfCounters { state.counters }
    public var memberlistCounters: MemberlistCounters { memberlist.counters }

    /// Whether we have left, or are about to.
    public var isLeaving: Bool { state.lifecycle != .alive }

    /// As `/v1/agent/self` shows it (gossip §18.1).
    public var stats: StringMap {
        [
            "coordinate_resets": String(state.coordinates.client.resets), "encrypted": String(!memberlist.keyring.isEmpty),
            "event_queue": String(state.queues.events.count), "event_time": String(state.events.clock.time),
            "failed": String(state.members.count(.failed)), "health_score": String(memberlist.healthScore),
            "intent_queue": String(state.queues.intents.count), "left": String(state.members.count(.left)),
            "member_time": String(state.clock.time), "members": String(state.members.count),
            "query_queue": String(state.queues.queries.count), "query_time": String(state.queries.clock.time),
        ]
    }
}
