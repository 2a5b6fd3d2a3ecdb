/// Answers on an I/O thread: reads that the published state can answer, and everything that needs no state at all.
///
/// One for each thread. An answer is kept in its encoded form as long as the state it came from is the published one, so that a burst of
/// the same question costs one look-up and one copy each. Whatever waits, writes, or needs the leader goes to the core loop.
public struct FrontEnd<Gzip: Compressor>: RequestFrontEnd {
    private let router: Router
    private let datacenter: String
    /// What callers without a token may do.
    private let anybody: Authorizer
    private var dns: DNSResponder
    private let wallClockOffset: Int64
    private var gzip: Gzip
    private var random: Random
    private var answers = EncodedAnswers()
    private var prepared = PreparedAnswers()
    private var serviceList = ServiceListBody()
    private var measures = RequestMeasures()
    private var lookups = LookupCounters()
    /// What was answered last.
    private var subject = MeasuredSubject.none
    /// It is a read that was to be consistent.
    private var isConsistent = false
    /// Of that answer, until it is taken.
    private var error: String?

    public init(settings: AgentSettings, gzip: Gzip, seed: UInt64) {
        router = Router(APIContext(from: settings))
        datacenter = settings.identity.datacenter
        anybody = settings.access.context(token: "", source: "").authorizer
        dns = DNSResponder(settings)
        wallClockOffset = settings.wallClockOffset
        self.gzip = gzip
        random = Random(seed: seed)
    }

    public mutating func answer(
        _ request: borrowing HTTPRequest, framing: HTTPFraming, state: PublishedState, now: Instant, date: [UInt8], into out: inout [UInt8]
    ) -> RequestAnswer {
        let cacheable =
            request.method == "GET" && !request.hasMeaningfulHeaders && framing.isPlain
            && (state.answersDefault(at: now) || planted(.keptAnswerBeyondLease) && state.isLeader)
        if cacheable, let known = answers.append(request.target, state, anybody.view, date, to: &out) {
            count(known)
            return .written
        }
        let call = router.route(request)
        guard case (let response, var read)? = respond(to: call.call, call.context.authorizer, state, now), !response.close else {
            return .routed(call)
        }
        (subject, isConsistent) = (MeasuredSubject(request), false)
        if response.status >= 400 { error = response.loggedError }
        read?.subject = subject
        if let read { count(read) }
        let start = out.count
        let (isOpen, rest) = HTTPSerializer.begin(response, framing: framing, date: date, to: &out, compressor: &gzip)
        if let rest { return .begun(rest, isOpen: isOpen) }
        // Kept are the answers that anybody gets: a token in the URL may come to mean something else.
        if cacheable, let read, call.context.token.isEmpty {
            answers.keep(request.target, state, anybody.view, date, out[start...], read)
        }
        return .written
    }

    @inline(__always)
    private mutating func count(_ read: AnsweredRead) {
        (subject, isConsistent) = (read.subject, read.isConsistent)
        measures.reads += 1
        if let lookup = read.lookup { lookups.count(lookup) }
    }

    /// nil when the core loop must answer. `read` is what a read of the state counts as.
    private mutating func respond(
        to call: APICall, _ authorizer: Authorizer, _ state: PublishedState, _ now: Instant
    ) -> (HTTPResponse, read: AnsweredRead?)? {
        switch call {
        case .immediate(let response): return (response, nil)
        case .read(let query, let options, let shape):
            guard shape.cache == nil, options.datacenter.isEmpty || options.datacenter == datacenter else { return nil }
            if case .txn = query { return nil }
            guard state.answers(options, at: now) else { return nil }
            if let error = shape.filterError { return (Renderer.error(error.text, shape: shape, context: router.context), nil) }
            guard case .success((let result, let index)) = state.store.evaluate(query, options: options, authorizer: authorizer) else {
                return nil
            }
            if options.minQueryIndex > 0 && max(1, index) <= options.minQueryIndex { return nil }
            var meta = QueryMeta()
            meta.index = max(1, index)
            meta.knownLeader = state.knowsLeader
            meta.lastContact = state.isLeader ? .zero : state.lastLeaderContact.map { max(.zero, now - $0) } ?? .zero
            if shape.isRepeatedWhenOld, options.isTooOld(meta) { return nil }
            let lookup = query.measuredLookup(result).map { lookups.counter(of: $0) }
            let read = AnsweredRead(lookup: lookup, isConsistent: options.requireConsistent)
            let body = serviceList.body(of: result, shape)
            return (Renderer.render(result, meta: meta, options: options, shape: shape, context: router.context, body: body), read)
        default: return nil
        }
    }

    public mutating func takeError() -> String? {
        defer { error = nil }
        return error
    }

    public func subject(of request: borrowing HTTPRequest) -> MeasuredSubject { MeasuredSubject(request) }
    public mutating func measureAnswered(nanoseconds: Int64) {
        measures.add(subject, nanoseconds: nanoseconds)
        if isConsistent { measures.addConsistentRead(nanoseconds: nanoseconds) }
    }
    public mutating func measure(_ subject: MeasuredSubject, nanoseconds: Int64) { measures.add(subject, nanoseconds: nanoseconds) }

    public mutating func takeMeasures() -> RequestMeasures? {
        if measures.isEmpty { return nil }
        measures.lookups = lookups.take()
        defer { measures = RequestMeasures() }
        return measures
    }

    public mutating func reload(_ new: Reloadable) {
        dns.reload(new.dns)
        prepared.removeAll()
    }

    public mutating func answer(
        datagram: UnsafeRawBufferPointer, state: PublishedState, now: Instant, into out: UnsafeMutableRawBufferPointer
    ) -> Int? {
        guard state.answersQuestions(dns.zone.config, at: now),
            let length = prepared.write(datagram, state, &random, into: out)
        else { return nil }
        (subject, isConsistent) = (.domainQuery, false)
        if state.isStale(at: now) { measures.staleQuestions += 1 }
        return length
    }

    public mutating func answer(question: [UInt8], tcp: Bool, remote: String, state: PublishedState, now: Instant) -> QuestionAnswer {
        let config = dns.zone.config
        var catalog = StoredCatalog(
            state, authorizer: anybody, onlyPassing: config.onlyPassing, readable: state.answersQuestions(config, at: now))
        let unixSeconds = (now.nanoseconds &+ wallClockOffset) / 1_000_000_000
        let reply = dns.answer(question, tcp: tcp, from: &catalog, unixSeconds: unixSeconds, random: &random)
        (subject, isConsistent) = (DNSZone.isPointerQuery(question) ? .pointerQuery : .domainQuery, false)
        if catalog.hasRefused { return .handOver }
        if state.isStale(at: now) { measures.staleQuestions += 1 }
        if !tcp, reply != nil { prepared.note(question, state) { dns.prepare(question, from: catalog, random: random) } }
        return reply.map(QuestionAnswer.reply) ?? .drop
    }
}

extension PublishedState {
    /// Whether a read in default consistency may be answered from this state.
    func answersDefault(at now: Instant) -> Bool {
        isLeader && !limitsCalls && (isSoleVoter || now < leaseExpiry || planted(.leaseIgnored))
    }

    /// Whether a read with these options may be answered from this state (behaviour §3.1).
    func answers(_ options: QueryOptions, at now: Instant) -> Bool {
        if limitsCalls { return false }
        if options.allowStale || planted(.defaultAsStale) && !options.requireConsistent {
            return isLeader || lastLeaderContact != nil || planted(.staleOfNewServer)
        }
        return options.requireConsistent && !planted(.consistentAsDefault) ? isLeader && isSoleVoter : answersDefault(at: now)
    }

    /// Whether an answer from this state counts as a stale one (config §24).
    func isStale(at now: Instant) -> Bool { !isLeader && lastLeaderContact.map { now - $0 > .seconds(5) } ?? false }

    /// Whether DNS questions may be answered from this state (dns §14.3).
    func answersQuestions(_ config: DNSConfig, at now: Instant) -> Bool {
        if limitsCalls { return false }
        guard config.allowStale || planted(.dnsStaleForbidden) else { return answersDefault(at: now) }
        if isLeader { return true }
        return lastLeaderContact.map { now - $0 <= max(.zero, config.maxStale) || planted(.dnsMaxStaleIgnored) } ?? false
    }
}

extension HTTPRequest {
    /// Headers on which the answer to a GET depends (http-1 §1.4, §1.7, §1.8).
    var hasMeaningfulHeaders: Bool {
        for name in ["x-consul-token", "authorization", "x-consul-namespace", "cache-control"] where fields.firstBytes(name) != nil {
            return true
        }
        return false
    }
}

extension HTTPFraming {
    /// An answer framed like most.
    var isPlain: Bool { !isHead && !isHTTP10 && keepAlive && !acceptsGzip }
}
