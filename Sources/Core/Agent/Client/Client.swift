/// What an agent without a server of its own has in its place: it lets the servers of its datacenter carry out reads and writes.
///
/// Towards its agent it is like a `Server`: work goes in, exactly one answer for each comes out. Pure. Spec: behaviour §9.1-9.3,
/// rpc-raft-wire §2.5. A departure: a server that cannot be reached has done nothing, so the next one is asked at once, each server once;
/// and reads whose connection broke are asked again, where the reference reports the loss.
public final class Client {
    let config: AgentConfig
    public internal(set) var servers: ServerManager
    private var limiter: RateLimiter?
    private var random: Random

    private var effects: [ServerEffect] = []
    private var answers: [ServerAnswer] = []

    /// Work that is not answered yet, by its number.
    private var pending = LookupTable<UInt64, Pending>()
    private var numbers = LookupTable<Requester, UInt64>()
    private var callCounter = CallCounter(.client)
    private var calls = LookupTable<CallID, UInt64>()
    private var retries = DeadlineQueue<UInt64>()
    private var pings = LookupSet<CallID>()
    private var nextID: UInt64 = 1
    private var evaluations: UInt64 = 0
    /// Calls that were to be made, and those of them that the limit did not allow; since the start.
    public private(set) var callCount = 0
    public private(set) var refusalCount = 0

    private struct Pending {
        let requester: Requester
        let work: ServerWork
        let began: Instant
        /// The attempt under way.
        var call: CallID?
        var server = ""
        /// Attempts since the last answer that could not even be sent.
        var unsent = 0
    }

    public init(config: AgentConfig, seed: UInt64, at now: Instant) {
        var random = Random(seed: seed)
        self.config = config
        servers = ServerManager(seed: random.next(), at: now)
        limiter = RateLimiter(config, at: now)
        self.random = random
        // Those of a cluster without gossip are there from the start.
        for server in config.initialServers {
            servers.add(ServerEntry(name: server.name, address: server.address, datacenter: config.datacenter))
        }
    }

    /// Limits that a reload may change.
    public func reload(_ new: AgentConfig, at now: Instant) { limiter = RateLimiter(new, at: now) }

    /// Whether nothing at all is held.
    var isIdle: Bool { pending.isEmpty && numbers.isEmpty && calls.isEmpty && retries.isEmpty }

    // MARK: Work

    /// Lets a server carry `work` out; that server judges what the token in it may do. Ends in exactly one answer for `requester`, unless it is cancelled.
    public func execute(_ work: ServerWork, _ context: RequestContext, for requester: Requester, at now: Instant) {
        let number = takeID()
        pending[number] = Pending(requester: requester, work: work.addressed(to: config.datacenter), began: now)
        numbers[requester] = number
        attempt(number, at: now)
    }

    /// The requester went away: nothing is kept of what it asked for.
    public func cancel(_ requester: Requester) {
        guard let number = numbers.removeValue(forKey: requester), let work = pending.removeValue(forKey: number) else { return }
        retries[number] = nil
        if let call = work.call { calls.removeValue(forKey: call) }
    }

    private func attempt(_ number: UInt64, at now: Instant) {
        guard var work = pending[number] else { return }
        guard let server = servers.chosen else { return finish(number, .failure(.noServers)) }
        callCount += 1
        guard limiter?.allows(at: now) ?? true else {
            refusalCount += 1
            return finish(number, .failure(.rateLimited))
        }
        let call = callCounter.next()
        guard let (channel, bytes) = work.work.message(sequence: call.number) else { return finish(number, .failure(.noLeader)) }
        work.call = call
        work.server = server.name
        pending[number] = work
        calls[call] = number
        // The server may hold the work, and the leader that it hands it to.
        effects.append(.call(call, to: server.address, channel, bytes, timeout: work.work.answerTimeout(config, hops: 2)))
    }

    // MARK: Answers

    public func answered(_ call: CallID, _ bytes: [UInt8], at now: Instant) {
        if pings.remove(call) { return pinged(isAnswer(bytes), at: now) }
        guard let number = calls.removeValue(forKey: call), let work = pending[number] else { return }
        guard let reply = try? work.work.readReply(bytes) else {
            return failed(number, work.work.called("malformed answer"), repeats: false, at: now)
        }
        guard reply.error.isEmpty else {
            return failed(number, work.work.called(reply.error), repeats: work.work.isWorthRepeating(after: reply.error), at: now)
        }
        do throws(MessagePackError) {
            finish(number, .success(try work.work.decodeAnswer(reply.body)), size: bytes.count)
        } catch {
            failed(number, work.work.called(error.text), repeats: false, at: now)
        }
    }

    public func callFailed(_ call: CallID, _ reason: String, at now: Instant) {
        if pings.remove(call) { return pinged(false, at: now) }
        guard let number = calls.removeValue(forKey: call), var work = pending[number] else { return }
        let error = work.work.failed(reason)
        guard ServerError.isUnsent(reason) else { return failed(number, error, repeats: work.work.isRepeatable, at: now) }
        work.unsent += 1
        pending[number] = work
        report(work, error)
        work.unsent < servers.servers.count ? attempt(number, at: now) : finish(number, .failure(error))
    }

    /// Another server is the better one to ask next. The work is tried again after a short random time, if that makes sense.
    private func failed(_ number: UInt64, _ error: ServerError, repeats: Bool, at now: Instant) {
        guard var work = pending[number] else { return }
        report(work, error)
        guard repeats, now - work.began < config.rpcHoldTimeout else { return finish(number, .failure(error)) }
        work.call = nil
        work.unsent = 0
        pending[number] = work
        retries[number] = now + random.duration(below: .nanoseconds(config.rpcHoldTimeout.nanoseconds / 16))
    }

    private func report(_ work: Pending, _ error: ServerError) {
        let address = servers.servers.first { $0.name == work.server }?.address ?? work.server
        let method = work.work.isSnapshot ? "SnapshotRPC" : work.work.encodedCall?.method ?? ""
        log(.error, "RPC failed to server: method=\(method) server=\(address) error=\(LogText.value(error.text))")
        servers.failed(work.server)
    }

    /// `size`: of the message that the answer came in.
    private func finish(_ number: UInt64, _ result: Result<WorkAnswer, ServerError>, size: Int = 0) {
        guard let work = pending.removeValue(forKey: number) else { return }
        numbers.removeValue(forKey: work.requester)
        switch result {
        case .success(.read(let result, let meta)):
            evaluations += 1
            answers.append(.read(work.requester, .success(ReadAnswer(result: result, meta: meta, evaluation: evaluations, size: size))))
        case .success(.write(let result)): answers.append(.write(work.requester, .success(result)))
        case .success(.operation(let result)): answers.append(.operation(work.requester, .success(result)))
        case .failure(let error): fail(work, error)
        }
    }

    private func fail(_ work: Pending, _ error: ServerError) {
        switch work.work {
        case .read, .renew: answers.append(.read(work.requester, .failure(error)))
        case .write: answers.append(.write(work.requester, .failure(error)))
        case .operation: answers.append(.operation(work.requester, .failure(error)))
        }
    }

    // MARK: Time

    /// Timers that have come due.
    public func wake(at now: Instant) {
        while let number = retries.popExpired(at: now) { attempt(number, at: now) }
        if let server = servers.wake(at: now) { ping(server) }
    }

    public var deadline: Instant? {
        guard let retry = retries.first else { return servers.deadline }
        return servers.deadline.map { min($0, retry) } ?? retry
    }

    private func ping(_ server: ServerEntry) {
        let call = callCounter.next()
        pings.insert(call)
        let bytes = RPCRequest.encode(sequence: call.number, method: "Status.Ping", body: [0x80])
        effects.append(.call(call, to: server.address, .rpc, bytes, timeout: ServerManager.pingTimeout))
    }

    private func pinged(_ answered: Bool, at now: Instant) {
        if let next = servers.pinged(answered: answered, at: now) { ping(next) }
    }

    private func isAnswer(_ bytes: [UInt8]) -> Bool { (try? RPCReply(decoding: bytes))?.error.isEmpty ?? false }

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

    private func takeID() -> UInt64 {
        defer { nextID += 1 }
        return nextID
    }
}

extension Client {
    /// The section `consul` of `/v1/agent/self`.
    func statistics() -> [AgentStatistics] {
        [AgentStatistics("consul", ["acl": "disabled", "known_servers": String(servers.servers.count), "server": "false"])]
    }
}
