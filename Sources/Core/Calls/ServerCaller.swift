/// Calls servers: makes the calls, reads what comes back, and decides whether a failure is worth another attempt. The one way in which others
/// carry out work: a client's servers, a follower's leader, and whatever a server wants to know of others. Spec: rpc-raft-wire §2.4, §2.5;
/// behaviour §9.2, §9.6.
///
/// The owner knows who the servers are: it names the address of every attempt, and begins anew what has waited here (`popDue`). Pure.
struct ServerCaller {
    /// Whom work goes to, and with that how often it is tried.
    enum Target: Hashable, Sendable {
        /// The leader of this datacenter. The hold time begins with the first failure.
        case leader
        /// A server of that datacenter, the next one of the owner's list. For the agent's own datacenter every server that cannot be reached is
        /// passed over at once; the hold time begins with the work. Another datacenter's is asked once.
        case server(of: String)
        /// That server alone, once and within that time.
        case once(within: Duration)
    }

    /// Work that others are to carry out.
    struct Call: Sendable {
        let requester: Requester
        let work: ServerWork
        let context: RequestContext
        let target: Target
        /// From when on a failure is not followed by another attempt; nil: it is not known before the first one.
        var giveUpAt: Instant?
        /// The name of the server that is asked, for the owner.
        var server = ""
        /// How many attempts in a row could not even be sent.
        var unsent = 0
    }

    /// An attempt, as it is to go out.
    struct Outgoing: Sendable {
        let id: CallID
        let address: Address
        let channel: Channel
        let bytes: [UInt8]
        let timeout: Duration
    }

    /// What an attempt has come to.
    enum Outcome: Sendable {
        case answered(Call, WorkAnswer)
        case failed(Call, ServerError, Next)
    }

    /// What follows a failure.
    enum Next: Hashable, Sendable {
        /// The error is the answer.
        case over
        /// The work waits until `popDue` or `takeWaiting` gives it back.
        case waits
        /// Nothing was sent, so that nothing was done: another server may be asked at once. Who is the last one is for the owner to know.
        case elsewhere
    }

    /// What was held of work that is cancelled.
    enum Cancelled: Hashable, Sendable {
        /// Nothing.
        case unknown
        /// Something that needs no more than being forgotten.
        case kept
        /// This call, which the owner gives up: the server that holds it is to hold it no longer.
        case underWay(CallID)
    }

    private let settings: AgentSettings
    private var counter: CallCounter
    /// Attempts under way.
    private var calls = LookupTable<CallID, Call>()
    private var callOf = LookupTable<Requester, CallID>()
    /// Work whose attempt failed, to be tried again.
    private var waiting = WaitingQueue()

    /// `owner` is whom the answers are given to.
    init(_ settings: AgentSettings, owner: CallID.Owner) {
        self.settings = settings
        counter = CallCounter(owner)
    }

    /// Whether nothing at all is held.
    var isIdle: Bool { calls.isEmpty && callOf.isEmpty && waiting.count == 0 }

    // MARK: Attempts

    /// Begins an attempt at that address; its outcome comes by `answered` or `failed`. nil, and nothing is kept, for what is no call: what a
    /// server proposes only itself.
    mutating func attempt(_ call: Call, at address: Address) -> Outgoing? {
        let id = counter.next()
        guard let (channel, bytes) = call.work.message(sequence: id.number) else { return nil }
        calls[id] = call
        callOf[call.requester] = id
        return Outgoing(id: id, address: address, channel: channel, bytes: bytes, timeout: timeout(of: call))
    }

    private func timeout(of call: Call) -> Duration {
        switch call.target {
        case .leader: call.work.answerTimeout(settings, hops: 1)
        // The server may hold the work, and the leader that it hands it to.
        case .server: call.work.answerTimeout(settings, hops: 2)
        case .once(let time): time
        }
    }

    /// Whoever asked is gone: nothing is kept of what was asked for.
    @discardableResult
    mutating func cancel(_ requester: Requester) -> Cancelled {
        guard let id = callOf.removeValue(forKey: requester) else { return waiting.remove(requester) ? .kept : .unknown }
        // What changes something takes its course over there, as it would if it were asked for there.
        guard let call = calls.removeValue(forKey: id), case .read = call.work else { return .kept }
        return .underWay(id)
    }

    // MARK: Outcomes

    /// nil: nobody waits for it.
    mutating func answered(_ id: CallID, _ bytes: [UInt8], at now: Instant, _ random: inout Random) -> Outcome? {
        guard let call = ended(id) else { return nil }
        guard let reply = try? call.work.readReply(bytes) else { return .failed(call, call.work.called("malformed answer"), .over) }
        guard reply.error.isEmpty else {
            return failed(call, call.work.called(reply.error), call.work.isWorthRepeating(after: reply.error), at: now, &random)
        }
        do throws(MessagePackError) {
            return .answered(call, try call.work.decodeAnswer(reply.body))
        } catch {
            return .failed(call, call.work.called(error.text), .over)
        }
    }

    /// nil: nobody waits for it.
    mutating func failed(_ id: CallID, _ reason: String, at now: Instant, _ random: inout Random) -> Outcome? {
        guard var call = ended(id) else { return nil }
        let error = call.work.failed(reason)
        // A write whose answer was lost may have happened: only its caller may decide to repeat it.
        guard ServerError.isUnsent(reason) else { return failed(call, error, call.work.isRepeatable, at: now, &random) }
        switch call.target {
        case .server(settings.identity.datacenter):
            call.unsent += 1
            return .failed(call, error, .elsewhere)
        case .leader, .server, .once: return failed(call, error, !call.work.isSnapshot, at: now, &random)
        }
    }

    private mutating func ended(_ id: CallID) -> Call? {
        guard let call = calls.removeValue(forKey: id) else { return nil }
        if callOf[call.requester] == id { callOf.removeValue(forKey: call.requester) }
        return call
    }

    /// Another attempt comes after a short random time, if that makes sense.
    private mutating func failed(
        _ call: Call, _ error: ServerError, _ isWorthRepeating: Bool, at now: Instant, _ random: inout Random
    ) -> Outcome {
        let giveUpAt = call.giveUpAt ?? now + settings.servers.rpcHoldTimeout
        guard isWorthRepeating, isRepeated(call.target), now < giveUpAt else { return .failed(call, error, .over) }
        let work = WaitingWork(requester: call.requester, work: call.work, context: call.context, giveUpAt: giveUpAt, error: error)
        let pause = random.duration(below: .nanoseconds(settings.servers.rpcHoldTimeout.nanoseconds / 16))
        return .failed(call, error, waiting.add(work, until: now + pause) ? .waits : .over)
    }

    private func isRepeated(_ target: Target) -> Bool {
        switch target {
        case .leader: true
        case .server(let datacenter): datacenter == settings.identity.datacenter
        case .once: false
        }
    }

    // MARK: Time

    var deadline: Instant? { waiting.deadline }

    /// The next work whose pause is over.
    mutating func popDue(at now: Instant) -> WaitingWork? { waiting.popDue(at: now) }

    /// All that waits for another attempt, in the order in which it came: there is reason to believe that it succeeds now.
    mutating func takeWaiting() -> [WaitingWork] { waiting.takeAll() }
}
