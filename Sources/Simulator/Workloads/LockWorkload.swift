import Core

/// Clients that contend for locks with their sessions: acquire, hold for a while, then release, destroy the session, or go silent
/// until it expires. See `LockHistory` for what is checked.
final class LockWorkload: Workload {
    private enum Phase {
        case registering
        case creatingSession
        case acquiring
        case readingBack
        /// Holds the lock and looks at it now and then.
        case holding
        case checking
        case renewing
        case releasing
        case destroying
        case stopped
    }

    private struct Client {
        var phase = Phase.registering
        var caller = Caller()
        var token: UInt64 = 0
        var session = ""
        var ttl: Duration?
        var lockDelay: Duration = .zero
        /// The session lives at least until then if nobody ends it; nil: forever.
        var expires: Instant?
        var lock = 0
        var holding: LockHistory.Holding?
        /// Of the lock that it held for certain when it began to destroy its session.
        var lockIndexAtEnd: UInt64?
        var stepsLeft = 0
    }

    let name = WorkloadKind.lock.name
    private var setup: WorkloadSetup
    private var clients: [Client]
    private var histories: [LockHistory]
    private var violations: [Violation] = []
    private var isStopped = false
    private var acquisitions = 0
    private var refusals = 0
    private var finals: FinalReads?

    init(_ setup: WorkloadSetup) {
        self.setup = setup
        clients = Array(repeating: Client(), count: setup.options.clients)
        histories = (0..<setup.options.objects).map { LockHistory(name: "lock l\(setup.index)/k\($0)") }
    }

    private func path(_ lock: Int) -> String { "/v1/kv/l\(setup.index)/k\(lock)" }
    private func node(_ client: Int) -> String { "lock-client-\(setup.index)-\(client)" }

    func start(_ hub: ClientHub) {
        for client in clients.indices { rest(client, .registering, hub) }
    }

    private func address(_ client: Int) -> ClientAddress {
        ClientAddress(workload: setup.index, client: client, token: clients[client].token)
    }

    private func rest(_ client: Int, _ next: Phase, _ hub: ClientHub, after pause: Duration? = nil) {
        clients[client].phase = next
        clients[client].token += 1
        hub.wake(address(client), after: pause ?? setup.pause())
    }

    func timer(client: Int, token: UInt64, _ hub: ClientHub) {
        if client == clients.count { return finals?.resume(hub) ?? () }
        guard clients[client].token == token, !clients[client].caller.isBusy else { return }
        if isStopped {
            letGo(client, hub.now)
            clients[client].phase = .stopped
            return
        }
        begin(client, hub)
    }

    // MARK: - Doing

    private func begin(_ client: Int, _ hub: ClientHub) {
        let session = clients[client].session
        switch clients[client].phase {
        case .registering:
            let body = SessionRequests.registration(node: node(client), address: "10.2.0.\(client + 1)")
            ask(client, "PUT", "/v1/catalog/register", body, hub)
        case .creatingSession:
            clients[client].ttl = setup.random.chance(0.5) ? .seconds(10) : nil
            clients[client].lockDelay = setup.random.pick([.zero, .seconds(1), .seconds(5)])
            let body = SessionRequests.session(
                node: node(client), ttl: clients[client].ttl, lockDelay: clients[client].lockDelay, behavior: "release")
            ask(client, "PUT", "/v1/session/create", body, hub)
        case .acquiring:
            clients[client].lock = setup.random.int(in: 0...histories.count - 1)
            ask(client, "PUT", path(clients[client].lock) + "?acquire=" + session, Array("by \(client)".utf8), hub)
        case .readingBack, .checking:
            ask(client, "GET", path(clients[client].lock) + "?consistent", [], hub)
        case .renewing:
            ask(client, "PUT", "/v1/session/renew/" + session, [], hub)
        case .holding:
            clients[client].stepsLeft -= 1
            if clients[client].stepsLeft > 0 {
                clients[client].phase = clients[client].ttl != nil && setup.random.chance(0.5) ? .renewing : .checking
            } else if setup.random.chance(0.6) {
                clients[client].phase = .releasing
            } else if clients[client].ttl != nil && setup.random.chance(0.5) {
                // It goes silent; the session ends by itself, and a new one is made.
                letGo(client, clients[client].expires ?? hub.now)
                clients[client].phase = .creatingSession
            } else {
                clients[client].phase = .destroying
            }
            begin(client, hub)
        case .releasing:
            letGo(client, hub.now)
            ask(client, "PUT", path(clients[client].lock) + "?release=" + session, Array("free".utf8), hub)
        case .destroying:
            let holds = hub.now < clients[client].expires ?? .distantFuture
            clients[client].lockIndexAtEnd = holds ? clients[client].holding?.lockIndex : nil
            letGo(client, hub.now)
            ask(client, "PUT", "/v1/session/destroy/" + session, [], hub)
        case .stopped:
            break
        }
    }

    private func ask(_ client: Int, _ method: String, _ target: String, _ body: [UInt8], _ hub: ClientHub) {
        let server = clients[client].caller.begin(hub, &setup.random)
        hub.ask(address(client), server: server, method, target, body: body)
    }

    /// The certain part of holding a lock ends.
    private func letGo(_ client: Int, _ now: Instant) {
        guard var holding = clients[client].holding else { return }
        clients[client].holding = nil
        holding.until = min(now, clients[client].expires ?? .distantFuture)
        histories[clients[client].lock].append(holding)
    }

    // MARK: - Answers

    func answered(_ from: ClientAddress, _ answer: ClientAnswer, _ hub: ClientHub) {
        if from.client == clients.count {
            if let (_, response) = finals?.take(answer, hub), response.status == 200, response.json?.list == nil {
                violations.append(Violation(rule: "answers make sense", text: String(decoding: response.body, as: UTF8.self)))
            }
            return
        }
        let client = from.client
        let response = clients[client].caller.end(answer)
        switch clients[client].phase {
        case .registering:
            rest(client, response?.boolean == true ? .creatingSession : .registering, hub)
        case .creatingSession:
            created(client, response, hub)
        case .acquiring:
            acquired(client, response, hub)
        case .readingBack, .checking:
            if let response { looked(client, response, hub) }
            rest(client, .holding, hub)
        case .renewing:
            renewed(client, response, hub)
        case .releasing:
            if response?.boolean == false, clients[client].ttl == nil {
                violations.append(Violation(rule: "holders can release", text: "client \(client) was refused at \(timestamp(hub.now))"))
            }
            // What became of an unanswered release is unknown; with a new session nothing depends on it.
            rest(client, response?.boolean == nil ? .destroying : .acquiring, hub)
        case .destroying:
            if response?.boolean == true { destroyed(client, hub) }
            rest(client, response?.boolean == true ? .creatingSession : .destroying, hub)
        case .holding, .stopped:
            break
        }
    }

    private func destroyed(_ client: Int, _ hub: ClientHub) {
        let length = setup.certain(clients[client].lockDelay, hub)
        guard let lockIndex = clients[client].lockIndexAtEnd, length > .zero else { return }
        histories[clients[client].lock].append(
            LockHistory.Delay(
                session: clients[client].session, client: client, from: clients[client].caller.invoked, known: hub.now, length: length,
                lockIndex: lockIndex))
    }

    private func created(_ client: Int, _ response: HTTPClientResponse?, _ hub: ClientHub) {
        guard let response, response.status == 200, let id = response.json?["ID"]?.text else {
            return rest(client, .creatingSession, hub)
        }
        clients[client].session = id
        clients[client].expires = clients[client].ttl.map { clients[client].caller.invoked + setup.certain($0, hub) }
        rest(client, .acquiring, hub)
    }

    private func acquired(_ client: Int, _ response: HTTPClientResponse?, _ hub: ClientHub) {
        switch response?.boolean {
        case true?:
            acquisitions += 1
            clients[client].holding = LockHistory.Holding(
                session: clients[client].session, client: client, invoked: clients[client].caller.invoked, acquired: hub.now, until: hub.now
            )
            clients[client].stepsLeft = setup.random.int(in: 1...5)
            clients[client].phase = .readingBack
            begin(client, hub)
        case false?:
            refusals += 1
            rest(client, .acquiring, hub)
        case nil:
            // It may hold the lock without knowing: a new session.
            let sessionIsGone = response.map { String(decoding: $0.body, as: UTF8.self).contains("invalid session") } ?? false
            if sessionIsGone, clients[client].ttl == nil {
                violations.append(
                    Violation(rule: "sessions without TTL stay", text: "session \(clients[client].session) of client \(client) is gone"))
            }
            rest(client, sessionIsGone ? .creatingSession : .destroying, hub)
        }
    }

    /// While a lock is held for certain, a consistent read shows its holder.
    private func looked(_ client: Int, _ response: HTTPClientResponse, _ hub: ClientHub) {
        guard response.status == 200, let holding = clients[client].holding else { return }
        guard let entry = response.json?.list?.first.flatMap({ KeyEntry($0) }) else {
            violations.append(Violation(rule: "answers make sense", text: String(decoding: response.body, as: UTF8.self)))
            return
        }
        if entry.session == holding.session {
            if let known = holding.lockIndex, known != entry.lockIndex {
                violations.append(
                    Violation(
                        rule: "fencing tokens stay", text: "\(entry.key): LockIndex went from \(known) to \(entry.lockIndex) while held"))
            }
            clients[client].holding?.lockIndex = entry.lockIndex
        } else if hub.now < clients[client].expires ?? .distantFuture {
            violations.append(
                Violation(
                    rule: "mutual exclusion",
                    text: "\(entry.key): client \(client) holds it since \(timestamp(holding.acquired)), "
                        + "at \(timestamp(hub.now)) the holder is \"\(entry.session)\""))
        } else {
            letGo(client, clients[client].expires ?? hub.now)
        }
    }

    private func renewed(_ client: Int, _ response: HTTPClientResponse?, _ hub: ClientHub) {
        guard let response, let ttl = clients[client].ttl else { return rest(client, .holding, hub) }
        if response.status == 200 {
            clients[client].expires = clients[client].caller.invoked + setup.certain(ttl, hub)
            rest(client, .holding, hub)
        } else if response.status == 404 {
            if hub.now < clients[client].expires ?? .zero {
                violations.append(
                    Violation(
                        rule: "sessions outlive their TTL",
                        text: "session \(clients[client].session) was gone at \(timestamp(hub.now)), "
                            + "due not before \(timestamp(clients[client].expires ?? .zero))"))
            }
            letGo(client, clients[client].expires ?? hub.now)
            rest(client, .creatingSession, hub)
        } else {
            rest(client, .holding, hub)
        }
    }

    // MARK: - The end

    func stop() { isStopped = true }
    var isIdle: Bool { clients.allSatisfy { !$0.caller.isBusy } }

    func readFinalState(_ hub: ClientHub) {
        let address = ClientAddress(workload: setup.index, client: clients.count, token: 0)
        finals = FinalReads(of: histories.indices.map { path($0) + "?consistent" }, from: hub.usable, address: address)
        finals?.resume(hub)
    }

    var hasFinalState: Bool { finals?.isDone ?? false }

    func verdict() -> WorkloadVerdict {
        var verdict = WorkloadVerdict(name: name, violations: violations)
        for var history in histories {
            history.judgesDelays = setup.run.judgesLockDelays
            verdict.violations += history.violations()
        }
        verdict.counts = [("acquisitions", acquisitions), ("refusals", refusals)]
        return verdict
    }
}
