/// What an agent without a server of its own has in its place: it lets the servers of its datacenter carry out reads and writes.
///
/// Towards its agent it is like a `Server`: work goes in, exactly one answer for each comes out. Pure. Spec: behaviour §9.1-9.3,
/// rpc-raft-wire §2.5. A departure: a server that cannot be reached has done nothing, so the next one is asked at once, each server once;
/// and reads whose connection broke are asked again, where the reference reports the loss.
public final class Client {
    private(set) var settings: AgentSettings
    public internal(set) var servers: ServerManager
    private var limiter: RateLimiter?
    private var random: Random

    private var effects: [ServerEffect] = []
    private var answers: [ServerAnswer] = []
    private var caller: ServerCaller
    private var evaluations: UInt64 = 0
    /// Calls that were to be made, and those of them that the limit did not allow; since the start.
    public private(set) var callCount = 0
    public private(set) var refusalCount = 0

    /// Who the answer to a ping is for: there is one at a time.
    private static let pinger = Requester.own(0)

    public init(settings: AgentSettings, seed: UInt64, at now: Instant) {
        var random = Random(seed: seed)
        self.settings = settings
        servers = ServerManager(seed: random.next(), at: now)
        limiter = RateLimiter(settings.reloadable, at: now)
        self.random = random
        caller = ServerCaller(settings, owner: .client)
        // Those of a cluster without gossip are there from the start.
        for server in settings.raft.initialServers {
            servers.add(ServerEntry(name: server.name, address: server.address, datacenter: settings.identity.datacenter))
        }
    }

    /// Limits that a reload may change.
    public func reload(_ new: Reloadable, at now: Instant) {
        settings.reloadable = new
        limiter = RateLimiter(new, at: now)
    }

    /// Whether nothing at all is held.
    var isIdle: Bool { caller.isIdle }

    // MARK: Work

    /// Lets a server carry `work` out; that server judges what the token in it may do. Ends in exactly one answer for `requester`, unless it is cancelled.
    public func execute(_ work: ServerWork, _ context: RequestContext, for requester: Requester, at now: Instant) {
        let call = ServerCaller.Call(
            requester: requester, work: work.addressed(to: settings.identity.datacenter), context: context,
            target: .server(of: settings.identity.datacenter),
            giveUpAt: now + settings.servers.rpcHoldTimeout)
        attempt(call, at: now)
    }

    /// The requester went away: nothing is kept of what it asked for.
    public func cancel(_ requester: Requester) {
        if case .underWay(let call) = caller.cancel(requester) { effects.append(.giveUp(call)) }
    }

    private func attempt(_ call: ServerCaller.Call, at now: Instant) {
        guard let server = servers.chosen else { return fail(call, .noServers) }
        callCount += 1
        guard limiter?.allows(at: now) ?? true else {
            refusalCount += 1
            return fail(call, .rateLimited)
        }
        var call = call
        call.server = server.name
        guard let outgoing = caller.attempt(call, at: server.address) else { return fail(call, .noLeader) }
        effects.append(ServerEffect(outgoing))
    }

    // MARK: Answers

    public func answered(_ call: CallID, _ bytes: [UInt8], at now: Instant) {
        if let outcome = caller.answered(call, bytes, at: now, &random) { ended(outcome, at: now) }
    }

    public func callFailed(_ call: CallID, _ reason: String, at now: Instant) {
        if let outcome = caller.failed(call, reason, at: now, &random) { ended(outcome, at: now) }
    }

    private func ended(_ outcome: ServerCaller.Outcome, at now: Instant) {
        switch outcome {
        case .answered(let call, _) where call.requester == Self.pinger: pinged(true, at: now)
        case .failed(let call, _, _) where call.requester == Self.pinger: pinged(false, at: now)
        case .answered(let call, .read(let result, let meta, let size)):
            evaluations += 1
            let answer = ReadAnswer(result: result, meta: meta, evaluation: evaluations, size: size)
            answers.append(.read(call.requester, .success(answer)))
        case .answered(let call, .write(let result)): answers.append(.write(call.requester, .success(result)))
        case .answered(let call, .operation(let result)): answers.append(.operation(call.requester, .success(result)))
        case .failed(let call, let error, let next):
            report(call, error)
            switch next {
            case .waits: break
            case .elsewhere where call.unsent < servers.servers.count: attempt(call, at: now)
            case .elsewhere, .over: fail(call, error)
            }
        }
    }

    /// Another server is the better one to ask next.
    private func report(_ call: ServerCaller.Call, _ error: ServerError) {
        let address = servers.servers.first { $0.name == call.server }?.address ?? call.server
        let method = call.work.isSnapshot ? "SnapshotRPC" : call.work.encodedCall?.method ?? ""
        log(.error, "RPC failed to server: method=\(method) server=\(address) error=\(LogText.value(error.text))")
        servers.failed(call.server)
    }

    private func fail(_ call: ServerCaller.Call, _ error: ServerError) {
        switch call.work {
        case .read, .renew: answers.append(.read(call.requester, .failure(error)))
        case .write: answers.append(.write(call.requester, .failure(error)))
        case .operation: answers.append(.operation(call.requester, .failure(error)))
        }
    }

    // MARK: Time

    /// Timers that have come due.
    public func wake(at now: Instant) {
        while let work = caller.popDue(at: now) {
            let call = ServerCaller.Call(
                requester: work.requester, work: work.work, context: work.context, target: .server(of: settings.identity.datacenter),
                giveUpAt: work.giveUpAt)
            attempt(call, at: now)
        }
        if let server = servers.wake(at: now) { ping(server) }
    }

    public var deadline: Instant? {
        var earliest = caller.deadline
        earliest.bringForward(to: servers.deadline)
        return earliest
    }

    private func ping(_ server: ServerEntry) {
        let call = ServerCaller.Call(
            requester: Self.pinger, work: .operation(.ping, QueryOptions()), context: .ownWork,
            target: .once(within: ServerManager.pingTimeout))
        guard let outgoing = caller.attempt(call, at: server.address) else { preconditionFailure("a ping has a method") }
        effects.append(ServerEffect(outgoing))
    }

    private func pinged(_ answered: Bool, at now: Instant) {
        if let next = servers.pinged(answered: answered, at: now) { ping(next) }
    }

    // MARK: Output

    /// The end of a batch of events. Nothing is collected here.
    public func flush(at now: Instant) {}

    /// Takes what has come out since the last call.
    public func takeOutput(into effects: inout [ServerEffect]) -> [ServerAnswer] {
        effects.append(contentsOf: self.effects)
        self.effects.removeAll(keepingCapacity: true)
        let answers = self.answers
        self.answers = []
        return answers
    }

    func log(_ level: LogLevel, _ text: String) { effects.append(.log(level, "agent.client", text)) }
}

extension Client {
    /// The section `consul` of `/v1/agent/self`.
    func statistics() -> [AgentStatistics] {
        [AgentStatistics("consul", ["acl": "disabled", "known_servers": String(servers.servers.count), "server": "false"])]
    }
}
