/// What Serf knows and decides (gossip §12), riding on the memberlist whose delegate it is. What it wants done it leaves in `output`
/// and `requests`, from where `Serf` takes it.
///
/// Over 15 stored variables and 500 lines: members, intents and the messages of others change each other. What lives for itself is a type
/// beside it (`SerfMembers`, `IntentBuffer`, `EventHistory`, `QueryHistory`, `SerfQueues`, `PoolCoordinates`).
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

    /// Orders what is said of coming and going.
    var clock = LamportClock()
    var members = SerfMembers()
    var intents = IntentBuffer()
    var events: EventHistory
    var queries: QueryHistory
    var queues: SerfQueues
    /// Members are being asked which of two of our name is known.
    var isResolvingConflict = false

    var coordinates: PoolCoordinates
    var snapshot: SnapshotWriter?
    var counters = SerfCounters()

    init(config: SerfConfig, snapshot recovered: SerfSnapshot?, seed: UInt64, at now: Instant) {
        self.config = config
        tags = config.tags
        start = now
        random = Random(seed: seed)
        queues = SerfQueues(retransmitMult: config.memberlist.retransmitMult)
        events = EventHistory(size: config.eventBuffer)
        queries = QueryHistory(size: config.queryBuffer)
        coordinates = PoolCoordinates(seed: random.next())
        guard let file = config.snapshotFile else { return }
        let recovered = recovered ?? SerfSnapshot()
        clock.witness(recovered.clock)
        events.restore(recovered.eventClock)
        queries.restore(recovered.queryClock)
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
        _ message: [UInt8], on queue: WritableKeyPath<SerfQueues, BroadcastQueue>, token: UInt64 = 0, at now: Instant
    ) {
        // What no packet has room for would never be sent.
        if message.count > config.memberlist.udpBufferSize { return }
        queues[keyPath: queue].enqueue(message, token: token)
        let count = queues[keyPath: queue].count
        if count > queueLimit { arm(.queues, at: tick(config.queueCheckInterval, atOrAfter: now)) }
        if count > SerfLimits.queueGrowthMax * queueLimit { queues[keyPath: queue].prune(to: queueLimit) }
    }

    var queueLimit: Int { max(config.minQueueDepth, 2 * members.count) }

    mutating func pruneQueues() {
        if queues.longest > config.queueDepthWarning {
            log(.warn, "Queue depth: \(queues.intents.count) intents, \(queues.queries.count) queries, \(queues.events.count) events")
        }
        queues.prune(to: queueLimit)
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
        coordinates.client.forget(node: member.name)
        coordinates.known.removeValue(forKey: member.name)
        tell(.reaped, member, at: now)
    }

    /// Gossip §12.8.
    mutating func reap(at now: Instant) {
        let expiries = [(members.failed, config.reconnectTimeout), (members.left, config.tombstoneTimeout)]
        for (names, timeout) in expiries {
            for name in names {
                guard let place = members.place(name), now - members[place].leftAt > timeout, !planted(.reapedNeverPool) else { continue }
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
