/// One member of a datacenter: its API, its local services and checks, and (on servers) consensus and the replicated state.
/// Client agents have no state to publish: all their requests and questions come to the core loop.
///
/// The very same object runs in production and in the simulator; `AgentMachine` is how both drive it. Each concern has an owner of its own,
/// which works without an agent: `RequestBroker`, `QuestionBroker`, `GossipMembership`, `Telemetry`, `Lifecycle`, `LocalState`, the backend.
/// The agent holds them together, in 16 stored variables, ten of which are these owners and what they are made from, and over 500 lines in
/// extensions by subject: it routes events to them, and carries to one what another has to say.
public final class Agent: AgentMachine {
    public internal(set) var settings: AgentSettings
    let backend: Backend
    /// nil on client agents.
    public var server: Server? { backend.server }
    let router: Router
    let context: APIContext
    let local: LocalState
    let membership: GossipMembership
    /// Everybody in the datacenter, and the servers of all datacenters; nil where the agent is in no such pool.
    var lan: Pool? { membership.lan }
    var wan: Pool? { membership.wan }
    var telemetry: Telemetry
    var lifecycle: Lifecycle
    /// What starting has come to; given out with the first batch.
    var startEffects: [AgentEffect] = []
    var requests: RequestBroker
    var questions: QuestionBroker
    var random: Random
    var localEffects: [LocalEffect] = []
    private var backendEffects: [ServerEffect] = []
    var files = FileReplacements()
    /// As in the configuration, until the clock is set.
    var wallClockOffset: Int64

    /// Recovers from `disk` and starts. `disk` is not used afterwards; without `archives` there are no archives of snapshots; `md5Hex` names the files of registrations.
    public init(
        settings: AgentSettings, disk: some Disk, cipher: (any GossipCipher)? = nil, archives: (any ArchiveTools)? = nil, seed: UInt64,
        at now: Instant,
        md5Hex: @escaping @Sendable ([UInt8]) -> String
    ) throws(ServerError) {
        var random = Random(seed: seed)
        self.settings = settings
        wallClockOffset = settings.wallClockOffset
        telemetry = Telemetry(settings)
        context = APIContext(from: settings)
        router = Router(context)
        requests = RequestBroker(context)
        questions = QuestionBroker(settings)
        membership = GossipMembership(settings)
        lifecycle = Lifecycle(
            startJoins: settings.gossips ? [GossipPool.lan, .wan].filter { !settings.gossip[$0].startJoin.isEmpty } : [])
        backend =
            settings.identity.isServer
            ? .server(try Server(settings: settings, disk: disk, gossip: membership, archives: archives, seed: random.next(), at: now))
            : .client(Client(settings: settings, seed: random.next(), at: now))
        local = LocalState(settings: settings, random: Random(seed: random.next()), codec: RegistrationJSON(), md5Hex: md5Hex)
        self.random = random
        try loadLocalState(from: disk, at: now)
        if settings.gossips {
            membership.add(try makePool(.lan, disk, cipher, seed: self.random.next(), at: now), at: now)
            if settings.identity.isServer, settings.gossip.wan.port > 0 {
                membership.add(try makePool(.wan, disk, cipher, seed: self.random.next(), at: now), at: now)
            }
            membership.coordinateUpload = CoordinateUpload(settings, members: 1, at: now, &self.random)
        }
        local.handle(.startSyncing, at: now, into: &localEffects)
        var effects: [AgentEffect] = []
        joinAtStart(at: now, into: &effects)
        startEffects += effects
    }

    // MARK: AgentMachine

    public func handle(_ event: AgentEvent, at now: Instant, into effects: inout [AgentEffect]) {
        switch event {
        case .request(let id, let request): execute(router.route(request), for: id, at: now, into: &effects)
        case .routed(let id, let call): execute(call, for: id, at: now, into: &effects)
        case .question(let id, let packet, let tcp, let remote):
            let caller = settings.access.context(token: "", source: remote), seed = random.next()
            fetch(questions.ask(id, packet, caller, tcp: tcp, seed: seed, unixSeconds: unixSeconds(at: now), into: &effects), at: now)
        case .cancelled(let id): cancel(id, at: now)
        case .call(let id, let from, let channel, let bytes): called(id, from: from, channel, bytes, at: now, into: &effects)
        case .callersGone(let ids): server?.callersGone(ids)
        case .answered(let id, let bytes):
            switch id.owner {
            case .client, .server, .raft: backend.answered(id, bytes, at: now)
            case .lan: lan?.handle(.answered(id, bytes), at: now, into: &effects)
            case .wan: wan?.handle(.answered(id, bytes), at: now, into: &effects)
            case .driver: preconditionFailure("a call that came in has no answer for this agent")
            }
        case .callFailed(let id, let reason):
            switch id.owner {
            case .client, .server, .raft: backend.callFailed(id, reason, at: now)
            case .lan: lan?.handle(.callFailed(id, reason), at: now, into: &effects)
            case .wan: wan?.handle(.callFailed(id, reason), at: now, into: &effects)
            case .driver: preconditionFailure("a call that came in does not fail for this agent")
            }
        case .packet(let kind, let from, let bytes):
            telemetry.metrics.count(.udpReceived, by: Double(bytes.count), at: now)
            pool(kind)?.handle(.packet(from: from, bytes), at: now, into: &effects)
        case .resolved(let id, let result): pool(id.pool)?.resolved(id, result, at: now, into: &effects)
        case .disk(let completion): diskCompleted(completion, at: now, into: &effects)
        case .probed(let id, let outcome): local.handle(.probed(id, outcome), at: now, into: &localEffects)
        case .wake:
            backend.wake(at: now)
            local.handle(.wake, at: now, into: &localEffects)
            lan?.wake(at: now, into: &effects)
            wan?.wake(at: now, into: &effects)
            if let due = membership.floodAt, due <= now { membership.flood(isLeaving: isLeaving, at: now) }
            uploadCoordinate(at: now)
            for answer in membership.events.expire(at: now) { respond(answer, into: &effects) }
            exitIfDue(at: now, into: &effects)
        case .leave: leave(at: now, into: &effects)
        case .reload(let new): reload(new, at: now, into: &effects)
        case .reloadFailed(let reason): reloaded(reason, into: &effects)
        case .wallClock(let offset): setWallClock(offset, at: now)
        case .logged(let level, let module, let message):
            // The driver's own lines are for the clients only: it has written them already.
            telemetry.followers.send(level, module, message, unixNanoseconds: now.nanoseconds &+ wallClockOffset, into: &effects)
        case .measured(let measures): telemetry.add(measures, at: now)
        case .dumpMetrics: effects.append(.report(Renderer.metricLines(telemetry.snapshot(of: measuredParts, at: now))))
        case .hostExamined(let token, let facts): describeHost(token, facts, at: now, into: &effects)
        case .shutDown: shutDown(at: now, into: &effects)
        }
        settle(at: now, into: &effects)
        switch event {
        case .request(let id, _), .routed(let id, _): requests.noteWaiting(id)
        default: break
        }
    }

    public func flush(at now: Instant, into effects: inout [AgentEffect]) {
        repeat {
            backend.flush(at: now)
            settle(at: now, into: &effects)
            // An answer may have led to another request, for which nobody would wake the agent.
        } while backend.server?.isCollecting ?? false
        telemetry.observe(&effects, of: server, wallClockOffset: wallClockOffset, at: now)
        if telemetry.isDue(at: now) { telemetry.measure(measuredParts, at: now) }
    }

    public var deadline: Instant? {
        var earliest = backend.deadline
        earliest.bringForward(to: local.deadline)
        earliest.bringForward(to: membership.deadline)
        earliest.bringForward(to: lifecycle.deadline)
        return startEffects.isEmpty ? earliest : .zero
    }

    /// Carries what the parts have to tell each other, until all are silent.
    func settle(at now: Instant, into effects: inout [AgentEffect]) {
        if !startEffects.isEmpty {
            effects.append(contentsOf: startEffects)
            startEffects = []
        }
        while true {
            let answers = backend.takeOutput(into: &backendEffects)
            for effect in backendEffects { effects.append(AgentEffect(effect)) }
            backendEffects.removeAll(keepingCapacity: true)
            membership.takeEffects(into: &effects)
            for answer in answers { deliver(answer, at: now, into: &effects) }
            let hasNews = settlePools(at: now, into: &effects)
            if localEffects.isEmpty && answers.isEmpty && !hasNews { break }
            let batch = localEffects
            localEffects = []
            for effect in batch { perform(effect, at: now, into: &effects) }
        }
        requests.batchEnded()
    }

    // MARK: Requests

    private func execute(_ routed: RoutedCall, for id: RequestID, at now: Instant, into effects: inout [AgentEffect]) {
        let caller = routed.context
        switch routed.call {
        case .immediate(let response): effects.append(.respond(id, response))
        case .read(let query, let options, let shape):
            requests.addRead(id, query, options, shape, caller)
            backend.execute(.read(query, options), caller, for: .client(id), at: now)
        case .write(let request, let shape):
            requests.add(id, .write(shape))
            backend.execute(.write(request), caller, for: .client(id), at: now)
        case .sessionRenew(let session, let options, let pretty):
            requests.add(id, .renew(id: session, pretty: pretty))
            backend.execute(.renew(session: session, options), caller, for: .client(id), at: now)
        case .txn(let request, let readOnly, let options, let pretty):
            requests.add(id, .txn(readOnly: readOnly, pretty: pretty))
            let work = readOnly ? ServerWork.read(.txn(TxnQuery(request.ops)), options) : .write(.txn(request))
            backend.execute(work, caller, for: .client(id), at: now)
        case .operation(let operation, let options, let pretty):
            requests.add(id, .operation(operation, pretty: pretty))
            backend.execute(.operation(operation, options), caller, for: .client(id), at: now)
        case .datacenters(let cache, let pretty): answerDatacenters(cache, caller, pretty: pretty, for: id, at: now, into: &effects)
        case .agent(let request, let pretty): execute(request, caller, pretty: pretty, for: id, at: now, into: &effects)
        }
    }

    private func deliver(_ answer: ServerAnswer, at now: Instant, into effects: inout [AgentEffect]) {
        switch answer {
        case .read(.client(let id), let result):
            switch requests.answer(read: result, for: id) {
            case .respond(let response): effects.append(.respond(id, response))
            case .again(let query, let options, let caller):
                backend.execute(.read(query, options), caller, for: .client(id), at: now)
            case nil: break
            }
        case .write(.client(let id), let result):
            if let response = requests.answer(write: result, for: id) { effects.append(.respond(id, response)) }
        case .read(.local(let token), let result):
            let outcome = result.map { (result: $0.result, index: $0.meta.index) }.mapError { TextError($0.text) }
            local.handle(.readResult(token, outcome), at: now, into: &localEffects)
        case .write(.local(let token), let result):
            local.handle(.writeResult(token, result.mapError { TextError($0.text) }), at: now, into: &localEffects)
        case .read(.question(let id), let result):
            fetch(questions.fetched(result, for: id, unixSeconds: unixSeconds(at: now), into: &effects), at: now)
        case .operation(.client(let id), let result):
            if let response = requests.answer(operation: result, for: id, at: now) { effects.append(.respond(id, response)) }
        case .operation(.coordinate, .failure(let error)):
            effects.append(.log(.error, "agent", "Coordinate update error: error=\(LogText.value(error.text))"))
        case .read, .write, .operation: break
        }
    }

    private func cancel(_ id: RequestID, at now: Instant) {
        guard let request = requests.remove(id) else {
            if questions.cancel(id) { backend.cancel(.question(id)) }
            return
        }
        switch request {
        case .local: local.handle(.cancelled(id), at: now, into: &localEffects)
        case .pool: membership.events.cancel(id)
        case .log:
            telemetry.followers.remove(id)
        default: backend.cancel(.client(id))
        }
    }

    // MARK: Questions

    /// Reads what a question needs.
    private func fetch(_ fetch: QuestionBroker.Fetch?, at now: Instant) {
        if let fetch { backend.execute(.read(fetch.query, fetch.options), fetch.caller, for: .question(fetch.id), at: now) }
    }

    private func unixSeconds(at now: Instant) -> Int64 { (now.nanoseconds &+ wallClockOffset) / 1_000_000_000 }

    /// What counts for itself.
    var measuredParts: Telemetry.Parts { Telemetry.Parts(server: server, client: backend.client, lan: lan, wan: wan) }

    /// Only servers are called. A client closes the connection.
    private func called(
        _ id: CallID, from address: Address, _ channel: Channel, _ bytes: [UInt8], at now: Instant, into effects: inout [AgentEffect]
    ) {
        switch channel {
        case .lan, .wan:
            guard let pool = pool(channel == .lan ? .lan : .wan) else { break }
            return pool.handle(.call(id, from: address, bytes), at: now, into: &effects)
        case .raft, .rpc, .snapshot: break
        }
        guard let server = backend.server else { return effects.append(.refuse(id)) }
        server.called(id, from: address, channel, bytes, at: now)
    }

    private func diskCompleted(_ completion: DiskCompletion, at now: Instant, into effects: inout [AgentEffect]) {
        switch completion.owner {
        case .raft: server?.diskCompleted(completion, at: now)
        case .agent: if let problem = files.ended(completion) { effects.append(.log(.error, "agent", problem)) }
        case .registrations:
            var failure: DiskError?
            if case .failure(let error) = completion.result { failure = error }
            local.handle(.diskCompleted(completion.token, failure), at: now, into: &localEffects)
        case .lan: lan?.diskCompleted(completion, at: now, into: &effects)
        case .wan: wan?.diskCompleted(completion, at: now, into: &effects)
        }
    }
}
