import Testing

@testable import Core

@Suite struct DurabilityTests {
    private static let web = #"{"Name":"web","Checks":[{"TTL":"1m"},{"TTL":"2m"}]}"#

    private func isSync(_ operation: DiskOperation) -> Bool {
        switch operation {
        case .sync, .syncDirectory: true
        default: false
        }
    }

    @Test(arguments: [
        ("service/register", DurabilityTests.web), ("service/register", #"{"Name":"old","Port":7}"#), ("service/deregister/old", ""),
        ("service/maintenance/old?enable=true", ""), ("maintenance?enable=true", ""), ("check/register", #"{"Name":"c","TTL":"1m"}"#),
        ("check/deregister/kept", ""),
    ])
    func `a change is answered, seen and told to the catalog when its files are durable`(_ path: String, _ body: String) {
        let agent = LocalHarness()
        agent.start()
        agent.request("PUT /v1/agent/service/register", #"{"Name":"old"}"#)
        agent.request("PUT /v1/agent/check/register", #"{"Name":"kept","TTL":"1h"}"#)
        agent.forgetHistory()
        func seen() -> [String] { ["services", "checks"].map { agent.text("GET /v1/agent/\($0)") } }
        let before = seen()
        agent.holdsDisk = true
        let id = agent.begin("PUT /v1/agent/" + path, body)
        while agent.hasHeldBatches {
            #expect(agent.responses[id] == nil && agent.writes.isEmpty && seen() == before)
            agent.deliverBatches()
        }
        #expect(agent.responses[id]?.status == 200)
        #expect(agent.writes.count == 1)
        #expect(seen() != before)
        let restarted = LocalHarness(files: agent.files)
        restarted.start()
        #expect(["services", "checks"].map { restarted.text("GET /v1/agent/\($0)") } == seen())
    }

    @Test(arguments: [
        ("service/register", DurabilityTests.web), ("service/register", #"{"Name":"old","Port":7}"#), ("service/deregister/old", ""),
        ("service/maintenance/old?enable=true", ""), ("maintenance?enable=true", ""), ("check/register", #"{"Name":"c","TTL":"1m"}"#),
        ("check/deregister/kept", ""),
    ])
    func `what the disk will not keep is refused, and nothing has changed`(_ path: String, _ body: String) {
        for failing in 0..<14 {
            let agent = LocalHarness()
            agent.start()
            agent.request("PUT /v1/agent/service/register", #"{"Name":"old"}"#)
            agent.request("PUT /v1/agent/check/register", #"{"Name":"kept","TTL":"1h"}"#)
            agent.forgetHistory()
            let before = ["services", "checks"].map { agent.text("GET /v1/agent/\($0)") }
            let files = agent.files
            var operations = 0
            agent.diskFailure = { _ in
                defer { operations += 1 }
                return operations == failing ? .noSpace : nil
            }
            let answer = agent.status("PUT /v1/agent/" + path, body)
            if operations <= failing {
                #expect(answer == "200 ")
                continue
            }
            #expect(answer == "500 no space left on device")
            #expect(["services", "checks"].map { agent.text("GET /v1/agent/\($0)") } == before)
            #expect(agent.writes.isEmpty)
            #expect(agent.files == files, "of \(path) operation \(failing)")
            #expect(agent.logs.contains { $0.contains("failed to persist a registration") })
        }
    }

    @Test func `of two checks with one id the last one counts, and its file is exchanged once`() {
        let agent = LocalHarness()
        agent.start()
        let body = #"{"Name":"web","Checks":[{"CheckID":"c","TTL":"10s","Notes":"first"},{"CheckID":"c","TTL":"20s","Notes":"last"}]}"#
        #expect(agent.status("PUT /v1/agent/service/register", body) == "200 ")
        #expect(agent.check("c")?.notes == "last")
        let names = agent.batches.joined().compactMap { if case .rename(_, let name) = $0, name.hasPrefix("checks/") { name } else { nil } }
        #expect(names.count == 1 && agent.files[names[0]].map { String(decoding: $0, as: UTF8.self).contains("last") } == true)
    }

    @Test func `changes that come together share their syncs, and each has its own answer`() {
        let agent = LocalHarness()
        agent.start()
        agent.holdsDisk = true
        let first = agent.begin("PUT /v1/agent/service/register", #"{"Name":"first"}"#)
        let others = (0..<8).map { agent.begin("PUT /v1/agent/service/register", #"{"Name":"s\#($0)","Check":{"TTL":"1m"}}"#) }
        agent.deliverBatches()
        agent.deliverBatches()
        #expect(agent.responses[first]?.status == 200)
        #expect(others.allSatisfy { agent.responses[$0] == nil })
        agent.deliverBatches()
        agent.deliverBatches()
        #expect(others.allSatisfy { agent.responses[$0]?.status == 200 })
        #expect(agent.batches.count == 4, "two for the first, and two for all others")
        let last = agent.batches.suffix(2)
        let folders = last.joined().compactMap { if case .syncDirectory(let folder) = $0 { folder } else { nil } }
        #expect(folders == ["checks", "services", ""], "each once, and their own names, since `checks` is new")
        let preparation = last.first!
        #expect(preparation.firstIndex(where: isSync) == preparation.count - 16, "all is written before the first sync")
    }

    @Test func `of changes that share a commit only the one is refused that the disk refuses`() {
        let agent = LocalHarness()
        agent.start()
        agent.holdsDisk = true
        _ = agent.begin("PUT /v1/agent/service/register", #"{"Name":"first"}"#)
        let requests = ["a", "bad", "c"].map { agent.begin("PUT /v1/agent/service/register", #"{"Name":"\#($0)"}"#) }
        let bad = "services/" + "bad".utf8.map { String($0, radix: 16) }.joined() + ".tmp"
        agent.diskFailure = { operation in
            if case .sync(bad) = operation { .failed("sync: input/output error") } else { nil }
        }
        while agent.hasHeldBatches { agent.deliverBatches() }
        #expect(requests.map { agent.responses[$0]?.status } == [200, 500, 200])
        #expect(agent.responses[requests[1]]?.text == "sync: input/output error")
        #expect(agent.services.keys.sorted() == ["a", "c", "first"])
        #expect(agent.files.count == 3)
    }

    @Test func `changes of one service keep their order while they wait for the disk`() {
        let agent = LocalHarness()
        agent.start()
        agent.holdsDisk = true
        _ = agent.begin("PUT /v1/agent/service/register", #"{"Name":"first"}"#)
        let requests = [
            agent.begin("PUT /v1/agent/service/register", #"{"Name":"web"}"#),
            agent.begin("PUT /v1/agent/check/register", #"{"Name":"c","TTL":"1m","ServiceID":"web"}"#),
            agent.begin("PUT /v1/agent/service/deregister/web"),
            agent.begin("PUT /v1/agent/service/maintenance/web?enable=true"),
            agent.begin("PUT /v1/agent/service/register", #"{"Name":"web","Port":2}"#),
        ]
        while agent.hasHeldBatches { agent.deliverBatches() }
        #expect(requests.map { agent.responses[$0]?.status } == [200, 200, 200, 404, 200])
        #expect(agent.services["web"]?.port == 2)
        #expect(agent.checks.isEmpty)
        #expect(agent.files.count == 2)
    }

    @Test func `a file that somebody else has removed hinders nobody`() {
        let before = LocalHarness()
        before.start()
        before.request("PUT /v1/agent/service/register", DurabilityTests.web)
        let agent = LocalHarness(files: before.files)
        agent.start()
        agent.removeFiles()
        #expect(agent.status("PUT /v1/agent/service/deregister/web") == "200 ")
        #expect(agent.text("GET /v1/agent/services") == "{}")
    }

    @Test func `a removal that somebody else has made is made durable, too`() {
        for folderIsGone in [false, true] {
            let agent = LocalHarness()
            agent.start()
            agent.request("PUT /v1/agent/service/register", DurabilityTests.web)
            agent.removeFiles()
            agent.diskFailure = { operation in
                if folderIsGone, case .syncDirectory("checks") = operation { .notFound("checks") } else { nil }
            }
            #expect(agent.status("PUT /v1/agent/service/deregister/web") == "200 ")
            let synced: [String] = agent.batches.last?.compactMap { if case .syncDirectory(let folder) = $0 { folder } else { nil } } ?? []
            #expect(synced.contains("services") && synced.contains("checks") == !folderIsGone, "\(synced)")
            #expect(agent.batches.last?.allSatisfy(isSync) == true)
        }
    }

    @Test func `a check that recovers while its service's removal waits or is being made durable keeps the service`() {
        for waits in [true, false] {
            let agent = LocalHarness()
            agent.start()
            agent.request(
                "PUT /v1/agent/service/register", #"{"Name":"web","Check":{"TTL":"10s","DeregisterCriticalServiceAfter":"90s"}}"#)
            agent.holdsDisk = true
            if waits { _ = agent.begin("PUT /v1/agent/service/register", #"{"Name":"other"}"#) }
            let before = agent.batches.count
            agent.advance(.seconds(125))
            let isRemoving = agent.batches[before...].joined().contains { if case .remove = $0 { true } else { false } }
            #expect(agent.check("service:web")?.status == "critical" && isRemoving == !waits)
            #expect(agent.request("PUT /v1/agent/check/pass/service:web")?.status == 200)
            while agent.hasHeldBatches { agent.deliverBatches() }
            #expect(agent.services["web"] != nil && agent.check("service:web")?.status == "passing")
            let restarted = LocalHarness(files: agent.files)
            restarted.start()
            #expect(restarted.services["web"] != nil && restarted.check("service:web") != nil)
            // No trace of the removal is left: the service is deregistered the second time.
            agent.holdsDisk = false
            agent.advance(.seconds(150))
            #expect(agent.services["web"] == nil)
        }
    }

    @Test func `a service that a reload takes away does not enter maintenance mode afterwards`() {
        var definition = ServiceDefinition()
        definition.name = "web"
        let agent = LocalHarness(LocalHarness.settings { $0.reloadable.services = [definition] })
        agent.start()
        agent.holdsDisk = true
        let id = agent.begin("PUT /v1/agent/service/maintenance/web?enable=true")
        #expect(agent.reload(LocalHarness.settings()) == nil)
        while agent.hasHeldBatches { agent.deliverBatches() }
        #expect(agent.responses[id]?.status == 404 && agent.responses[id]?.text == #"No service registered with ID "web""#)
        #expect(agent.checks.isEmpty && agent.text("GET /v1/agent/checks") == "{}")
        #expect(agent.files.isEmpty)
    }

    @Test func `a batch that fails does not put back what somebody else has changed meanwhile`() {
        let context = LocalContext(
            settings: LocalHarness.settings(), random: Random(seed: 1), codec: RegistrationJSON(), md5Hex: { _ in "" })
        let files = UnsyncedFiles(context)
        var effects: [LocalEffect] = []
        for name in ["services/a", "services/b"] { files.add(.write(file: name, bytes: [1])) }
        func flush() -> (token: UInt64, names: [String])? {
            effects = []
            files.flush(&effects)
            guard case .disk(let token, let operations)? = effects.first else { return nil }
            return (token, operations.compactMap { if case .rename(_, let name) = $0 { name } else { nil } })
        }
        let first = flush()
        #expect(first?.names == ["services/a", "services/b"])
        files.drop("services/a")
        #expect(files.completed(first?.token ?? 0, .noSpace, &effects))
        #expect(flush()?.names == ["services/b"])
    }

    @Test func `clearing up after a failure does not touch what is registered later`() {
        let agent = LocalHarness()
        agent.start()
        agent.request("PUT /v1/agent/service/register", #"{"Name":"web","Port":1}"#)
        agent.request("PUT /v1/agent/check/register", #"{"Name":"c","TTL":"1h"}"#)
        agent.holdsDisk = true
        // A batch of states is with the disk, so that what is to be cleared up waits.
        agent.request("PUT /v1/agent/check/pass/c")
        let failing = agent.begin("PUT /v1/agent/service/register", #"{"Name":"web","Port":2}"#)
        let later = agent.begin("PUT /v1/agent/service/register", #"{"Name":"web","Port":3}"#)
        var failures = 1
        agent.diskFailure = { operation in
            guard case .syncDirectory = operation, failures > 0 else { return nil }
            failures -= 1
            return .failed("sync: input/output error")
        }
        while agent.hasHeldBatches {
            agent.deliverChanges()
            if !agent.hasHeldChanges { agent.deliverBatches() }
        }
        #expect(agent.responses[failing]?.status == 500)
        #expect(agent.responses[later]?.status == 200)
        let restarted = LocalHarness(files: agent.files)
        restarted.start()
        #expect(restarted.services["web"]?.port == 3)
        #expect(!agent.files.keys.contains { $0.hasSuffix("tmp") })
    }

    @Test func `a client that has gone is not answered, but what it asked for is done`() {
        let agent = LocalHarness()
        agent.start()
        agent.holdsDisk = true
        let requests = ["a", "b"].map { agent.begin("PUT /v1/agent/service/register", #"{"Name":"\#($0)"}"#) }
        for id in requests { agent.send(.cancelled(id)) }
        while agent.hasHeldBatches { agent.deliverBatches() }
        #expect(requests.allSatisfy { agent.responses[$0] == nil })
        #expect(agent.services.keys.sorted() == ["a", "b"])
    }

    // MARK: Heartbeats

    @Test func `of the states of a check only the last one is written, however slow the disk`() {
        let agent = LocalHarness()
        agent.start()
        for number in 0..<3 { agent.request("PUT /v1/agent/check/register", #"{"Name":"c\#(number)","TTL":"1h"}"#) }
        let registered = agent.batches.count
        agent.holdsDisk = true
        for beat in 0..<50 {
            for number in 0..<3 { #expect(agent.request("PUT /v1/agent/check/pass/c\(number)?note=\(beat)")?.status == 200) }
        }
        #expect(agent.batches.count == registered + 1, "one batch at a time")
        while agent.hasHeldBatches { agent.deliverBatches() }
        #expect(agent.batches.count == registered + 2, "and what came meanwhile in the next")
        let states = agent.files.filter { $0.key.hasPrefix("checks/state/") }
        #expect(states.count == 3 && states.values.allSatisfy { String(decoding: $0, as: UTF8.self).contains(#""Output":"49""#) })
        #expect(!agent.batches.suffix(2).joined().contains(where: isSync), "nobody waits for them")
    }

    @Test func `a heartbeat that changes nothing writes nothing`() {
        let agent = LocalHarness()
        agent.start()
        agent.request("PUT /v1/agent/check/register", #"{"Name":"c","TTL":"1h"}"#)
        agent.request("PUT /v1/agent/check/pass/c")
        let written = agent.batches.count
        for _ in 0..<5 { agent.request("PUT /v1/agent/check/pass/c") }
        #expect(agent.batches.count == written)
        agent.advance(.seconds(1))
        agent.request("PUT /v1/agent/check/pass/c")
        #expect(agent.batches.count == written + 1, "it now expires later")
    }

    @Test func `a full disk is no concern of heartbeats, and one state that cannot be written hinders no other`() {
        let agent = LocalHarness()
        agent.start()
        for number in 0..<3 { agent.request("PUT /v1/agent/check/register", #"{"Name":"c\#(number)","TTL":"1h"}"#) }
        let bad = "checks/state/" + "c1".utf8.map { String($0, radix: 16) }.joined()
        agent.diskFailure = { operation in
            if case .rename(_, bad) = operation { .failed("rename: is a directory") } else { nil }
        }
        agent.holdsDisk = true
        for number in 0..<3 { #expect(agent.request("PUT /v1/agent/check/pass/c\(number)")?.status == 200) }
        while agent.hasHeldBatches { agent.deliverBatches() }
        #expect(agent.files.keys.filter { $0.hasPrefix("checks/state/") && !$0.hasSuffix("tmp") }.count == 2)
        #expect(agent.logs.count { $0.contains("failed to write a file") } == 1)
    }

    @Test func `states that wait are written when the process ends`() {
        let agent = LocalHarness()
        agent.start()
        for number in 0..<3 { agent.request("PUT /v1/agent/check/register", #"{"Name":"c\#(number)","TTL":"1h"}"#) }
        agent.holdsDisk = true
        for number in 0..<3 { agent.request("PUT /v1/agent/check/pass/c\(number)") }
        agent.send(.shutDown)
        agent.deliverBatches()
        #expect(agent.files.keys.filter { $0.hasPrefix("checks/state/") }.count == 3)
    }
}
