/// A member of a gossip pool: Serf as the reference embeds it (gossip §11-14), over memberlist. Over 500 lines with what it does for its
/// owner; what it knows is `SerfState`.
///
/// Messages are ordered by Lamport clocks and passed on by gossip; what memberlist finds out about nodes and what they say of their own
/// coming and going together make the statuses of members. What happens goes into `handle`; what it came to and what is to be done
/// comes out as effects, and `deadline` says when to send `.wake`. Whatever a method asks for is in the effects that it was given.
///
/// It departs from the reference in that nothing blocks (a member that is pruned while it leaves is forgotten later, other messages do
/// not wait for it), timers run only while there is something to do, answers to our own queries do not go through the network, a torn
/// last line of the snapshot is cut off, and answers about keys wait for the keyring file.
public final class Serf {
    /// Stages of this member's departure (gossip §12.9).
    enum Departure {
        case none
        /// The intent is being told.
        case announcing(token: UInt64)
        /// Memberlist tells it.
        case leaving
        /// We stay to answer probes.
        case propagating
    }

    /// What a memberlist join is for.
    enum JoinPurpose {
        case owner(token: UInt64, ignoresOldEvents: Bool)
        /// The members of the snapshot, the next one at the end.
        case rejoin(rest: [JoinTarget])
        case reconnect(String)
    }

    var memberlist: Memberlist<SerfState>
    var now: Instant
    private var gossipOutput: [GossipEffect] = []
    private var nextToken: UInt64 = 0
    var joins = LookupTable<UInt64, JoinPurpose>()
    /// Tags that are being told: the owners' tokens by ours.
    var updates = LookupTable<UInt64, UInt64>()
    /// Forced departures that are being told: the owners' tokens by the broadcasts'.
    var removals = LookupTable<UInt64, UInt64>()
    /// Answers about keys that wait for the keyring file, by the numbers of batches.
    var keyAnswers = LookupTable<UInt64, (query: ReceivedQuery, answer: KeyAnswer)>()
    var departure = Departure.none
    private var restored: [JoinTarget] = []

    /// - Parameters:
    ///   - snapshot: what `config.snapshotFile` said, read by `SerfSnapshot(parsing:rejoinAfterLeave:)`.
    ///   - cipher: needed where there are keys.
    ///   - pool: shares what many members hold alike; for simulations.
    public init(
        config: SerfConfig, snapshot: SerfSnapshot? = nil, keyring: GossipKeyring = GossipKeyring(), cipher: (any GossipCipher)? = nil,
        pool: MetaPool? = nil, seed: UInt64, at now: Instant
    ) {
        var random = Random(seed: seed)
        let state = SerfState(config: config, snapshot: snapshot, seed: random.next(), at: now)
        self.now = now
        if let snapshot {
            var known = snapshot.alive.filter { $0.key != config.name }
            known.shuffle(using: &random)
            restored = known.compactMap { NodeAddress($0.value).map { .address($0) } }
        }
        memberlist = Memberlist(
            config: config.memberlist, delegate: state, keyring: keyring, cipher: cipher, pool: pool, seed: random.next(), at: now)
    }

    public var config: SerfConfig { memberlist.delegate.config }
    var state: SerfState {
        _read { yield memberlist.delegate }
        _modify { yield &memberlist.delegate }
    }

    /// Becomes a member, alone at first; then joins the members of the snapshot, one after the other until one answers. Returns why it
    /// cannot be.
    public func start(at time: Instant, into effects: inout [SerfEffect]) -> TextError? {
        var failure: TextError?
        run(at: time, into: &effects) {
            if SerfTags.encode(state.tags).count > SerfTags.limit {
                failure = TextError("Encoded length of tags exceeds limit of \(SerfTags.limit) bytes")
                return
            }
            failure = memberlist.start(at: now, into: &gossipOutput).map { TextError("Failed to create memberlist: \($0)") }
            if failure == nil { rejoin(restored) }
            restored = []
        }
        return failure
    }

    /// Packets, streams and the passing of time.
    public func handle(_ event: GossipEvent, at time: Instant, into effects: inout [SerfEffect]) {
        run(at: time, into: &effects) {
            memberlist.handle(event, at: now, into: &gossipOutput)
            runTimers()
        }
    }

    /// A batch of ours was performed, or failed.
    public func diskFinished(_ completion: DiskCompletion, at time: Instant, into effects: inout [SerfEffect]) {
        run(at: time, into: &effects) {
            if let waiting = keyAnswers.removeValue(forKey: completion.token) {
                finishKeyChange(waiting.query, waiting.answer, completion.result)
            } else if case .failure(let error) = completion.result {
                state.log(.error, "Failed to update snapshot: \(error)")
                state.snapshot?.failed()
                state.arm(.snapshot, at: state.snapshot?.recoveryAt ?? now)
            }
        }
    }

    /// When to send `.wake`, unless something else comes before.
    public var deadline: Instant? {
        switch (memberlist.deadline, state.timers.first) {
        case (let a?, let b?): min(a, b)
        case (let a, let b): a ?? b
        }
    }

    /// Stops without leaving: others will find out. Writes down what is to be remembered.
    public func shutdown(at time: Instant, into effects: inout [SerfEffect]) {
        run(at: time, into: &effects) {
            // Whoever leaves alone has nobody to wait for.
            let isLeaving = state.lifecycle == .leaving && state.members.hasOthersAlive(besides: config.name)
            if state.lifecycle == .alive || isLeaving { state.log(.warn, "Shutdown without a Leave") }
            state.lifecycle = .shutdown
            state.timers.removeAll()
            flushSnapshot(isLast: true)
        }
    }

    // MARK: Around every entry from outside

    func run(at time: Instant, into effects: inout [SerfEffect], _ body: () -> Void) {
        now = max(now, time)
        swap(&state.output, &effects)
        body()
        settle()
        swap(&state.output, &effects)
    }

    /// Does what the state asked for, until it asks for nothing more.
    private func settle() {
        while true {
            for effect in gossipOutput { state.output.append(.gossip(effect)) }
            gossipOutput.removeAll(keepingCapacity: true)
            for token in state.queues.intents.takeFinished() { broadcastFinished(token) }
            if state.requests.isEmpty && gossipOutput.isEmpty { return }
            var requests: [SerfState.Request] = []
            swap(&requests, &state.requests)
            for request in requests { perform(request) }
        }
    }

    private func perform(_ request: SerfState.Request) {
        switch request {
        case .send(let message, let address):
            send(message, to: address)
        case .keys(let query):
            answerKeys(query)
        case .resolveConflict:
            resolveConflict()
        case .joinFinished(let token, let contacted, let error):
            joinFinished(token, contacted, error)
        case .leaveFinished(let error):
            memberlistLeft(error)
        case .updateFinished(let token, let error):
            guard let owner = updates.removeValue(forKey: token) else { return }
            state.output.append(.tagsUpdated(token: owner, error.map { TextError($0) }))
        }
    }

    /// A message to ourselves takes no way through the network.
    private func send(_ message: [UInt8], to address: NodeAddress) {
        if address == config.memberlist.advertise {
            state.received(message[...], at: now)
        } else {
            memberlist.send(userMessage: message, to: address.text, at: now, into: &gossipOutput)
        }
    }

    func newToken() -> UInt64 {
        nextToken += 1
        return nextToken
    }

    func withGossip(_ body: (inout [GossipEffect]) -> Void) { body(&gossipOutput) }

    // MARK: Timers

    private func runTimers() {
        while let timer = state.timers.popExpired(at: now) {
            switch timer {
            case .reap: state.reap(at: now)
            case .reconnect: reconnect()
            case .queues: state.pruneQueues()
            case .snapshot: flushSnapshot(isLast: false)
            case .leave: departureTimeout()
            case .query(let ltime): state.endQuery(ltime)
            case .removal(let token): removalFinished(token, isLate: true)
            case .prune(let name): state.endPrune(name, at: now)
            }
        }
    }

    func flushSnapshot(isLast: Bool) {
        let clock = state.clock.time
        let operations = state.snapshot?.flush(clock: clock, isLast: isLast, at: now) ?? []
        if !operations.isEmpty {
            state.output.append(
                .disk(DiskBatch(of: config.memberlist.pool == .lan ? .lan : .wan, token: newToken(), operations: operations)))
        }
        if let next = state.snapshot?.recoveryAt { state.arm(.snapshot, at: next) }
    }

    private func broadcastFinished(_ token: UInt64) {
        if case .announcing(token) = departure { return leaveMemberlist() }
        removalFinished(token, isLate: false)
    }
}
