/// What a server adds to an agent: it takes part in consensus, keeps the replicated state, carries out reads and writes for
/// whoever asks, and does the leader's duties while it leads.
///
/// Pure: events in, effects and answers out. A composition: each concern is a part with its own file, state and header, and can be tested without a
/// server. What is left here, over 500 lines in extensions by subject and 17 stored variables, of which eleven are the parts, is the way of
/// events and work between them: what one of them comes to is an effect, an answer, or work for another. Spec: behaviour §1-5.
public final class Server {
    private(set) var settings: AgentSettings
    var random: Random

    var consensus: ConsensusPort
    var state: StateKeeper
    var reads = ReadService()
    var writes = WriteService()
    var calls: CallRouter
    let duties: LeaderDuties
    let gossip: any PoolOperations
    var pool: ServerPool
    var bootstrap: ClusterBootstrap
    var snapshots: SnapshotWork
    var measures = ServerMeasures()

    // What has been appended since the owner last took it.
    var effects: [ServerEffect] = []
    var answers: [ServerAnswer] = []
    /// Something that readers outside must see has changed since the last `publish`.
    var publishes = false
    /// When the leader was last heard, as readers know it, and how much later than that it must be to tell them.
    private var publishedContact: Instant?
    private static let contactGrain = Duration.milliseconds(50)

    /// Recovers what the disk holds; the state machine catches up as committed entries are delivered.
    init(
        settings: AgentSettings, disk: some Disk, gossip: any PoolOperations, archives: (any ArchiveTools)? = nil, seed: UInt64,
        at now: Instant
    ) throws(ServerError) {
        self.settings = settings
        self.gossip = gossip
        snapshots = SnapshotWork(archives)
        calls = CallRouter(settings, at: now)
        var random = Random(seed: seed)
        duties = LeaderDuties(settings)
        pool = ServerPool(settings)
        let (recovered, store) = try Server.recover(disk, milliseconds: (now.nanoseconds &+ settings.wallClockOffset) / 1_000_000)
        state = StateKeeper(store, of: recovered.snapshot)
        bootstrap = ClusterBootstrap(settings)
        consensus = ConsensusPort(
            RaftNode(
                config: RaftConfig(settings), identity: RaftIdentity(id: settings.raftID, address: settings.raftAddress),
                recovered: recovered,
                seed: random.next(), now: now))
        self.random = random
        for note in recovered.notes { log(.warn, note) }
        if recovered.isPristine { beginCluster(at: now) }
        publishes = true
    }

    // MARK: Events

    /// Another server calls.
    public func called(_ id: CallID, from address: Address, _ channel: Channel, _ bytes: [UInt8], at now: Instant) {
        switch channel {
        case .raft: drive(.call(id, from: address, bytes), at: now)
        case .rpc:
            measures.add(.call)
            callArrived(id, from: address, bytes, at: now)
        case .snapshot: snapshotArrived(id, from: address, bytes, at: now)
        case .lan, .wan: effects.append(.refuse(id))
        }
    }

    public func answered(_ id: CallID, _ bytes: [UInt8], at now: Instant) {
        if id.owner == .raft {
            drive(.answered(id, bytes), at: now)
        } else if let outcome = calls.caller.answered(id, bytes, at: now, &random) {
            callEnded(outcome, at: now)
        }
    }

    public func callFailed(_ id: CallID, _ reason: String, at now: Instant) {
        if id.owner == .raft {
            drive(.callFailed(id, reason), at: now)
        } else if let outcome = calls.caller.failed(id, reason, at: now, &random) {
            callEnded(outcome, at: now)
        }
    }

    /// Limits that a reload may change.
    public func reload(_ new: Reloadable, at now: Instant) {
        settings.reloadable = new
        calls.reload(new, at: now)
        publishes = true
    }

    public func diskCompleted(_ completion: DiskCompletion, at now: Instant) {
        if let measure = measures.disk.ended(completion.token, at: now) { measures.add(measure) }
        drive(.disk(completion), at: now)
    }

    /// Timers that have come due.
    public func wake(at now: Instant) {
        if let due = raft.deadline, due <= now { drive(.wake, at: now) }
        expireBlocked(at: now)
        expireHeld(at: now)
        performRetries(at: now)
        continueBootstrap(at: now)
        duties.wake(self, at: now)
        workOnSnapshots(at: now)
    }

    /// The end of a batch of events: proposals collected in it go to the log together, and readers see the new state.
    public func flush(at now: Instant) {
        if consensus.hasProposals {
            consensus.flushProposals(at: now)
            performRaftEffects(at: now)
        }
        verifyCollected(at: now)
        consensus.flush(at: now)
        performRaftEffects(at: now)
        // Readers tell their clients how long ago the leader was heard.
        if !raft.isLeader, let contact = raft.lastContact, publishedContact.map({ contact - $0 >= Self.contactGrain }) ?? true {
            publishes = true
        }
        publish(at: now)
    }

    /// Whether there are writes or reads that wait for `flush`.
    var isCollecting: Bool { consensus.hasProposals || reads.isCollecting }

    public var deadline: Instant? {
        var earliest = raft.deadline
        earliest.bringForward(to: reads.blocked.deadline)
        earliest.bringForward(to: calls.deadline)
        earliest.bringForward(to: duties.deadline)
        earliest.bringForward(to: bootstrap.deadline)
        earliest.bringForward(to: snapshots.deadline)
        return earliest
    }

    /// What was measured since the last call, in the order of events.
    public func drainMeasures(_ body: (ServerMeasure) -> Void) {
        for measure in measures.collected { body(measure) }
        measures.drained()
    }

    /// What replication has done since the last call; nothing while this server does not lead.
    public func drainReplications(_ body: (ReplicationMeasure) -> Void) { raft.drainReplications(body) }

    /// What was looked up since the last call, and how often.
    public func drainLookups(_ body: (MeasuredLookup, Int) -> Void) {
        for (lookup, count) in measures.takeLookups() { body(lookup, count) }
    }

    /// How many blocking queries wait.
    public var blockedCount: Int { reads.blocked.count }

    /// How long ago the leader, which this server is, heard from each other voter.
    public func followerContacts(at now: Instant) -> [Duration] {
        guard raft.isLeader else { return [] }
        return raft.configuration.voters.compactMap { server in
            server.id == settings.raftID ? nil : raft.lastContact(with: server.id).map { max(.zero, now - $0) }
        }
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

    public var raft: RaftNode { consensus.raft }

    /// Hands an event to consensus and does what it asks for.
    func drive(_ event: RaftEvent, at now: Instant) {
        consensus.handle(event, at: now)
        performRaftEffects(at: now)
    }

    private func performRaftEffects(at now: Instant) {
        guard consensus.beginPerforming() else { return }
        while let batch = consensus.takeEffects() {
            for effect in batch { perform(effect, at: now) }
            consensus.giveBack(batch)
        }
        consensus.endPerforming()
    }

    /// The replicated state that readers are shown.
    public var store: Store { _read { yield state.store } }
    /// Of the last entry that is applied.
    public var appliedIndex: UInt64 { state.applied.index }
    public var appliedTerm: UInt64 { state.applied.term }

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
                    knowsLeader: raft.leaderAddress != nil,
                    lastLeaderContact: raft.isLeader ? now : state.isReadable ? raft.lastContact : nil,
                    limitsCalls: calls.isLimited)))
    }

    /// Whether this server leads, and has taken up its duties.
    var isEstablished: Bool { duties.isEstablished }
}
