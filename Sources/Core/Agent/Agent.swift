/// One member of a datacenter: its API, its local services and checks, and (on servers) consensus and the replicated state.
/// Client agents have no state to publish: all their requests and questions come to the core loop.
///
/// The very same object runs in production and in the simulator; `AgentMachine` is how both drive it.
public final class Agent: AgentMachine {
    public let config: AgentConfig
    let backend: Backend
    /// nil on client agents.
    public var server: Server? { backend.server }
    let router: Router
    let context: APIContext
    let local: LocalState
    var membership: GossipMembership
    var lan: Pool? { membership.lan }
    var wan: Pool? { membership.wan }
    var telemetry: Telemetry
    var lifecycle: Lifecycle
    /// What starting has come to; given out with the first batch.
    var startEffects: [AgentEffect] = []

    /// Requests that are not answered yet, and how their answers look.
    var pending = LookupTable<RequestID, PendingRequest>()
    /// The latest rendered answer: waiters for the same question share it.
    var rendered: (evaluation: UInt64, shape: ReadShape, response: HTTPResponse)?
    var questions: QuestionBroker
    var random: Random
    var localEffects: [LocalEffect] = []
    private var backendEffects: [ServerEffect] = []
    /// Answers that `?cached` has been asked for before (http-1 §1.12).
    var cached = AnswerCache()
    var nextDiskToken: UInt64 = 1
    /// Files being replaced, for the message when that fails.
    var persisting = LookupTable<UInt64, String>()
    /// As in the configuration, until the clock is set.
    var wallClockOffset: Int64

    enum PendingRequest {
        case read(ReadQuery, QueryOptions, ReadShape, CacheState?, RequestContext)
        case write(WriteShape)
        case renew(id: String, pretty: Bool)
        case txn(readOnly: Bool, pretty: Bool)
        case operation(ServerOperation, pretty: Bool)
        case datacenters(isCached: Bool, pretty: Bool)
        /// Answered by `local`.
        case local(pretty: Bool)
        /// Answered when the configuration has been read again.
        case reload
        /// Answered when the pool has been joined, or when an event has come.
        case pool
        case event(EventMessage, pretty: Bool)
        /// Answered when the driver has looked at its machine.
        case host(pretty: Bool)
        case prometheus
        /// Answered when the agent has left.
        case leave
        /// Goes on until the client leaves.
        case log
    }

    /// Recovers from `disk` and starts. `disk` is not used afterwards; without `archives` there are no archives of snapshots; `md5Hex` names the files of registrations.
    public init(
        config: AgentConfig, disk: some Disk, cipher: (any GossipCipher)? = nil, archives: (any ArchiveTools)? = nil, seed: UInt64,
        at now: Instant,
        md5Hex: @escaping @Sendable ([UInt8]) -> String
    ) throws(ServerError) {
        var random = Random(seed: seed)
        self.config = config
        wallClockOffset = config.wallClockOffset
        telemetry = Telemetry(config)
        context = APIContext(from: config)
        router = Router(context)
        questions = QuestionBroker(config)
        membership = GossipMembership(config)
        lifecycle = Lifecycle(
            startJoins: config.gossips ? (config.startJoinLAN.isEmpty ? [] : [.lan]) + (config.startJoinWAN.isEmpty ? [] : [.wan]) : [])
        backend =
            config.server
            ? .server(try Server(config: config, disk: disk, archives: archives, seed: random.next(), at: now))
            : .client(Client(config: config, seed: random.next(), at: now))
        local = LocalState(config: config, random: Random(seed: random.next()), codec: RegistrationJSON(), md5Hex: md5Hex)
        self.random = random
        try loadLocalState(from: disk, at: now)
        if config.gossips {
            membership.add(try makePool(.lan, disk, cipher, seed: self.random.next(), at: now), at: now)
            if config.server, config.serfWANPort > 0 {
                membership.add(try makePool(.wan, disk, cipher, seed: self.random.next(), at: now), at: now)
            }
            membership.coordinateUpload = CoordinateUpload(config, members: 1, at: now, &self.random)
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
            let caller = config.access.context(token: "", source: remote), seed = random.next()
            fetch(questions.ask(id, packet, caller, tcp: tcp, seed: seed, unixSeconds: unixSeconds(at: now), into: &effects), at: now)
        case .cancelled(let id): cancel(id, at: now)
        case .call(let id, let from, let channel, let bytes): called(id, from: from, channel, bytes, at: now, into: &effects)
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
            if let due = membership.floodAt, due <= now { membership.flood(isLeaving: isLeaving, at: now, into: &effects) }
            uploadCoordinate(at: now)
            for answer in membership.events.expire(at: now) { respond(answer, into: &effects) }
            exitIfDue(at: now, into: &effects)
        case .leave: leave(at: now, into: &effects)
        case .reload(let config): reload(config, at: now, into: &effects)
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
        case .request(let id, _), .routed(let id, _): noteWaiting(id)
        default: break
        }
    }

    public func flush(at now: Instant, into effects: inout [AgentEffect]) {
        repeat {
            backend.flush(at: now)
            settle(at: now, into: &effects)
            // An answer may have led to another request, for which nobody would wake the agent.
        } while backend.server?.isCollecting ?? false
        telemetry.observe(&effects, of: measuredParts, wallClockOffset: wallClockOffset, at: now)
    }

    public var deadline: Instant? {
        var earliest = backend.deadline
        for other in [local.deadline, membership.deadline, lifecycle.deadline] {
            earliest.bringForward(to: other)
        }
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
            for answer in answers { deliver(answer, at: now, into: &effects) }
            let hasNews = settlePools(at: now, into: &effects)
            if localEffects.isEmpty && answers.isEmpty && !hasNews { break }
            let batch = localEffects
            localEffects = []
            for effect in batch { perform(effect, at: now, into: &effects) }
        }
        rendered = nil
    }

    // MARK: Requests

    private func execute(_ routed: RoutedCall, for id: RequestID, at now: Instant, into effects: inout [AgentEffect]) {
        let caller = routed.context
        switch routed.call {
        case .immediate(let response): effects.append(.respond(id, response))
        case .read(let query, let options, let shape):
            let known = shape.cache.map { cached.state($0, query, options, caller.authorizer.view) }
            pending[id] = .read(query, options, shape, known, caller)
            backend.execute(.read(query, options), caller, for: .client(id), at: now)
        case .write(let request, let shape):
            pending[id] = .write(shape)
            backend.execute(.write(request), caller, for: .client(id), at: now)
        case .sessionRenew(let session, let options, let pretty):
            pending[id] = .renew(id: session, pretty: pretty)
            backend.execute(.renew(session: session, options), caller, for: .client(id), at: now)
        case .txn(let request, let readOnly, let options, let pretty):
            pending[id] = .txn(readOnly: readOnly, pretty: pretty)
            let work = readOnly ? ServerWork.read(.txn(TxnQuery(request.ops)), options) : .write(.txn(request))
            backend.execute(work, caller, for: .client(id), at: now)
        case .operation(let operation, let options, let pretty):
            pending[id] = .operation(operation, pretty: pretty)
            backend.execute(.operation(operation, options), caller, for: .client(id), at: now)
        case .datacenters(let cache, let pretty): answerDatacenters(cache, caller, pretty: pretty, for: id, at: now, into: &effects)
        case .agent(let request, let pretty): execute(request, caller, pretty: pretty, for: id, at: now, into: &effects)
        }
    }

    private func deliver(_ answer: ServerAnswer, at now: Instant, into effects: inout [AgentEffect]) {
        switch answer {
        case .read(.client(let id), let result): respond(to: id, result, at: now, into: &effects)
        case .write(.client(let id), let result): respond(to: id, result, at: now, into: &effects)
        case .read(.local(let token), let result):
            let outcome = result.map { (result: $0.result, index: $0.meta.index) }.mapError { Complaint($0.text) }
            local.handle(.readResult(token, outcome), at: now, into: &localEffects)
        case .write(.local(let token), let result):
            local.handle(.writeResult(token, result.mapError { Complaint($0.text) }), at: now, into: &localEffects)
        case .read(.question(let id), let result):
            fetch(questions.fetched(result, for: id, unixSeconds: unixSeconds(at: now), into: &effects), at: now)
        case .operation(.client(let id), let result): respond(to: id, result, at: now, into: &effects)
        case .operation(.coordinate, .failure(let error)):
            effects.append(.log(.error, "agent", "Coordinate update error: error=\(LogText.value(error.text))"))
        case .wish(let wish): fulfil(wish, at: now, into: &effects)
        case .read, .write, .operation: break
        }
    }

    private func respond(to id: RequestID, _ result: Result<ReadAnswer, ServerError>, at now: Instant, into effects: inout [AgentEffect]) {
        guard let request = pending.removeValue(forKey: id) else { return }
        switch (request, result) {
        case (.read(_, _, let shape, _, _), .success) where shape.filterError != nil:
            // Found only now, since whoever carries out the read finds it: any other server would have refused.
            effects.append(.respond(id, Renderer.error(shape.filterError?.text ?? "", shape: shape, context: context)))
        case (.read(let query, var options, let shape, let cache, let caller), .success(let answer)):
            if shape.isRepeatedWhenOld, options.isTooOld(answer.meta) {
                // Too old: asked once more, of the leader (http-1 §1.9).
                options.allowStale = false
                pending[id] = .read(query, options, shape, cache, caller)
                return backend.execute(.read(query, options), caller, for: .client(id), at: now)
            }
            effects.append(.respond(id, render(answer, options, shape, cache)))
        case (.read(let query, var options, let shape, let cache, let caller), .failure(.noLeader))
        where shape.isRepeatedStale && !options.allowStale:
            options.allowStale = true
            pending[id] = .read(query, options, shape, cache, caller)
            backend.execute(.read(query, options), caller, for: .client(id), at: now)
        case (.read(_, _, let shape, _, _), .failure(let error)):
            effects.append(.respond(id, Renderer.error(error.text, shape: shape, context: context)))
        case (.renew(let session, let pretty), .success(let answer)):
            guard case .sessions(let found) = answer.result else { return }
            effects.append(.respond(id, Renderer.renewed(found.first?.value, id: session, pretty: pretty, context: context)))
        case (.txn(_, let pretty), .success(let answer)):
            guard case .txn(let outcome) = answer.result else { return }
            effects.append(.respond(id, Renderer.txn(outcome, meta: answer.meta, pretty: pretty, context: context)))
        case (_, .failure(let error)): effects.append(.respond(id, Renderer.error(error.text, context: context)))
        case (.write, _), (.operation, _), (.datacenters, _), (.local, _), (.reload, _), (.pool, _), (.event, _), (.host, _),
            (.prometheus, _), (.leave, _), (.log, _):
            preconditionFailure("a read is answered as what it was asked as")
        }
    }

    /// Waiters for the same question get the same bytes, rendered once.
    private func render(_ answer: ReadAnswer, _ options: QueryOptions, _ shape: ReadShape, _ cache: CacheState?) -> HTTPResponse {
        if let last = rendered, last.evaluation == answer.evaluation, last.shape == shape, cache == nil { return last.response }
        let response = Renderer.render(answer.result, meta: answer.meta, options: options, shape: shape, context: context, cache: cache)
        if cache == nil { rendered = (answer.evaluation, shape, response) }
        return response
    }

    private func respond(to id: RequestID, _ result: Result<ApplyResult, ServerError>, at now: Instant, into effects: inout [AgentEffect]) {
        guard let request = pending.removeValue(forKey: id) else { return }
        let response: HTTPResponse
        switch (request, result) {
        case (.write(let shape), .success(let outcome)): response = Renderer.render(outcome, shape: shape, context: context)
        case (.txn(_, let pretty), .success(.txn(let outcome))):
            response = Renderer.txn(outcome, meta: nil, pretty: pretty, context: context)
        case (_, .success(.error(let text))): response = Renderer.error(text, context: context)
        case (_, .failure(let error)): response = Renderer.error(error.text, context: context)
        case (_, .success): preconditionFailure("a write is answered as what it was asked as")
        }
        effects.append(.respond(id, response))
    }

    private func respond(
        to id: RequestID, _ result: Result<ServerOperationResult, ServerError>, at now: Instant, into effects: inout [AgentEffect]
    ) {
        guard let request = pending.removeValue(forKey: id) else { return }
        let response =
            switch (request, result) {
            case (.operation(let operation, let pretty), .success(let found)):
                Renderer.render(found, of: operation, pretty: pretty, context: context)
            case (.datacenters(let isCached, let pretty), .success(.texts(let names))):
                fetchedDatacenters(names, isCached: isCached, pretty: pretty, at: now)
            case (.event(let message, let pretty), .success): Renderer.event(message, pretty: pretty, context: context)
            case (_, .failure(let error)): Renderer.error(error.text, context: context)
            case (_, .success): preconditionFailure("an operation is answered as what it was asked as")
            }
        effects.append(.respond(id, response))
    }

    /// A blocking request that the agent's cache could not answer at once is answered with what comes later (http-1 §1.12).
    private func noteWaiting(_ id: RequestID) {
        if case .read(let query, let options, let shape, .hit, let caller) = pending[id], options.minQueryIndex > 0 {
            pending[id] = .read(query, options, shape, .miss, caller)
        }
    }

    private func cancel(_ id: RequestID, at now: Instant) {
        guard let request = pending.removeValue(forKey: id) else {
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
        case .raft, .rpc, .snapshot: telemetry.metrics.count(.rpcRequest, at: now)
        }
        guard let server = backend.server else { return effects.append(.refuse(id)) }
        server.called(id, from: address, channel, bytes, at: now)
    }

    private func diskCompleted(_ completion: DiskCompletion, at now: Instant, into effects: inout [AgentEffect]) {
        switch completion.owner {
        case .raft: server?.diskCompleted(completion, at: now)
        case .agent: persisted(completion, into: &effects)
        case .registrations:
            var failure: DiskError?
            if case .failure(let error) = completion.result { failure = error }
            local.handle(.diskCompleted(completion.token, failure), at: now, into: &localEffects)
        case .lan: lan?.diskCompleted(completion, at: now, into: &effects)
        case .wan: wan?.diskCompleted(completion, at: now, into: &effects)
        }
    }
}
