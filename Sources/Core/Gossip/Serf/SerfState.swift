/// What Serf knows and decides (gossip §12), riding on the memberlist whose delegate it is. What it wants done it leaves in `output`
/// and `requests`, from where `Serf` takes it.
struct SerfState {
    /// Where this member's membership stands.
    enum Lifecycle {
        case alive, leaving, left, shutdown
    }

    /// What only the memberlist's owner can do.
    enum Request {
        case send([UInt8], to: NodeAddress)
        /// A query about keys.
        case keys(ReceivedQuery)
        /// Another member claims our name.
        case resolveConflict
        case joinFinished(token: UInt64, contacted: Int, error: String?)
        case leaveFinished(error: String?)
        case updateFinished(token: UInt64, error: String?)
    }

    let config: SerfConfig
    var tags: StringMap
    var lifecycle = Lifecycle.alive
    var output: [SerfEffect] = []
    var requests: [Request] = []
    var timers = DeadlineQueue<SerfTimer>()
    var random: Random
    /// Ticks of intervals count from here.
    let start: Instant

    var clock = LamportClock()
    var eventClock = LamportClock()
    var queryClock = LamportClock()

    var members = SerfMembers()
    var intents = IntentBuffer()

    var intentQueue: BroadcastQueue
    var queryQueue: BroadcastQueue
    var eventQueue: BroadcastQueue
    /// Of the messages on the intent queue whose end somebody waits for.
    var nextBroadcastToken: UInt64 = 0

    var recentEvents: RecentEvents
    var recentQueries: RecentQueries
    /// What is older was delivered before a restart.
    var eventTimeMin: UInt64 = 0
    /// What is older, and known to the member that this one joined, was delivered before it joined.
    var joinEventTime: UInt64 = 0
    var queryTimeMin: UInt64 = 0
    /// How many joins are under way whose targets' old events are not wanted.
    var joinsIgnoringOldEvents = 0

    /// By Lamport time.
    var collectors = LookupTable<UInt64, QueryCollector>()
    /// Members are being asked which of two of our name is known.
    var isResolvingConflict = false

    var coordinates: CoordinateClient
    /// What others, and we, said of where they are.
    var knownCoordinates = LookupTable<String, Coordinate>()

    var snapshot: SnapshotWriter?
    var counters = SerfCounters()

    init(config: SerfConfig, snapshot recovered: SerfSnapshot?, seed: UInt64, at now: Instant) {
        self.config = config
        tags = config.tags
        start = now
        random = Random(seed: seed)
        let mult = config.memberlist.retransmitMult
        intentQueue = BroadcastQueue(retransmitMult: mult)
        queryQueue = BroadcastQueue(retransmitMult: mult)
        eventQueue = BroadcastQueue(retransmitMult: mult)
        recentEvents = RecentEvents(size: config.eventBuffer)
        recentQueries = RecentQueries(size: config.queryBuffer)
        coordinates = CoordinateClient(seed: random.next())
        guard let file = config.snapshotFile else { return }
        let recovered = recovered ?? SerfSnapshot()
        clock.witness(recovered.clock)
        eventClock.witness(recovered.eventClock)
        queryClock.witness(recovered.queryClock)
        if recovered.eventClock < eventClock.time { eventTimeMin = recovered.eventClock + 1 }
        if recovered.queryClock < queryClock.time { queryTimeMin = recovered.queryClock + 1 }
        snapshot = SnapshotWriter(file: file, continuing: recovered, keepsMembersOnLeave: config.rejoinAfterLeave)
    }

    mutating func log(_ level: LogLevel, _ text: String) { output.append(.gossip(.log(level, "serf", text))) }

    // MARK: Timers

    /// The first tick of an interval at or after an instant; ticks count from the start, as a loop that sleeps in between does.
    func tick(_ interval: Duration, atOrAfter instant: Instant) -> Instant {
        let length = interval.nanoseconds
        guard length > 0 else { return instant }
        let passed = max(0, (instant - start).nanoseconds)
        return start + .nanoseconds((passed + length - 1) / length * length)
    }

    /// Sees to it that the timer fires at `instant` or before.
    mutating func arm(_ timer: SerfTimer, at instant: Instant) {
        if let due = timers[timer], due <= instant { return }
        timers[timer] = instant
    }

    // MARK: Broadcasts

    /// Queues a message of ours or of others for gossip; `queue` is one of the three.
    mutating func broadcast(
        _ message: [UInt8], on queue: WritableKeyPath<SerfState, BroadcastQueue>, token: UInt64 = 0, at now: Instant
    ) {
        // What no packet has room for would never be sent.
        if message.count > config.memberlist.udpBufferSize { return }
        self[keyPath: queue].enqueue(message, token: token)
        let count = self[keyPath: queue].count
        if count > queueLimit { arm(.queues, at: tick(config.queueCheckInterval, atOrAfter: now)) }
        if count > SerfLimits.queueGrowthMax * queueLimit { self[keyPath: queue].prune(to: queueLimit) }
    }

    var queueLimit: Int { max(config.minQueueDepth, 2 * members.count) }

    mutating func pruneQueues() {
        if max(intentQueue.count, queryQueue.count, eventQueue.count) > config.queueDepthWarning {
            log(.warn, "Queue depth: \(intentQueue.count) intents, \(queryQueue.count) queries, \(eventQueue.count) events")
        }
        intentQueue.prune(to: queueLimit)
        queryQueue.prune(to: queueLimit)
        eventQueue.prune(to: queueLimit)
    }

    // MARK: Members

    mutating func tell(_ kind: MemberEventKind, _ member: Member, at now: Instant) {
        output.append(.members(kind, [member]))
        snapshot?.record(kind, member, clock: clock.time)
        armSnapshot(at: now)
    }

    /// Forgets a member altogether.
    mutating func erase(at place: Int, at now: Instant) {
        let member = members[place].member
        members.remove(at: place)
        coordinates.forget(node: member.name)
        knownCoordinates.removeValue(forKey: member.name)
        tell(.reaped, member, at: now)
    }

    /// Gossip §12.8.
    mutating func reap(at now: Instant) {
        let expiries = [(members.failed, config.reconnectTimeout), (members.left, config.tombstoneTimeout)]
        for (names, timeout) in expiries {
            for name in names {
                guard let place = members.place(name), now - members[place].leftAt > timeout else { continue }
                log(.info, "EventMemberReap: \(name)")
                erase(at: place, at: now)
            }
        }
        intents.removeAll(before: now - config.recentIntentTimeout)
        armReap(at: now)
    }

    /// Wakes up no sooner than something is due.
    private mutating func armReap(at now: Instant) {
        if let oldest = intents.oldest { armReap(after: oldest + config.recentIntentTimeout) }
        for (names, timeout) in [(members.failed, config.reconnectTimeout), (members.left, config.tombstoneTimeout)] {
            let first = names.compactMap { members[$0]?.leftAt }.min()
            if let first { armReap(after: first + timeout) }
        }
    }

    /// An item expires a moment after `instant`.
    mutating func armReap(after instant: Instant) {
        arm(.reap, at: tick(config.reapInterval, atOrAfter: instant + .nanoseconds(1)))
    }

    mutating func armSnapshot(at now: Instant) {
        guard let snapshot, snapshot.wantsFlush(clock: clock.time) else { return }
        arm(.snapshot, at: now + SnapshotWriter.flushInterval)
    }
}

/// What a Serf wakes up for.
enum SerfTimer: Hashable, Comparable {
    case reap
    case reconnect
    case queues
    case snapshot
    /// Of the stage that our leaving is in.
    case leave
    /// By the query's Lamport time.
    case query(UInt64)
    /// By the broadcast's token.
    case removal(UInt64)
    /// A leaving member that is to be forgotten.
    case prune(String)
}
