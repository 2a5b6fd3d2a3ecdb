/// The requests of this agent's clients that are not answered yet: owns what each was asked as, the latest rendered answer, and what
/// `?cached` remembers. Turns the outcomes of reads, writes and operations into answers. Spec: http-1 §1.
struct RequestBroker {
    private var pending = LookupTable<RequestID, Request>()
    /// Waiters for the same question share it.
    private var rendered: (evaluation: UInt64, shape: ReadShape, response: HTTPResponse)?
    /// Answers that `?cached` has been asked for before (http-1 §1.12).
    private var cached = AnswerCache()
    private var serviceList = ServiceListBody()
    private let context: APIContext

    enum Request {
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

    /// What becomes of a read that has been carried out.
    enum ReadOutcome {
        case respond(HTTPResponse)
        /// It is asked once more, with other options.
        case again(ReadQuery, QueryOptions, RequestContext)
    }

    init(_ context: APIContext) { self.context = context }

    /// The client waits for an answer to this.
    mutating func add(_ id: RequestID, _ request: Request) { pending[id] = request }

    /// A read that is about to be carried out, and whether `?cached` has seen it before.
    mutating func addRead(_ id: RequestID, _ query: ReadQuery, _ options: QueryOptions, _ shape: ReadShape, _ caller: RequestContext) {
        let known = shape.cache.map { cached.state($0, query, options, caller.authorizer.view) }
        pending[id] = .read(query, options, shape, known, caller)
    }

    /// The request is answered, or its client went away; nil if it was already.
    mutating func remove(_ id: RequestID) -> Request? { pending.removeValue(forKey: id) }

    /// The end of a batch: what was rendered in it is not asked for again.
    mutating func batchEnded() { rendered = nil }

    // MARK: Answers

    /// nil: nobody waits for it.
    mutating func answer(read result: Result<ReadAnswer, ServerError>, for id: RequestID) -> ReadOutcome? {
        guard let request = pending.removeValue(forKey: id) else { return nil }
        switch (request, result) {
        case (.read(_, _, let shape, _, _), .success) where shape.filterError != nil:
            // Found only now, since whoever carries out the read finds it: any other server would have refused.
            return .respond(Renderer.error(shape.filterError?.text ?? "", shape: shape, context: context))
        case (.read(let query, var options, let shape, let cache, let caller), .success(let answer)):
            if shape.isRepeatedWhenOld, options.isTooOld(answer.meta) {
                // Too old: asked once more, of the leader (http-1 §1.9).
                options.allowStale = false
                pending[id] = .read(query, options, shape, cache, caller)
                return .again(query, options, caller)
            }
            return .respond(render(answer, options, shape, cache))
        case (.read(let query, var options, let shape, let cache, let caller), .failure(.noLeader))
        where shape.isRepeatedStale && !options.allowStale:
            options.allowStale = true
            pending[id] = .read(query, options, shape, cache, caller)
            return .again(query, options, caller)
        case (.read(_, _, let shape, _, _), .failure(let error)):
            return .respond(Renderer.error(error.text, shape: shape, context: context))
        case (.renew(let session, let pretty), .success(let answer)):
            guard case .sessions(let found) = answer.result else { return nil }
            return .respond(Renderer.renewed(found.first?.value, id: session, pretty: pretty, context: context))
        case (.txn(_, let pretty), .success(let answer)):
            guard case .txn(let outcome) = answer.result else { return nil }
            return .respond(Renderer.txn(outcome, meta: answer.meta, pretty: pretty, context: context))
        case (_, .failure(let error)): return .respond(Renderer.error(error.text, context: context))
        case (.write, _), (.operation, _), (.datacenters, _), (.local, _), (.reload, _), (.pool, _), (.event, _), (.host, _),
            (.prometheus, _), (.leave, _), (.log, _):
            preconditionFailure("a read is answered as what it was asked as")
        }
    }

    /// Waiters for the same question get the same bytes, rendered once.
    private mutating func render(_ answer: ReadAnswer, _ options: QueryOptions, _ shape: ReadShape, _ cache: CacheState?) -> HTTPResponse {
        if let last = rendered, last.evaluation == answer.evaluation, last.shape == shape, cache == nil { return last.response }
        // What another agent answered is a new list each time.
        let body = answer.size > 0 ? nil : serviceList.body(of: answer.result, shape)
        var response = Renderer.render(
            answer.result, meta: answer.meta, options: options, shape: shape, context: context, cache: cache, body: body)
        if answer.size > 0 { response.retained = answer.size }
        if cache == nil { rendered = (answer.evaluation, shape, response) }
        return response
    }

    /// nil: nobody waits for it.
    mutating func answer(write result: Result<ApplyResult, ServerError>, for id: RequestID) -> HTTPResponse? {
        guard let request = pending.removeValue(forKey: id) else { return nil }
        switch (request, result) {
        case (.write(let shape), .success(let outcome)): return Renderer.render(outcome, shape: shape, context: context)
        case (.txn(_, let pretty), .success(.txn(let outcome))):
            return Renderer.txn(outcome, meta: nil, pretty: pretty, context: context)
        case (_, .success(.error(let text))): return Renderer.error(text, context: context)
        case (_, .failure(let error)): return Renderer.error(error.text, context: context)
        case (_, .success): preconditionFailure("a write is answered as what it was asked as")
        }
    }

    /// nil: nobody waits for it.
    mutating func answer(operation result: Result<ServerOperationResult, ServerError>, for id: RequestID, at now: Instant) -> HTTPResponse?
    {
        guard let request = pending.removeValue(forKey: id) else { return nil }
        switch (request, result) {
        case (.operation(let operation, let pretty), .success(let found)):
            return Renderer.render(found, of: operation, pretty: pretty, context: context)
        case (.datacenters(let isCached, let pretty), .success(.texts(let names))):
            return fetchedDatacenters(names, isCached: isCached, pretty: pretty, at: now)
        case (.event(let message, let pretty), .success): return Renderer.event(message, pretty: pretty, context: context)
        case (_, .failure(let error)): return Renderer.error(error.text, context: context)
        case (_, .success): preconditionFailure("an operation is answered as what it was asked as")
        }
    }

    /// A blocking request that the agent's cache could not answer at once is answered with what comes later (http-1 §1.12).
    mutating func noteWaiting(_ id: RequestID) {
        if case .read(let query, let options, let shape, .hit, let caller) = pending[id], options.minQueryIndex > 0 {
            pending[id] = .read(query, options, shape, .miss, caller)
        }
    }

    // MARK: Datacenters

    /// The names that `?cached` may still be answered with.
    mutating func cachedDatacenters(_ cache: CacheOptions, pretty: Bool, at now: Instant) -> HTTPResponse? {
        guard let known = cached.freshDatacenters(cache, at: now) else { return nil }
        return Renderer.datacenters(known.names, cache: .hit(age: known.age), pretty: pretty, context: context)
    }

    /// The answer with what has just been fetched; for `?cached`, the next ones are made of it, too.
    private mutating func fetchedDatacenters(_ names: [String], isCached: Bool, pretty: Bool, at now: Instant) -> HTTPResponse {
        if isCached { cached.keep(datacenters: names, at: now) }
        return Renderer.datacenters(names, cache: isCached ? .miss : nil, pretty: pretty, context: context)
    }
}
