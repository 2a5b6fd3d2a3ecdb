import Core

/// Sessions that live as long as a check of an agent passes. The checks pass whenever they run, so the sessions must stay, however often
/// agents crash and start again.
final class CheckSessionWorkload: Workload {
    private enum Phase {
        case registering, creating, watching, done
    }

    private struct Client {
        var agent = 0
        var phase = Phase.registering
        var token: UInt64 = 0
        var isBusy = false
        var session = ""
    }

    let name = WorkloadKind.checkSession.name
    private var setup: WorkloadSetup
    private var clients: [Client]
    private var violations: [Violation] = []
    private var isStopped = false
    private var isFinal = false
    private var created = 0
    private var seen = 0

    init(_ setup: WorkloadSetup) {
        self.setup = setup
        clients = Array(repeating: Client(), count: setup.options.clients)
    }

    private func address(_ client: Int) -> ClientAddress { .init(workload: setup.index, client: client, token: clients[client].token) }
    private func service(_ client: Int) -> String { "held\(setup.index)c\(client)" }

    func start(_ hub: ClientHub) {
        for client in clients.indices {
            clients[client].agent = hub.agents[client % hub.agents.count]
            rest(client, hub)
        }
    }

    private func rest(_ client: Int, _ hub: ClientHub) {
        clients[client].token += 1
        hub.wake(address(client), after: setup.pause())
    }

    func timer(client: Int, token: UInt64, _ hub: ClientHub) {
        guard clients[client].token == token, !clients[client].isBusy, !isStopped || isFinal else { return }
        clients[client].isBusy = true
        switch clients[client].phase {
        case .registering:
            hub.ask(address(client), server: clients[client].agent, "PUT", "/v1/agent/service/register", body: registration(client))
        case .creating:
            let server = hub.anyServer(&setup.random)
            let node = hub.name(of: clients[client].agent)
            let body = SessionRequests.session(node: node, check: "service:\(service(client))")
            hub.ask(address(client), server: server, "PUT", "/v1/session/create", body: body)
        case .watching:
            let server = hub.anyServer(&setup.random)
            hub.ask(address(client), server: server, "GET", "/v1/session/info/\(clients[client].session)?consistent")
        case .done: clients[client].isBusy = false
        }
    }

    /// Every other check runs each second, the others each ten.
    private func registration(_ client: Int) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("Name")
        json.string(service(client))
        json.key("Check")
        json.beginObject()
        json.key("TCP")
        json.string("127.0.0.1:80")
        json.key("Interval")
        json.string(client % 2 == 0 ? "1s" : "10s")
        json.key("Status")
        json.string(CheckStatus.passing)
        json.endObject()
        json.endObject()
        return json.finish()
    }

    func answered(_ from: ClientAddress, _ answer: ClientAnswer, _ hub: ClientHub) {
        let client = from.client
        clients[client].isBusy = false
        if case .response(let response) = answer, response.status == 200 { took(response, client) }
        rest(client, hub)
    }

    private func took(_ response: HTTPClientResponse, _ client: Int) {
        switch clients[client].phase {
        case .registering: clients[client].phase = .creating
        case .creating:
            guard let id = response.json?["ID"]?.text else { return }
            created += 1
            clients[client].session = id
            clients[client].phase = .watching
        case .watching:
            guard let list = response.json?.list else { return }
            if list.isEmpty {
                let rule = "a session stays while its check passes"
                violations.append(Violation(rule: rule, text: "the session of \(service(client)) is gone"))
            }
            seen += 1
            if isFinal || list.isEmpty { clients[client].phase = .done }
        case .done: break
        }
    }

    // MARK: - The end

    func stop() { isStopped = true }
    var isIdle: Bool { clients.allSatisfy { !$0.isBusy } }
    var hasFinalState: Bool { isFinal && clients.allSatisfy { $0.phase == .done } }

    func readFinalState(_ hub: ClientHub) {
        isFinal = true
        for client in clients.indices {
            if clients[client].phase != .watching { clients[client].phase = .done }
            rest(client, hub)
        }
    }

    func verdict() -> WorkloadVerdict {
        var verdict = WorkloadVerdict(name: name, violations: violations)
        verdict.counts = [("sessions", created), ("times seen", seen)]
        return verdict
    }
}
