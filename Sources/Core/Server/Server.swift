/// What a server adds to an agent: it takes part in consensus, keeps the replicated state, carries out reads and writes for
/// whoever asks, and does the leader's duties while it leads.
///
/// Pure: events in, effects and answers out. The parts are in extensions by subject; this file holds the state, the way in
/// for events, and what happens when entries commit. Spec: behaviour §1-5.
public final class Server {
    let config: AgentConfig
    public internal(set) var raft: RaftNode
    public internal(set) var store: Store
    var random: Random
    /// Of what this agent asks for itself and its clients (`limits.rpc_rate`); not of what others ask for.
    var limiter: RateLimiter?

    /// What has been appended since the owner last took it.
    var effects: [ServerEffect] = []
    var answers: [ServerAnswer] = []
    /// Something that readers outside must see has changed since the last `publish`.
    var publishes = false
    /// When the leader was last heard, as readers know it, and how much later than that it must be to tell them.
    private var publishedContact: Instant?
    private static let contactGrain = Duration.milliseconds(50)
    var raftEffects: [RaftEffect] = []
    private var raftBatch: [RaftEffect] = []
    private var isPerforming = false

    // Writes under way, by the token of their proposal.
    var proposals: [Proposal] = []
    var pendingWrites = LookupTable<UInt64, Requester>()
    var nextToken: UInt64 = 1

    // Reads and writes that wait for something.
    var blocked = BlockedQueries()
    var held = PersistentMap<UInt64, HeldWork>()
    var heldDeadlines = DeadlineQueue<UInt64>()
    var verifications = LookupTable<UInt64, [VerifiedRead]>()
    /// Reads of this batch of events, for which the followers have not been asked yet.
    var unverified: [VerifiedRead] = []
    var callCounter = CallCounter(.server)
    var forwarded = LookupTable<CallID, ForwardedWork>()
    var retries = PersistentMap<UInt64, (call: ForwardedWork, giveUpAt: Instant, error: ServerError)>()
    var retryDeadlines = DeadlineQueue<UInt64>()
    var incoming = LookupTable<CallID, IncomingCall>()
    /// Operations that the agent carries out.
    var delegated = LookupTable<UInt64, Requester>()
    /// Why consensus was asked to change its configuration or its leader, by token.
    var consensusPurposes = LookupTable<UInt64, ConsensusPurpose>()
    var nextID: UInt64 = 1
    var evaluations: UInt64 = 0

    // Leadership.
    var leadership = Leadership.following
    var lockDelays = LockDelays()
    var sessionTimers = SessionTimers()
    var tombstones: TombstoneSchedule
    var duties = LookupTable<UInt64, Duty>()
    var reconcileAt: Instant?
    var isLeaving = false
    var coordinateUpdates: CoordinateUpdates
    var reconciliation = Reconciliation()
    var autopilot = Autopilot()
    /// Changes of the Raft configuration that the leader has asked for on its own behalf.
    var changesUnderWay = LookupSet<MembershipChange>()

    // The pool.

    /// The LAN pool, in the order of names. The owner sets it whenever it changes, before it tells of the change by `memberEvent`; before
    /// it is set for the first time it consists of the servers that the configuration names.
    public var lanMembers: [Member] {
        didSet {
            hasGossip = true
            lanServers = Self.servers(of: lanMembers, datacenter: config.datacenter)
        }
    }
    /// Those of the members that are servers of this datacenter.
    private(set) var lanServers: [ServerTags]
    private(set) var hasGossip = false
    /// How many servers a new cluster waits for; 0: it does not, or not any more.
    var bootstrapExpect = 0
    var bootstrapRound: BootstrapRound?
    /// What this server has asked others for itself.
    var ownCalls = LookupTable<CallID, (purpose: OwnCall, operation: ServerOperation)>()

    // The state machine.
    public internal(set) var appliedIndex: UInt64 = 0
    public internal(set) var appliedTerm: UInt64 = 0
    /// The last entry in the state: what a snapshot of it is named after.
    var lastCommand: (index: UInt64, term: UInt64) = (0, 0)
    var captured = LookupTable<SnapshotID, SnapshotEncoder>()
    var decoding = LookupTable<SnapshotID, SnapshotDecoder>()
    var decoded = LookupTable<SnapshotID, Store>()
    /// A state that consensus has put in place, and that may still come to nothing: nobody is shown it before a quorum has it.
    var provisional: ProvisionalState?
    /// The state that an operator has brought, while it takes the place of the present one.
    var brought: Store?
    /// Archives being made or read, and when to go on with them.
    var snapshotWork = SnapshotWork()
    /// nil where there are no archives.
    let archives: (any ArchiveTools)?

    /// Where this server stands in the term: a new leader serves once it has applied an entry of its own term.
    enum Leadership: Equatable {
        case following
        case establishing(term: UInt64)
        case established(term: UInt64)
    }

    /// What another server has asked for.
    struct IncomingCall {
        var sequence: UInt64
        var method: String
        var work: ServerWork
        /// Callers from elsewhere get filtered rows; this agent's own clients are served by the renderer.
        var filter: Filter?
        var filterError: FilterError?
    }

    struct HeldWork {
        var requester: Requester
        var work: ServerWork
        var error: ServerError
    }

    struct ForwardedWork {
        var requester: Requester
        var work: ServerWork
        /// When the first attempt failed for want of a leader; nil while none has.
        var giveUpAt: Instant?
    }

    struct ProvisionalState {
        var store: Store
        var index: UInt64
        var term: UInt64
    }

    struct VerifiedRead {
        var requester: Requester
        var query: ReadQuery
        var options: QueryOptions
        var deadline: Instant?
    }

    /// What the leader writes on its own behalf.
    enum Duty {
        case expireSession(String)
        case reapTombstones(UInt64)
        /// Of the member of that name.
        case reconcile(String)
        case updateCoordinates
        case configureAutopilot
    }

    enum ConsensusPurpose {
        case operation(Requester)
        /// The leader's own; the text begins the message about its failure.
        case membership(MembershipChange, String)
        case restore(Requester)
        /// An archive is made once it is certain that this server leads.
        case saving(Requester)
        /// This server leaves.
        case leaving
        /// Nobody waits for it; the text begins the message about its failure.
        case duty(String)
    }

    /// Recovers what the disk holds; the state machine catches up as committed entries are delivered.
    public init(
        config: AgentConfig, disk: some Disk, archives: (any ArchiveTools)? = nil, seed: UInt64, at now: Instant
    ) throws(ServerError) {
        self.config = config
        self.archives = archives
        limiter = RateLimiter(config, at: now)
        var random = Random(seed: seed)
        coordinateUpdates = CoordinateUpdates(config)
        lanMembers = Self.configuredMembers(config)
        lanServers = Self.servers(of: lanMembers, datacenter: config.datacenter)
        tombstones = TombstoneSchedule(ttl: config.tombstoneTTL, granularity: config.tombstoneGranularity)
        let (recovered, store) = try Server.recover(disk, milliseconds: (now.nanoseconds &+ config.wallClockOffset) / 1_000_000)
        if let snapshot = recovered.snapshot, snapshot.isRestored {
            self.store = Store()
            provisional = ProvisionalState(store: store, index: snapshot.index, term: snapshot.term)
        } else {
            self.store = store
            (appliedIndex, appliedTerm) = (recovered.snapshot?.index ?? 0, recovered.snapshot?.term ?? 0)
            lastCommand = (appliedIndex, appliedTerm)
        }
        raft = RaftNode(
            config: RaftConfig(config), identity: RaftIdentity(id: config.raftID, address: config.raftAddress), recovered: recovered,
            seed: random.next(),
            now: now)
        self.random = random
        for note in recovered.notes { log(.warn, note) }
        if recovered.isPristine { bootstrap(at: now) }
        if config.initialServers.isEmpty && !config.bootstrap { bootstrapExpect = config.bootstrapExpect }
        publishes = true
    }

    // MARK: Events

    /// Another server calls.
    public func called(_ id: CallID, from address: Address, _ channel: Channel, _ bytes: [UInt8], at now: Instant) {
        switch channel {
        case .raft: drive(.call(id, from: address, bytes), at: now)
        case .rpc: callArrived(id, bytes, at: now)
        case .snapshot: snapshotArrived(id, bytes, at: now)
        case .lan, .wan: effects.append(.refuse(id))
        }
    }

    public func answered(_ id: CallID, _ bytes: [UInt8], at now: Instant) {
        if id.owner == .raft {
            drive(.answered(id, bytes), at: now)
        } else if let work = forwarded.removeValue(forKey: id) {
            forwardAnswered(work, bytes, at: now)
        } else if let call = ownCalls.removeValue(forKey: id) {
            ownCallEnded(call, .success(bytes), at: now)
        }
    }

    public func callFailed(_ id: CallID, _ reason: String, at now: Instant) {
        if id.owner == .raft {
            drive(.callFailed(id, reason), at: now)
        } else if let work = forwarded.removeValue(forKey: id) {
            forwardFailed(work, reason, at: now)
        } else if let call = ownCalls.removeValue(forKey: id) {
            ownCallEnded(call, .failure(ServerError(failedCall: reason)), at: now)
        }
    }

    /// Limits that a reload may change.
    public func reload(_ new: AgentConfig, at now: Instant) {
        limiter = RateLimiter(new, at: now)
        publishes = true
    }

    public func diskCompleted(_ completion: DiskCompletion, at now: Instant) { drive(.disk(completion), at: now) }

    /// Timers that have come due.
    public func wake(at now: Instant) {
        if let due = raft.deadline, due <= now { drive(.wake, at: now) }
        expireBlocked(at: now)
        expireHeld(at: now)
        performRetries(at: now)
        continueBootstrap(at: now)
        performDueDuties(at: now)
        workOnSnapshots(at: now)
    }

    /// The end of a batch of events: proposals collected in it go to the log together, and readers see the new state.
    public func flush(at now: Instant) {
        if !proposals.isEmpty {
            let batch = proposals
            proposals = []
            drive(.propose(batch), at: now)
        }
        verifyCollected(at: now)
        raft.flush(at: now, into: &raftEffects)
        performRaftEffects(at: now)
        // Readers tell their clients how long ago the leader was heard.
        if !raft.isLeader, let contact = raft.lastContact, publishedContact.map({ contact - $0 >= Self.contactGrain }) ?? true {
            publishes = true
        }
        publish(at: now)
    }

    /// Whether there are writes or reads that wait for `flush`.
    var isCollecting: Bool { !proposals.isEmpty || !unverified.isEmpty }

    public var deadline: Instant? {
        var earliest = raft.deadline
        for other in [
            blocked.deadline, heldDeadlines.first, retryDeadlines.first, dutyDeadline, bootstrapRound?.questions.first,
            snapshotWork.deadline,
        ] {
            if let other { earliest = min(earliest ?? other, other) }
        }
        return earliest
    }

    /// Takes what has come out since the last call.
    public func takeOutput(into effects: inout [ServerEffect]) -> [ServerAnswer] {
        effects.append(contentsOf: self.effects)
        self.effects.removeAll(keepingCapacity: true)
        let answers = self.answers
        self.answers = []
        return answers
    }

    // MARK: Consensus

    /// Hands an event to consensus and does what it asks for.
    func drive(_ event: RaftEvent, at now: Instant) {
        raft.handle(event, at: now, into: &raftEffects)
        performRaftEffects(at: now)
    }

    /// Performs the effects of consensus in their order; those that performing one brings about come after all that were there before.
    private func performRaftEffects(at now: Instant) {
        guard !isPerforming else { return }
        isPerforming = true
        defer { isPerforming = false }
        while !raftEffects.isEmpty {
            swap(&raftEffects, &raftBatch)
            for at in raftBatch.indices { perform(raftBatch[at], at: now) }
            raftBatch.removeAll(keepingCapacity: true)
        }
    }

    func log(_ level: LogLevel, _ text: String) { effects.append(.log(level, "agent.server", text)) }

    /// Lets readers see the present state; before anybody is answered who waited for it.
    func publish(at now: Instant) {
        guard publishes else { return }
        publishes = false
        publishedContact = raft.lastContact
        effects.append(
            .publish(
                PublishedState(
                    store: store, isLeader: isEstablished, leaseExpiry: isEstablished ? raft.leaseExpiry ?? .zero : .zero,
                    isSoleVoter: raft.isSoleVoter,
                    knowsLeader: raft.leaderAddress != nil, lastLeaderContact: raft.isLeader ? now : isReadable ? raft.lastContact : nil,
                    limitsCalls: limiter != nil)))
    }

    var isEstablished: Bool {
        if case .established = leadership { true } else { false }
    }
}
