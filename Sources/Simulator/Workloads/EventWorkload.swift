import Core

/// Clients that fire user events at agents.
///
/// Checked once the faults are over: without faults each agent that has run since before an event was fired lists it, once (gossip
/// §12.6).
final class EventWorkload: Workload {
    private struct Fired {
        var payload: String
        /// The lives that have to hear of it.
        var lives: [LifeID]
    }

    private struct Client {
        var token: UInt64 = 0
        var isBusy = false
        var firing: Fired?
    }

    /// An agent that runs for so long has joined the pool.
    private static let joined: Duration = .seconds(20)
    /// After the faults, until everybody must have heard of everything: states are exchanged each half a minute.
    private static let spreadLimit: Duration = .minutes(3)
    /// Agents list the newest 256.
    private static let eventsMax = 200

    let name = WorkloadKind.event.name
    private var setup: WorkloadSetup
    private var clients: [Client]
    private var fired: [Fired] = []
    private var count = 0
    private var isStopped = false
    private var finalBegan: Instant?
    /// Agents that are still to be asked.
    private var unasked: [Int] = []
    private var seenSince = LookupTable<LifeID, Instant>()

    init(_ setup: WorkloadSetup) {
        self.setup = setup
        clients = Array(repeating: Client(), count: setup.options.clients)
    }

    private var eventName: String { "ev\(setup.index)" }
    private func address(_ client: Int) -> ClientAddress { .init(workload: setup.index, client: client, token: clients[client].token) }

    func start(_ hub: ClientHub) {
        for client in clients.indices { rest(client, hub, setup.pause()) }
    }

    private func rest(_ client: Int, _ hub: ClientHub, _ pause: Duration) {
        clients[client].token += 1
        hub.wake(address(client), after: pause)
    }

    func timer(client: Int, token: UInt64, _ hub: ClientHub) {
        guard clients[client].token == token, !clients[client].isBusy else { return }
        if finalBegan != nil { return client == 0 ? look(hub) : () }
        guard !isStopped, count < Self.eventsMax else { return }
        let lives = hub.allLives
        for life in lives where seenSince[life] == nil { seenSince[life] = hub.now }
        count += 1
        let old = lives.filter { hub.now - (seenSince[$0] ?? hub.now) >= Self.joined }
        clients[client].firing = Fired(payload: "e\(count)", lives: old)
        clients[client].isBusy = true
        let agent = hub.agents[setup.random.int(in: 0...hub.agents.count - 1)]
        hub.ask(address(client), server: agent, "PUT", "/v1/event/fire/\(eventName)", body: Array("e\(count)".utf8))
    }

    func answered(_ from: ClientAddress, _ answer: ClientAnswer, _ hub: ClientHub) {
        clients[from.client].isBusy = false
        if finalBegan != nil { return looked(answer, hub) }
        if let firing = clients[from.client].firing.take(), case .response(let response) = answer, response.status == 200 {
            fired.append(firing)
        }
        if !isStopped { rest(from.client, hub, setup.pause()) }
    }

    // MARK: - The end

    func stop() { isStopped = true }
    var isIdle: Bool { clients.allSatisfy { !$0.isBusy } }
    var hasFinalState: Bool { finalBegan != nil && unasked.isEmpty }

    func readFinalState(_ hub: ClientHub) {
        finalBegan = hub.now
        unasked = hub.core
        look(hub)
    }

    private func look(_ hub: ClientHub) {
        guard let agent = unasked.first else { return }
        clients[0].isBusy = true
        hub.ask(address(0), server: agent, "GET", "/v1/event/list?name=\(eventName)")
    }

    private func looked(_ answer: ClientAnswer, _ hub: ClientHub) {
        guard let agent = unasked.first else { return }
        guard case .response(let response) = answer, response.status == 200, let list = response.json?.list else {
            return rest(0, hub, .milliseconds(500))
        }
        let heard = list.compactMap { $0["Payload"]?.text.flatMap { try? Base64.decode($0) }.map { String(decoding: $0, as: UTF8.self) } }
        // A server that ends before it has passed an event on takes it along.
        let mustHear = setup.run.faults.isEmpty && setup.run.steps.isEmpty
        let ids = list.compactMap { $0["ID"]?.text }
        let twice = ids.indices.first { ids[..<$0].contains(ids[$0]) }
        // Where a server may not answer, an event is fired again at another one.
        if let twice, mustHear, setup.run.network.drop == 0 {
            return hub.world.report(
                Violation(rule: "an event is heard once", text: "\(hub.name(of: agent)) lists \(ids[twice]) twice: \(heard)"))
        }
        let missing =
            !mustHear ? nil : hub.life(of: agent).flatMap { life in fired.first { $0.lives.contains(life) && !heard.contains($0.payload) } }
        if let missing {
            if let began = finalBegan, hub.now > began + Self.spreadLimit {
                let text = "\(hub.name(of: agent)) has not heard of \(missing.payload), only of \(heard)"
                hub.world.report(Violation(rule: "an event reaches everybody", text: text))
            }
            return rest(0, hub, .seconds(2))
        }
        unasked.removeFirst()
        look(hub)
    }

    func verdict() -> WorkloadVerdict {
        var verdict = WorkloadVerdict(name: name)
        verdict.counts = [("events", fired.count)]
        return verdict
    }
}
