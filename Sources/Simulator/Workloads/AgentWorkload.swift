import Core

/// Clients that register services at agents, take them away, and set the state of their checks, each at an agent of its own.
///
/// Checked once the faults are over: the catalog shows of each agent's node exactly the services and checks that the agent itself
/// tells of (anti-entropy, behaviour §6), its serfHealth passes, and what was acknowledged is among them, whether or not the agent has
/// crashed since.
final class AgentWorkload: Workload {
    private struct Client {
        var agent: Int
        var token: UInt64 = 0
        var isBusy = false
        /// By service: its last acknowledged port, 0 for none, nil while that is not known.
        var acknowledged: [Int?]
        var pending: (service: Int, port: Int)?
        var nextPort = 1000
        var final = Final.asksServices
        /// What the agent told of itself.
        var told = AgentState()
        var isDone = false
        var lastDifference = "nothing was answered"
    }

    /// Where the comparison at the end stands.
    private enum Final {
        case asksServices
        case asksChecks
        case readsCatalog
        case readsHealth
    }

    /// After the faults, until the catalog must be what the agents tell: a full synchronisation comes once a minute or so, longer
    /// in large clusters.
    private static let syncLimit: Duration = .minutes(4)

    let name = WorkloadKind.agent.name
    private var setup: WorkloadSetup
    private var clients: [Client] = []
    private var violations: [Violation] = []
    private var isStopped = false
    private var isComparing = false
    private var comparisonBegan = Instant.zero
    private var registered = 0

    init(_ setup: WorkloadSetup) {
        self.setup = setup
        let services = setup.options.objects
        clients = (0..<setup.options.clients).map { Client(agent: $0, acknowledged: Array(repeating: 0, count: services)) }
    }

    private func address(_ client: Int) -> ClientAddress { .init(workload: setup.index, client: client, token: clients[client].token) }

    /// Several clients may share an agent, but no services.
    private func service(_ number: Int, of client: Int) -> String { "app\(setup.index)c\(client)x\(number)" }

    func start(_ hub: ClientHub) {
        for client in clients.indices {
            // Client agents first: that is where services run.
            clients[client].agent = hub.agents[client % hub.agents.count]
            rest(client, hub)
        }
    }

    private func rest(_ client: Int, _ hub: ClientHub) {
        clients[client].token += 1
        hub.wake(address(client), after: setup.pause())
    }

    func timer(client: Int, token: UInt64, _ hub: ClientHub) {
        guard clients[client].token == token, !clients[client].isBusy else { return }
        if isComparing { compare(client, hub) } else if !isStopped { change(client, hub) }
    }

    // MARK: - Changes

    private func change(_ number: Int, _ hub: ClientHub) {
        let service = setup.random.int(in: 0...setup.options.objects - 1)
        let id = self.service(service, of: number)
        clients[number].isBusy = true
        let agent = clients[number].agent
        let isThere = clients[number].acknowledged[service] != 0
        switch setup.random.int(in: 0...9) {
        case ..<5 where isThere:
            let verb = setup.random.pick(["pass", "warn", "fail"])
            hub.ask(address(number), server: agent, "PUT", "/v1/agent/check/\(verb)/service:\(id)")
        case ..<7 where isThere:
            clients[number].pending = (service, 0)
            clients[number].acknowledged[service] = nil
            hub.ask(address(number), server: agent, "PUT", "/v1/agent/service/deregister/\(id)")
        default:
            clients[number].nextPort += 1
            clients[number].pending = (service, clients[number].nextPort)
            clients[number].acknowledged[service] = nil
            let body = registration(id, port: clients[number].nextPort)
            hub.ask(address(number), server: agent, "PUT", "/v1/agent/service/register", body: body)
        }
    }

    private func registration(_ id: String, port: Int) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("ID")
        json.string(id)
        json.key("Name")
        json.string(id)
        json.key("Port")
        json.int(port)
        json.key("Check")
        json.beginObject()
        json.key("TTL")
        json.string("1h")
        json.endObject()
        json.endObject()
        return json.finish()
    }

    func answered(_ from: ClientAddress, _ answer: ClientAnswer, _ hub: ClientHub) {
        clients[from.client].isBusy = false
        if isComparing { return compared(from.client, answer, hub) }
        if let (service, port) = clients[from.client].pending.take() {
            if case .response(let response) = answer, response.status == 200 {
                registered += 1
                clients[from.client].acknowledged[service] = port
            }
        }
        if !isStopped { rest(from.client, hub) }
    }

    // MARK: - The end

    func stop() { isStopped = true }
    var isIdle: Bool { clients.allSatisfy { !$0.isBusy } }
    var hasFinalState: Bool { isComparing && clients.allSatisfy(\.isDone) }

    func readFinalState(_ hub: ClientHub) {
        isComparing = true
        comparisonBegan = hub.now
        for client in clients.indices {
            // An agent that stays away is judged by nobody.
            clients[client].isDone = !hub.isUsable(clients[client].agent)
            clients[client].token += 1
            if !clients[client].isDone { compare(client, hub) }
        }
    }

    private func compare(_ number: Int, _ hub: ClientHub) {
        guard !clients[number].isDone else { return }
        if hub.now > comparisonBegan + Self.syncLimit {
            return hub.world.report(
                Violation(
                    rule: "the catalog equals what agents registered",
                    text: "\(hub.name(of: clients[number].agent)): \(clients[number].lastDifference)"))
        }
        clients[number].isBusy = true
        let agent = clients[number].agent
        let node = hub.name(of: agent)
        switch clients[number].final {
        case .asksServices: hub.ask(address(number), server: agent, "GET", "/v1/agent/services")
        case .asksChecks: hub.ask(address(number), server: agent, "GET", "/v1/agent/checks")
        case .readsCatalog: hub.ask(address(number), server: hub.anyServer(&setup.random), "GET", "/v1/catalog/node/\(node)?consistent")
        case .readsHealth: hub.ask(address(number), server: hub.anyServer(&setup.random), "GET", "/v1/health/node/\(node)?consistent")
        }
    }

    private func compared(_ number: Int, _ answer: ClientAnswer, _ hub: ClientHub) {
        guard case .response(let response) = answer, response.status == 200, let json = response.json else {
            return again(number, "no answer", hub)
        }
        switch clients[number].final {
        case .asksServices:
            clients[number].told.services = AgentState.services(json)
            clients[number].final = .asksChecks
        case .asksChecks:
            clients[number].told.checks = AgentState.checks(json)
            clients[number].final = .readsCatalog
        case .readsCatalog:
            let shown = AgentState.services(json["Services"] ?? .null).filter { $0.id != "consul" }
            let told = clients[number].told.services
            guard shown == told else { return again(number, "the agent tells of \(told), the catalog shows \(shown)", hub) }
            clients[number].final = .readsHealth
        case .readsHealth:
            var shown = AgentState.checks(json)
            let health = shown.first { $0.id == "serfHealth" }?.status
            shown.removeAll { $0.id == "serfHealth" }
            guard health == "passing" else { return again(number, "its serfHealth is \(health ?? "not there")", hub) }
            let told = clients[number].told.checks
            guard shown == told else { return again(number, "the agent tells of \(told), the catalog shows \(shown)", hub) }
            checkAcknowledged(number, hub)
            clients[number].isDone = true
            return
        }
        compare(number, hub)
    }

    private func again(_ number: Int, _ difference: String, _ hub: ClientHub) {
        clients[number].lastDifference = difference
        clients[number].final = .asksServices
        hub.wake(address(number), after: .seconds(1))
    }

    private func checkAcknowledged(_ number: Int, _ hub: ClientHub) {
        for (service, port) in clients[number].acknowledged.enumerated() {
            guard let port else { continue }
            let shown = clients[number].told.services.first { $0.id == self.service(service, of: number) }?.port ?? 0
            if shown != port {
                violations.append(
                    Violation(
                        rule: "an agent keeps what was registered",
                        text:
                            "\(hub.name(of: clients[number].agent)): \(self.service(service, of: number)) has port \(shown), acknowledged was \(port)"
                    ))
            }
        }
    }

    func verdict() -> WorkloadVerdict {
        var verdict = WorkloadVerdict(name: name, violations: violations)
        verdict.counts = [("registrations", registered)]
        return verdict
    }
}

/// Services and checks of one node, as an agent tells of itself or as the catalog shows them.
struct AgentState: Equatable {
    struct Service: Equatable {
        var id: String
        var port: Int
    }

    struct Check: Equatable {
        var id: String
        var status: String
    }

    var services: [Service] = []
    var checks: [Check] = []

    /// From an object by id.
    static func services(_ json: DynamicValue) -> [Service] {
        guard case .map(let members) = json else { return [] }
        let found = members.compactMap { member in
            member.value["ID"]?.text.map { Service(id: $0, port: Int(member.value["Port"]?.number ?? 0)) }
        }
        return found.sorted { $0.id < $1.id }
    }

    /// From an object by id, or from a list.
    static func checks(_ json: DynamicValue) -> [Check] {
        var values = json.list ?? []
        if case .map(let members) = json { values = members.map(\.value) }
        let found = values.compactMap { value in
            value["CheckID"]?.text.flatMap { id in value["Status"]?.text.map { Check(id: id, status: $0) } }
        }
        return found.sorted { $0.id < $1.id }
    }
}
