import Core

/// Sessions with a time to live: renewed they must stay, abandoned they must go, with what they held.
final class SessionWorkload: Workload {
    private enum Phase {
        case registering, creating, acquiring, renewing, stopped
    }

    private struct Client {
        var phase = Phase.registering
        var caller = Caller()
        var token: UInt64 = 0
        var session = ""
        var renewalsLeft = 0
        /// The session lives at least until then.
        var expires = Instant.zero
        /// Counts the keys that this client's sessions held, each used once.
        var keys = 0
    }

    private struct Abandoned {
        var session: String
        var since: Instant
    }

    private static let ttl: Duration = .seconds(10)

    let name = WorkloadKind.session.name
    private var setup: WorkloadSetup
    private var clients: [Client]
    private var abandoned: [Abandoned] = []
    private var violations: [Violation] = []
    private var isStopped = false
    private var renewals = 0
    private var created = 0
    private var ended = 0
    // The end
    private var checking = 0
    private var isFinal = false

    init(_ setup: WorkloadSetup) {
        self.setup = setup
        clients = Array(repeating: Client(), count: setup.options.clients)
    }

    private func node(_ client: Int) -> String { "session-client-\(setup.index)-\(client)" }
    private var prefix: String { "s\(setup.index)/" }

    func start(_ hub: ClientHub) {
        for client in clients.indices { rest(client, .registering, hub, setup.pause()) }
    }

    private func address(_ client: Int) -> ClientAddress {
        ClientAddress(workload: setup.index, client: client, token: client < clients.count ? clients[client].token : 0)
    }

    private func rest(_ client: Int, _ next: Phase, _ hub: ClientHub, _ pause: Duration) {
        clients[client].phase = next
        clients[client].token += 1
        hub.wake(address(client), after: pause)
    }

    func timer(client: Int, token: UInt64, _ hub: ClientHub) {
        if client == clients.count { return checkNext(hub) }
        guard clients[client].token == token, !clients[client].caller.isBusy else { return }
        if isStopped {
            abandon(client, hub)
            clients[client].phase = .stopped
            return
        }
        switch clients[client].phase {
        case .registering:
            let body = SessionRequests.registration(node: node(client), address: "10.3.0.\(client + 1)")
            ask(client, "PUT", "/v1/catalog/register", body, hub)
        case .creating:
            let behavior = setup.random.chance(0.5) ? "delete" : "release"
            let body = SessionRequests.session(node: node(client), ttl: Self.ttl, lockDelay: .zero, behavior: behavior)
            ask(client, "PUT", "/v1/session/create", body, hub)
        case .acquiring:
            clients[client].keys += 1
            let key = "\(prefix)\(client)/\(clients[client].keys)"
            ask(client, "PUT", "/v1/kv/\(key)?acquire=\(clients[client].session)", Array("held".utf8), hub)
        case .renewing:
            if clients[client].renewalsLeft == 0 {
                abandon(client, hub)
                return rest(client, .creating, hub, setup.pause())
            }
            clients[client].renewalsLeft -= 1
            ask(client, "PUT", "/v1/session/renew/\(clients[client].session)", [], hub)
        case .stopped: break
        }
    }

    private func ask(_ client: Int, _ method: String, _ target: String, _ body: [UInt8], _ hub: ClientHub) {
        let server = clients[client].caller.begin(hub, &setup.random)
        hub.ask(address(client), server: server, method, target, body: body)
    }

    private func abandon(_ client: Int, _ hub: ClientHub) {
        guard !clients[client].session.isEmpty else { return }
        abandoned.append(Abandoned(session: clients[client].session, since: hub.now))
        clients[client].session = ""
    }

    // MARK: - Answers

    func answered(_ from: ClientAddress, _ answer: ClientAnswer, _ hub: ClientHub) {
        if from.client == clients.count { return checked(answer, hub) }
        let client = from.client
        let response = clients[client].caller.end(answer)
        switch clients[client].phase {
        case .registering:
            rest(client, response?.boolean == true ? .creating : .registering, hub, setup.pause())
        case .creating:
            guard let response, response.status == 200, let id = response.json?["ID"]?.text else {
                return rest(client, .creating, hub, setup.pause())
            }
            created += 1
            clients[client].session = id
            clients[client].renewalsLeft = setup.random.int(in: 0...8)
            clients[client].expires = clients[client].caller.invoked + setup.certain(Self.ttl, hub)
            rest(client, .acquiring, hub, .zero)
        case .acquiring:
            if response?.boolean == false {
                violations.append(Violation(rule: "nobody else holds the key", text: "session \(clients[client].session) was refused"))
            }
            rest(client, .renewing, hub, pauseBeforeRenewal(client, hub))
        case .renewing:
            renewed(client, response, hub)
        case .stopped: break
        }
    }

    /// Some come when the session is about to end, at twice its TTL.
    private func pauseBeforeRenewal(_ client: Int, _ hub: ClientHub) -> Duration {
        guard setup.random.chance(0.15) else { return setup.random.duration(in: .seconds(1)...(.seconds(6))) }
        let end = clients[client].caller.invoked + Self.ttl * 2
        return max(.zero, end - hub.now) + setup.random.duration(below: .milliseconds(40))
    }

    private func renewed(_ client: Int, _ response: HTTPClientResponse?, _ hub: ClientHub) {
        switch response?.status {
        case 200?:
            renewals += 1
            clients[client].expires = clients[client].caller.invoked + setup.certain(Self.ttl, hub)
            rest(client, .renewing, hub, pauseBeforeRenewal(client, hub))
        case 404?:
            ended += 1
            if hub.now < clients[client].expires {
                violations.append(
                    Violation(
                        rule: "sessions outlive their TTL",
                        text: "session \(clients[client].session) was gone at \(timestamp(hub.now)), "
                            + "due not before \(timestamp(clients[client].expires))"))
            }
            clients[client].session = ""
            rest(client, .creating, hub, setup.pause())
        default:
            rest(client, .renewing, hub, .milliseconds(500))
        }
    }

    // MARK: - The end

    func stop() { isStopped = true }
    var isIdle: Bool { clients.allSatisfy { !$0.caller.isBusy } }
    var hasFinalState: Bool { isFinal && checking == abandoned.count + 1 }

    func readFinalState(_ hub: ClientHub) {
        for client in clients.indices { abandon(client, hub) }
        isFinal = true
        checkNext(hub)
    }

    /// Every abandoned session must go at last, and then no key names a session.
    private func checkNext(_ hub: ClientHub) {
        guard isFinal, !hasFinalState, let server = hub.usable.first else { return }
        let checker = address(clients.count)
        if checking < abandoned.count {
            hub.ask(checker, server: server, "GET", "/v1/session/info/\(abandoned[checking].session)?consistent")
        } else {
            hub.ask(checker, server: server, "GET", "/v1/kv/\(prefix)?recurse&consistent")
        }
    }

    private func checked(_ answer: ClientAnswer, _ hub: ClientHub) {
        guard case .response(let response) = answer, response.status == 200 || response.status == 404 else {
            return hub.wake(address(clients.count), after: .milliseconds(500))
        }
        let list = response.json?.list ?? []
        if checking < abandoned.count {
            guard list.isEmpty else { return hub.wake(address(clients.count), after: .seconds(1)) }
        } else {
            for held in list.compactMap({ KeyEntry($0) }) where !held.session.isEmpty {
                violations.append(Violation(rule: "an ended session holds nothing", text: "\(held.key) is held by \(held.session)"))
            }
        }
        checking += 1
        checkNext(hub)
    }

    func verdict() -> WorkloadVerdict {
        WorkloadVerdict(
            name: name, violations: violations,
            counts: [("sessions", created), ("renewals", renewals), ("ended-early", ended), ("abandoned", abandoned.count)])
    }
}
