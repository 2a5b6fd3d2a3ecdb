import Core

/// Clients that register checks at agents: of an address that answers or does not, with thresholds; with a time to live; one that follows another
/// service; and one whose service is to be removed when it stays critical.
///
/// Checked: an agent shows of each check what its outcomes come to (behaviour §7), whenever it is asked; the catalog follows where nothing
/// disturbs it; a service that stays critical is removed, and no other.
final class CheckWorkload: Workload {
    private enum Asked {
        case registering(Int), passing, checks, catalog
    }

    private struct Client {
        var agent = 0
        var token: UInt64 = 0
        var isBusy = false
        var asked: Asked?
        var invoked = Instant.zero
        /// How many of the registrations are done.
        var registered = 0
        /// After a registration that was not answered all are made anew, under other names: it may be carried out late.
        var attempt = 0
        var isUp = true
        var flipAt = Instant.zero
        var passAt = Instant.zero
        /// The last update of the check with a time to live: asked for, answered, and by which life.
        var passed: (from: Instant, to: Instant, life: LifeID)?
        var isDone = false
    }

    private static let ttl: Duration = .seconds(4)
    private static let interval: Duration = .seconds(5)
    /// From a check that is critical to the removal of its service: a minute, and a turn of the reaper (behaviour §7.8).
    private static let removalLimit: Duration = .seconds(150)

    let name = WorkloadKind.check.name
    private var setup: WorkloadSetup
    private var clients: [Client]
    private let successes: Int
    private let failures: Int
    /// Whether a service is left critical until it is removed; that takes its time.
    private let removes: Bool
    private var isStopped = false
    private var finalBegan: Instant?
    private var judged = 0
    private var removed = 0

    init(_ setup: WorkloadSetup) {
        self.setup = setup
        clients = Array(repeating: Client(), count: setup.options.clients)
        successes = self.setup.random.int(in: 0...3)
        failures = self.setup.random.int(in: 0...3)
        removes = self.setup.random.chance(0.3)
    }

    private func service(_ client: Int) -> String { "hc\(setup.index)c\(client)-\(clients[client].attempt)" }
    private func timed(_ client: Int) -> String { "ht\(setup.index)c\(client)-\(clients[client].attempt)" }
    private func doomed(_ client: Int) -> String { "hd\(setup.index)c\(client)-\(clients[client].attempt)" }
    private func port(_ client: Int, _ number: Int) -> Int { 20_000 + setup.index * 1000 + client * 10 + number }
    private func target(_ client: Int, _ number: Int) -> String { "127.0.\(clients[client].attempt % 250).1:\(port(client, number))" }
    private func address(_ client: Int) -> ClientAddress { .init(workload: setup.index, client: client, token: clients[client].token) }

    func start(_ hub: ClientHub) {
        for client in clients.indices {
            clients[client].agent = hub.agents[client % hub.agents.count]
            rest(client, hub)
        }
    }

    private func rest(_ client: Int, _ hub: ClientHub) {
        clients[client].token += 1
        hub.wake(address(client), after: setup.random.interval(mean: .milliseconds(600)))
    }

    func timer(client: Int, token: UInt64, _ hub: ClientHub) {
        guard clients[client].token == token, !clients[client].isBusy, !clients[client].isDone else { return }
        if isStopped && finalBegan == nil { return }
        if hub.now >= clients[client].flipAt {
            clients[client].isUp = finalBegan != nil || setup.random.chance(0.5)
            hub.probes.set(target(client, 0), isUp: clients[client].isUp)
            clients[client].flipAt = hub.now + .seconds(setup.random.int(in: 2...25))
        }
        let agent = clients[client].agent
        clients[client].isBusy = true
        clients[client].invoked = hub.now
        if clients[client].registered < 4 {
            let number = clients[client].registered
            clients[client].asked = .registering(number)
            let path = number == 3 ? "/v1/agent/check/register" : "/v1/agent/service/register"
            return hub.ask(address(client), server: agent, "PUT", path, body: registration(client, number, hub))
        }
        if hub.now >= clients[client].passAt, finalBegan == nil {
            clients[client].asked = .passing
            clients[client].passAt = hub.now + .seconds(setup.random.int(in: 1...9))
            clients[client].passed = nil
            return hub.ask(address(client), server: agent, "PUT", "/v1/agent/check/pass/service:\(timed(client))")
        }
        if setup.run.isPeaceful, finalBegan == nil, setup.random.chance(0.3) {
            clients[client].asked = .catalog
            return hub.ask(
                address(client), server: hub.anyServer(&setup.random), "GET", "/v1/health/checks/\(service(client))?consistent")
        }
        clients[client].asked = .checks
        hub.ask(address(client), server: agent, "GET", "/v1/agent/checks")
    }

    private func registration(_ client: Int, _ number: Int, _ hub: ClientHub) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("Name")
        if number == 3 {
            json.string("follows-" + timed(client))
            json.key("ServiceID")
            json.string(timed(client))
            json.key("AliasService")
            json.string(service(client))
            json.endObject()
            return json.finish()
        }
        json.string([service(client), timed(client), doomed(client)][number])
        json.key("Check")
        json.beginObject()
        switch number {
        case 1:
            json.key("TTL")
            json.string(GoDuration.format(Self.ttl))
        default:
            json.key("TCP")
            json.string(target(client, number))
            json.key("Interval")
            json.string(GoDuration.format(Self.interval))
            if number == 0 {
                json.key("SuccessBeforePassing")
                json.int(successes)
                json.key("FailuresBeforeCritical")
                json.int(failures)
            } else {
                hub.probes.set(target(client, number), isUp: !removes)
                json.key("DeregisterCriticalServiceAfter")
                json.string("1m")
            }
        }
        json.endObject()
        json.endObject()
        return json.finish()
    }

    // MARK: - Answers

    func answered(_ from: ClientAddress, _ answer: ClientAnswer, _ hub: ClientHub) {
        let client = from.client
        clients[client].isBusy = false
        if let asked = clients[client].asked.take(), case .response(let response) = answer, response.status == 200 {
            took(asked, response, client, hub)
        } else if clients[client].registered < 4 {
            clients[client].attempt += 1
            clients[client].registered = 0
            clients[client].flipAt = .zero
        }
        if !clients[client].isDone, !isStopped || finalBegan != nil { rest(client, hub) }
    }

    private func took(_ asked: Asked, _ response: HTTPClientResponse, _ client: Int, _ hub: ClientHub) {
        switch asked {
        case .registering: clients[client].registered += 1
        case .passing:
            guard let life = hub.life(of: clients[client].agent) else { return }
            clients[client].passed = (clients[client].invoked, hub.now, life)
        case .catalog:
            guard let (expected, since) = expected(client, 0, hub), hub.now - since > .seconds(4) else { return }
            judge(client, "the catalog follows the agents", expected, response.json?.list?.first?["Status"]?.text, hub)
        case .checks:
            guard let json = response.json else { return }
            judgeChecks(client, json, hub)
        }
    }

    private func judge(_ client: Int, _ rule: String, _ expected: String, _ shown: String?, _ hub: ClientHub) {
        judged += 1
        guard shown != expected else { return }
        let outcomes = hub.probes.heard(target(client, 0))?.outcomes.suffix(8).map { $0.isUp ? "up" : "down" } ?? []
        hub.world.report(
            Violation(
                rule: rule,
                text:
                    "a check of \(service(client)) at \(hub.name(of: clients[client].agent)) is \(shown ?? "not there"), expected \(expected); "
                    + "its last probes: \(outcomes.joined(separator: ", ")); thresholds \(successes) and \(failures)"))
    }

    /// What the outcomes of a probe come to, and since when; nil if that is not certain.
    private func expected(_ client: Int, _ number: Int, _ hub: ClientHub) -> (status: String, since: Instant)? {
        guard let life = hub.life(of: clients[client].agent), let heard = hub.probes.heard(target(client, number)), heard.life == life,
            let last = heard.outcomes.last, last.at < clients[client].invoked
        else { return nil }
        let needed = number == 0 ? (successes, failures) : (0, 0)
        var (up, down) = needed
        var status = ""
        var since = Instant.zero
        for outcome in heard.outcomes {
            if outcome.isUp { (up, down) = (up + 1, 0) } else { (up, down) = (0, down + 1) }
            let next = outcome.isUp ? CheckStatus.passing : CheckStatus.critical
            guard outcome.isUp ? up >= needed.0 : down >= needed.1, next != status else { continue }
            (status, since) = (next, outcome.at)
        }
        return status.isEmpty ? nil : (status, max(since, last.at))
    }

    private func judgeChecks(_ client: Int, _ json: DynamicValue, _ hub: ClientHub) {
        let rule = "a check is what its outcomes come to"
        func status(_ id: String) -> String? { json[id]?["Status"]?.text }
        let isJudged = !setup.run.faults.contains { [.pause, .slow].contains($0.kind) } && !setup.run.steps.contains { $0.action.mayDelay }
        if let (expected, since) = expected(client, 0, hub), isJudged {
            judge(client, rule, expected, status("service:" + service(client)), hub)
            let follower = status("follows-" + timed(client))
            if hub.now - since > .seconds(3) { judge(client, "an alias follows its service", expected, follower, hub) }
            if hub.now - since > Self.interval * 3,
                hub.now - (hub.probes.heard(target(client, 0))?.outcomes.last?.at ?? hub.now) > Self.interval * 2
            {
                judge(client, "checks are run", "run", nil, hub)
            }
        }
        if let passed = clients[client].passed, isJudged, hub.life(of: clients[client].agent) == passed.life {
            let shown = status("service:" + timed(client))
            if hub.now < passed.from + setup.certain(Self.ttl, hub) {
                judge(client, "a check lives for its TTL", CheckStatus.passing, shown, hub)
            }
            if clients[client].invoked > passed.to + Self.ttl + Self.ttl / 4 {
                judge(client, "a check lives for its TTL", CheckStatus.critical, shown, hub)
            }
        }
        judgeRemoval(client, isThere: json["service:" + doomed(client)] != nil, hub)
    }

    private func judgeRemoval(_ client: Int, isThere: Bool, _ hub: ClientHub) {
        if !removes {
            if !isThere {
                hub.world.report(
                    Violation(rule: "only critical services are removed", text: "\(doomed(client)) is gone, though its check passes"))
            }
        } else if !isThere {
            removed += 1
        } else if let began = finalBegan, hub.now > began + Self.removalLimit {
            hub.world.report(
                Violation(
                    rule: "a service that stays critical is removed", text: "\(doomed(client)) is there \(Self.removalLimit.brief) on"))
        }
        if finalBegan != nil, !removes || !isThere { clients[client].isDone = true }
    }

    // MARK: - The end

    func stop() { isStopped = true }
    var isIdle: Bool { clients.allSatisfy { !$0.isBusy } }
    var hasFinalState: Bool { finalBegan != nil && clients.allSatisfy(\.isDone) }

    func readFinalState(_ hub: ClientHub) {
        finalBegan = hub.now
        for client in clients.indices {
            // An agent that stays away is judged by nobody, nor one where nothing was registered.
            clients[client].isDone = !hub.isUsable(clients[client].agent) || clients[client].registered < 4
            clients[client].flipAt = .zero
            if !clients[client].isDone { rest(client, hub) }
        }
    }

    func verdict() -> WorkloadVerdict {
        var verdict = WorkloadVerdict(name: name)
        verdict.counts = [("judged", judged), ("seen removed", removed)]
        return verdict
    }
}
