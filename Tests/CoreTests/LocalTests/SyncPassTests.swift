import Testing

@testable import Core

@Suite struct SyncPassTests {
    private func service(_ name: String, token: String = "") -> ServiceDefinition {
        var definition = ServiceDefinition()
        definition.name = name
        definition.token = token
        return definition
    }

    private func names(_ writes: [WriteRequest]) -> [String] {
        writes.map {
            switch $0 {
            case .register(let request): request.service?.id ?? (request.check == nil ? "(node)" : "(check)")
            case .deregister(let request): "-" + request.serviceID + request.checkID
            default: "?"
            }
        }
    }

    @Test func `many services are registered at the same time, the node before them and lone checks behind them`() {
        let agent = LocalHarness {
            $0.reloadable.services = (0..<500).map { service("s\($0)") }
            var check = CheckDefinition()
            check.name = "lone"
            check.serviceID = "s1"
            check.ttl = .minutes(1)
            check.token = "other"
            $0.reloadable.checks = [check]
        }
        agent.load()
        agent.holdsAnswers = true
        agent.send(.startSyncing)
        agent.deliver()
        #expect(names(agent.writes) == ["(node)"])
        var rounds = 0, most = 0
        var lone: Int?
        while agent.underWay > 0 {
            most = max(most, agent.underWay)
            let before = agent.writes.count
            agent.deliver()
            rounds += 1
            for write in agent.writes[before...] {
                guard case .register(let request) = write, request.token == "other" else { continue }
                lone = before
            }
        }
        #expect(agent.services.count == 500 && agent.checks["lone"] != nil)
        #expect(agent.writes.count == 502)
        #expect(lone == 501, "no service was under way any more")
        #expect(most == SyncPass.windowLimit)
        #expect(rounds < 20)
    }

    @Test func `a server that cannot be reached costs one attempt`() {
        let agent = LocalHarness { $0.reloadable.services = (0..<50).map { service("s\($0)") } }
        agent.writeError = "rpc error getting client: failed to get conn"
        agent.start()
        #expect(agent.writes.count == 1)
        #expect(agent.logs.count { $0.contains("failed to sync remote state") } == 1)
        agent.writeError = nil
        agent.advance(.seconds(40))
        #expect(agent.services.count == 50)
    }

    @Test(arguments: ["s00", "s25", "s49"])
    func `one service that the catalog refuses holds up no other, nor does it forget it`(_ bad: String) {
        let agent = LocalHarness { $0.reloadable.services = (0..<50).map { service($0 < 10 ? "s0\($0)" : "s\($0)") } }
        agent.refusal = { write in
            if case .register(let request) = write, request.service?.id == bad { "Must provide a decent service" } else { nil }
        }
        agent.start()
        #expect(agent.services.count == 49)
        #expect(agent.logs.count { $0.contains("Syncing service failed.: service=\(bad)") } == 1)
        for number in 0..<5 { agent.request("PUT /v1/agent/service/register", #"{"Name":"later\#(number)"}"#) }
        #expect(agent.services.count == 54)
        agent.refusal = { _ in nil }
        agent.advance(.minutes(1))
        #expect(agent.services[bad] != nil)
    }

    @Test func `when most of a node is refused the pass ends early`() {
        let agent = LocalHarness { $0.reloadable.services = (0..<500).map { service("s\($0)") } }
        agent.refusal = { write in if case .register(let request) = write, request.service != nil { "no" } else { nil } }
        agent.start()
        #expect(agent.writes.count <= 1 + SyncPass.failuresLimit + SyncPass.windowLimit)
        agent.refusal = { _ in nil }
        agent.advance(.minutes(1))
        #expect(agent.services.count == 500)
    }

    @Test func `what is out of sync is known without a walk over all`() {
        final class Entry: SyncedEntry { var sync = SyncState() }
        var entries = SyncedEntries<Entry>()
        var random = Random(seed: 3)
        func walked() -> [ByteString] { entries.all.filter { !$0.value.sync.inSync }.map(\.key) }
        for _ in 0..<5000 {
            let id = ByteString("id\(Int.random(in: 0...40, using: &random))")
            switch Int.random(in: 0...4, using: &random) {
            case 0: entries.put(id, Entry())
            case 1: entries.changed(id)
            case 2: entries.setInSync(id, random.chance(0.7))
            case 3: entries.delete(id)
            default: entries.forget(id)
            }
            var found: [ByteString] = []
            while let next = entries.nextUnsynced(after: found.last) {
                #expect(next.entry === entries[next.id])
                found.append(next.id)
            }
            #expect(found == walked())
        }
    }
}
