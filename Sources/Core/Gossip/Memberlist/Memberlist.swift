/// Membership and failure detection of a gossip pool: SWIM (Das, Gupta, Motivala: "SWIM: Scalable Weakly-consistent Infection-style
/// Process Group Membership Protocol") with Lifeguard (Dadgar, Phillips, Currey), speaking the protocol of the reference (gossip §1-9).
///
/// It departs from the paper where the reference does: news is gossiped by a timer of its own besides riding on pings; a stream is
/// tried beside the indirect pings; whole states are exchanged at joining and now and then; dead members are told that they are. And
/// from the reference:
///
/// - Packets are handled whole as they come, so nothing queues between receipt and handling; what one packet may hold is limited.
/// - Timers run only while there is something to do: no gossip without news, no probes without others.
/// - Addresses that are neither 4 nor 16 bytes long are not believed.
/// - Inputs that crash the reference (gossip §18.5) are ignored.
///
/// Over 15 stored variables and 500 lines: probes, news and states of members decide about each other, so that they are one machine in
/// extensions by subject; what lives for itself is a type beside it (`MemberTable`, `SuspicionTable`, `RelayTable`, `BroadcastQueue`, `Probe`,
/// `Ticker`).
///
/// What happens goes into `handle`, what is to be done comes out as effects, and `deadline` says when to wake it.
public struct Memberlist<Delegate: MemberlistDelegate> {
    public var delegate: Delegate
    public let config: MemberlistConfig
    /// Empty: nothing is encrypted. Changes hold from the next message on.
    public var keyring: GossipKeyring
    let cipher: (any GossipCipher)?
    let pool: MetaPool?
    var random: Random
    /// Never goes back, whatever the driver's clock does.
    var now: Instant
    var output: [GossipEffect] = []

    var table = MemberTable()
    /// Of this node, once it is started.
    var ownSlot: Int?
    var incarnation: UInt32 = 0
    var sequence: UInt32 = 0
    var isLeaving = false
    /// When a node was last declared dead: dead ones are gossiped to for a while.
    var lastDeath: Instant?
    var awareness: Awareness
    var broadcasts: BroadcastQueue
    var suspicions = SuspicionTable()

    var gossipTicker: Ticker
    var probeTicker: Ticker
    var pushPullAt: Instant?
    var probe: Probe?
    /// Where in the order the next probe looks.
    var probeIndex = 0
    var relays = RelayTable()
    var packetBudget = DecompressionBudget(.packets)
    var streamBudget = DecompressionBudget(.streams)

    var calls = LookupTable<CallID, Call>()
    var callCounter: CallCounter
    var joins = LookupTable<UInt64, Join>()
    /// Broadcasts of our own whose end somebody waits for; few.
    var waits: [Wait] = []
    var nextWait: UInt64 = 0
    public internal(set) var counters = MemberlistCounters()

    /// `cipher` is needed where the keyring ever has keys.
    public init(
        config: MemberlistConfig, delegate: Delegate, keyring: GossipKeyring = GossipKeyring(), cipher: (any GossipCipher)? = nil,
        pool: MetaPool? = nil, seed: UInt64, at now: Instant
    ) {
        precondition(keyring.isEmpty || cipher != nil, "an encrypted memberlist has a cipher")
        self.config = config
        callCounter = CallCounter(config.pool == .lan ? .lan : .wan)
        self.delegate = delegate
        self.keyring = keyring
        self.cipher = cipher
        self.pool = pool
        self.now = now
        random = Random(seed: seed)
        awareness = Awareness(multiplier: config.usesAwareness ? config.awarenessMaxMultiplier : 1)
        broadcasts = BroadcastQueue(retransmitMult: config.retransmitMult)
        gossipTicker = Ticker(interval: config.gossipInterval)
        probeTicker = Ticker(interval: config.probeInterval)
    }

    /// Makes this node known and starts the timers; returns why it cannot.
    public mutating func start(at time: Instant, into effects: inout [GossipEffect]) -> String? {
        begin(time, &effects)
        defer { end(&effects) }
        let meta = delegate.nodeMeta(limit: config.metaMaxSize)
        guard meta.count <= config.metaMaxSize else { return "Node meta data provided is longer than the limit" }
        gossipTicker.start(at: now + random.duration(below: config.gossipInterval))
        probeTicker.start(at: now + random.duration(below: config.probeInterval))
        if config.pushPullInterval > .zero { pushPullAt = now + random.duration(below: config.pushPullInterval) + pushPullInterval }
        announce(meta, token: 0)
        return nil
    }

    public mutating func handle(_ event: GossipEvent, at time: Instant, into effects: inout [GossipEffect]) {
        begin(time, &effects)
        switch event {
        case .packet(let from, let bytes): receive(packet: bytes, from: from)
        case .call(let id, let from, let bytes): receive(call: id, from: from, bytes)
        case .answered(let id, let bytes): receive(answer: bytes, to: id)
        case .callFailed(let id, let text): receive(failure: text, of: id)
        case .wake: runTimers()
        }
        end(&effects)
    }

    /// This node as others are to see it, with the next incarnation.
    mutating func announce(_ meta: [UInt8], token: UInt64) {
        incarnation = nextIncarnation(beyond: 0)
        let alive = AliveMessage(
            incarnation: incarnation, node: config.name, address: config.advertise.bytes[...], port: config.advertise.port, meta: meta[...],
            versions: config.versions.bytes[...])
        apply(alive, isOwn: true, token: token)
    }

    /// The next incarnation, beyond the accused one. Nothing is beyond the highest number, to which anybody may push this node: it goes on
    /// from its own and, if that is the highest, from 1 (memberlist from 0). The others take that for old news until they have forgotten
    /// the node, 30 s after they take it for dead; 0 they would never believe.
    func nextIncarnation(beyond accused: UInt32) -> UInt32 {
        let highest = max(incarnation, accused)
        if highest < .max { return planted(.refutedWithSameIncarnation) && accused > 0 ? highest : highest + 1 }
        return incarnation < .max ? incarnation + 1 : 1
    }

    // MARK: Around every entry from outside

    mutating func begin(_ time: Instant, _ effects: inout [GossipEffect]) {
        now = max(now, time)
        swap(&output, &effects)
    }

    mutating func end(_ effects: inout [GossipEffect]) {
        reportFinishedBroadcasts()
        armTickers()
        swap(&output, &effects)
    }

    mutating func log(_ level: LogLevel, _ text: String) { output.append(.log(level, "memberlist", text)) }

    // MARK: Timers

    /// When to send `.wake`, unless something else comes before.
    public var deadline: Instant? {
        var first = gossipTicker.next ?? .distantFuture
        // The delegate got something to say that no event told of.
        if gossipTicker.next == nil, delegate.hasBroadcasts, hasGossipTargets { first = now }
        if probe == nil { first.bringForward(to: probeTicker.next) }
        first.bringForward(to: probe?.deadline)
        first.bringForward(to: suspicions.deadline)
        first.bringForward(to: relays.deadline)
        first.bringForward(to: pushPullAt)
        for wait in waits { first.bringForward(to: wait.deadline) }
        return first == .distantFuture ? nil : first
    }

    private mutating func runTimers() {
        while let (slot, suspicion) = suspicions.popExpired(at: now) { suspicionEnded(of: slot, suspicion) }
        while let relay = relays.popExpired(at: now) { relayEnded(relay) }
        if let probe, probe.deadline <= now { continueProbe() }
        if probe == nil, probeTicker.consumeTick(at: now) { probeNext() }
        if gossipTicker.consumeTick(at: now) { gossip() }
        if let due = pushPullAt, due <= now {
            pushPullAt = now + pushPullInterval
            pushPullWithAny()
        }
        let instant = now
        endWaits { $0.deadline <= instant }
    }

    /// Starts the tickers that have something to do, and stops those that have not.
    private mutating func armTickers() {
        let hasNews = !broadcasts.isEmpty || delegate.hasBroadcasts
        if config.gossipNodes > 0, hasNews, hasGossipTargets { gossipTicker.arm(at: now) } else { gossipTicker.disarm() }
        // Dead ones are forgotten when a round of probes ends.
        if othersActive + table.deadCount > 0 { probeTicker.arm(at: now) } else { probeTicker.disarm() }
    }

    /// Members beside this one that are alive or suspected. After it has left, this one is no member any more.
    var othersActive: Int {
        let own = ownSlot.map { table[$0].state.isGone ? 0 : 1 } ?? 0
        return table.activeCount - own
    }

    private var hasGossipTargets: Bool {
        if othersActive > 0 { return true }
        guard table.deadCount > 0, let lastDeath else { return false }
        return now - lastDeath <= config.gossipToTheDeadTime
    }
}

/// Fires at fixed distances from its start; costs nothing while it is not armed.
struct Ticker {
    private let interval: Int64
    private var origin: Instant?
    private(set) var next: Instant?

    init(interval: Duration) { self.interval = interval.nanoseconds }

    /// An interval of zero never fires.
    mutating func start(at instant: Instant) { origin = interval > 0 ? instant : nil }

    /// The next tick is the first one after `now`, unless one is awaited already.
    mutating func arm(at now: Instant) {
        guard next == nil, let origin else { return }
        let passed = (now - origin).nanoseconds
        next = passed < 0 ? origin : origin + .nanoseconds((passed / interval + 1) * interval)
    }

    mutating func disarm() { next = nil }

    /// Whether a tick is due; those that were missed count once.
    mutating func consumeTick(at now: Instant) -> Bool {
        guard let due = next, due <= now else { return false }
        next = nil
        arm(at: now)
        return true
    }
}

/// What the reference counts (gossip §18.3), since the start.
public struct MemberlistCounters: Hashable, Sendable {
    /// Bytes.
    public var udpSent: UInt64 = 0
    public var udpReceived: UInt64 = 0
    public var tcpSent: UInt64 = 0
    public var tcpAccept: UInt64 = 0
    public var tcpConnect: UInt64 = 0
    public var alive: UInt64 = 0
    public var suspect: UInt64 = 0
    public var dead: UInt64 = 0
    /// Probes with a stretched interval.
    public var degradedProbe: UInt64 = 0
    /// Suspicions that ended with fewer accusers than wanted.
    public var degradedTimeout: UInt64 = 0
}
