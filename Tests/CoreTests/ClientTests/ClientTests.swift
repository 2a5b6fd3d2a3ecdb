import Testing

@testable import Core

/// A client whose calls the test answers.
private final class ClientHarness {
    let client: Client
    var now = Instant(nanoseconds: 1_000_000_000)
    /// Calls that are not answered yet.
    var calls: [(id: CallID, to: Address, method: String, body: ArraySlice<UInt8>, timeout: Duration)] = []
    var answers: [ServerAnswer] = []
    var logs: [String] = []
    var givenUp: [CallID] = []

    init(servers: [String] = ["s1"], _ change: (inout AgentSettings) -> Void = { _ in }) {
        var settings = AgentSettings()
        settings.identity.isServer = false
        change(&settings)
        client = Client(settings: settings, seed: 3, at: now)
        for name in servers { client.servers.add(Self.entry(name)) }
    }

    static func entry(_ name: String) -> ServerEntry { ServerEntry(name: name, address: "\(name):8300", datacenter: "dc1") }

    func take() {
        var effects: [ServerEffect] = []
        answers += client.takeOutput(into: &effects)
        for effect in effects {
            switch effect {
            case .call(let id, let to, .rpc, let bytes, let timeout):
                guard let request = try? RPCRequest(decoding: bytes) else { continue }
                calls.append((id, to, request.method, request.body, timeout))
            case .giveUp(let id): givenUp.append(id)
            case .log(_, _, let text): logs.append(text)
            default: Issue.record("unexpected effect")
            }
        }
    }

    func read(_ query: ReadQuery = .kv(.get(key: "a")), for id: UInt64 = 1, _ change: (inout QueryOptions) -> Void = { _ in }) {
        var options = QueryOptions()
        change(&options)
        client.execute(.read(query, options), for: .client(RequestID(id)), at: now)
        take()
    }

    func write(for id: UInt64 = 1) {
        client.execute(.write(.kv(KVSRequest())), for: .client(RequestID(id)), at: now)
        take()
    }

    func answer(_ body: [UInt8]) {
        let call = calls.removeFirst()
        client.answered(call.id, RPCReply.encode(sequence: call.id.number, method: call.method, body: body), at: now)
        take()
    }

    func refuse(_ error: String) {
        let call = calls.removeFirst()
        client.answered(call.id, RPCReply.encode(sequence: call.id.number, method: call.method, error: error), at: now)
        take()
    }

    func fail(_ reason: String) {
        client.callFailed(calls.removeFirst().id, reason, at: now)
        take()
    }

    /// Lets time pass until there is a call or an answer.
    func proceed(upTo limit: Duration = .seconds(30)) {
        let end = now + limit
        while calls.isEmpty, answers.isEmpty, let deadline = client.deadline, deadline <= end {
            now = max(now, deadline)
            client.wake(at: now)
            take()
        }
    }

    var error: String? {
        switch answers.last {
        case .read(_, .failure(let error)), .write(_, .failure(let error)): error.text
        default: nil
        }
    }
}

@Suite struct ClientTests {
    private let unreachable = "dial tcp 127.0.0.1:0->10.0.0.1:8300: connect: connection refused"

    @Test func `a read is a call to the first server and its answer`() throws {
        let h = ClientHarness(servers: ["s1", "s2"])
        h.read(.kv(.get(key: "a"))) { $0.datacenter = "dc1" }
        #expect(h.calls.map(\.to) == ["s1:8300"] && h.calls.map(\.method) == ["KVS.Get"])
        let (query, options) = try #require(try ReadQuery.decodeRequest(method: "KVS.Get", body: h.calls[0].body))
        #expect(query == .kv(.get(key: "a")) && options.datacenter == "dc1")
        var meta = QueryMeta()
        meta.index = 9
        meta.knownLeader = true
        var entry = DirEntry()
        entry.key = "a"
        h.answer(query.encodeReply(.entries([entry]), meta))
        guard case .read(.client(RequestID(1)), .success(let answer))? = h.answers.last, case .entries(let found) = answer.result else {
            Issue.record("not answered")
            return
        }
        #expect(found.map(\.key) == ["a"] && answer.meta == meta && h.client.isIdle && h.logs.isEmpty)
    }

    @Test func `writes are calls too`() throws {
        let h = ClientHarness()
        var request = KVSRequest()
        request.op = .cas
        h.client.execute(.write(.kv(request)), for: .local(4), at: h.now)
        h.take()
        #expect(h.calls.map(\.method) == ["KVS.Apply"])
        h.answer([0xC3])
        guard case .write(.local(4), .success(.bool(true)))? = h.answers.last else {
            Issue.record("not answered")
            return
        }
    }

    @Test func `without servers nothing works`() {
        let h = ClientHarness(servers: [])
        h.read()
        #expect(h.error == "No known Consul servers" && h.calls.isEmpty)
        h.write()
        #expect(h.error == "No known Consul servers" && h.client.isIdle)
    }

    @Test func `errors of servers tell that they came by a call`() {
        let h = ClientHarness(servers: ["s1", "s2"])
        h.write()
        h.refuse("rpc error making call: Invalid Session TTL")
        #expect(h.error == "rpc error making call: rpc error making call: Invalid Session TTL")
        #expect(h.client.servers.chosen?.name == "s2" && h.client.isIdle)
        #expect(h.logs.last?.hasPrefix("RPC failed to server: method=KVS.Apply server=s1:8300 error=") == true)
    }

    @Test func `a missing leader is waited for, until the hold time is over`() {
        let h = ClientHarness(servers: ["s1", "s2"])
        let began = h.now
        h.write()
        var asked: [Address] = []
        while h.answers.isEmpty {
            asked.append(h.calls[0].to)
            h.refuse("No cluster leader")
            h.proceed()
        }
        #expect(h.error == "rpc error making call: No cluster leader")
        #expect(asked.count > 10 && asked.starts(with: ["s1:8300", "s2:8300", "s1:8300"]))
        #expect(h.now - began >= .seconds(7) && h.now - began < .seconds(8) && h.client.isIdle)
    }

    @Test func `a server that cannot be reached is passed over`() {
        let h = ClientHarness(servers: ["s1", "s2", "s3"])
        h.write()
        h.fail(unreachable)
        #expect(h.calls.map(\.to) == ["s2:8300"] && h.answers.isEmpty)
        h.fail(unreachable)
        h.fail(unreachable)
        #expect(h.error == "rpc error getting client: failed to get conn: \(unreachable)" && h.client.isIdle)
        #expect(h.client.servers.servers.map(\.name) == ["s1", "s2", "s3"])
    }

    @Test func `reads are repeated when their connection breaks, writes are not`() {
        let h = ClientHarness(servers: ["s1", "s2"])
        h.read()
        h.fail("EOF")
        #expect(h.answers.isEmpty)
        h.proceed()
        #expect(h.calls.map(\.to) == ["s2:8300"])
        h.refuse("stream closed")
        h.proceed()
        #expect(h.calls.map(\.to) == ["s1:8300"])
        h.refuse("Permission denied")
        #expect(h.error == "rpc error making call: Permission denied")
        h.write()
        h.fail("EOF")
        #expect(h.error == "rpc error making call: EOF" && h.client.isIdle)
    }

    @Test func `a broken connection ends a read that has waited for long`() {
        let h = ClientHarness()
        h.read { $0.minQueryIndex = 5 }
        h.now += .seconds(60)
        h.fail("EOF")
        #expect(h.error == "rpc error making call: EOF")
    }

    @Test func `calls may take as long as their query waits`() {
        let h = ClientHarness { $0.servers.rpcHoldTimeout = .seconds(7) }
        h.read()
        h.read { $0.minQueryIndex = 1 }
        h.read {
            $0.minQueryIndex = 1
            $0.maxQueryTime = .hours(1)
        }
        #expect(h.calls[0].timeout == .seconds(19))
        #expect(h.calls[1].timeout > .seconds(318) && h.calls[1].timeout < .seconds(345))
        #expect(h.calls[2].timeout > .seconds(637) && h.calls[2].timeout < .seconds(665))
    }

    @Test func `what is cancelled is forgotten`() {
        let h = ClientHarness()
        h.read(for: 1)
        h.read(for: 2)
        let first = h.calls[0].id
        h.client.cancel(.client(RequestID(1)))
        h.take()
        #expect(h.givenUp == [first])
        h.answer([0x80])
        #expect(h.answers.isEmpty)
        h.fail("EOF")
        h.client.cancel(.client(RequestID(2)))
        h.proceed()
        #expect(h.answers.isEmpty && h.calls.isEmpty && h.client.isIdle)
        h.client.cancel(.client(RequestID(3)))
    }

    @Test func `calls beyond the limit are refused`() {
        let h = ClientHarness {
            $0.reloadable.rpcRate = 2
            $0.reloadable.rpcMaxBurst = 3
        }
        for id in 1...3 { h.read(for: UInt64(id)) }
        #expect(h.calls.count == 3 && h.answers.isEmpty)
        h.read(for: 4)
        #expect(h.error == "RPC rate limit exceeded" && h.calls.count == 3)
        h.now += .milliseconds(500)
        h.read(for: 5)
        #expect(h.calls.count == 4)
        var settings = AgentSettings()
        settings.identity.isServer = false
        h.client.reload(settings.reloadable, at: h.now)
        h.read(for: 6)
        #expect(h.calls.count == 5)
    }

    @Test func `an answer that makes no sense is an error`() {
        let h = ClientHarness()
        h.read()
        h.client.answered(h.calls.removeFirst().id, [0xFF, 0x00], at: h.now)
        h.take()
        #expect(h.error == "rpc error making call: malformed answer")
        h.read()
        h.answer([0x01])
        #expect(h.error?.hasPrefix("rpc error making call: ") == true && h.client.isIdle)
    }

    @Test func `servers are pinged before one becomes the head`() {
        let h = ClientHarness(servers: ["s1", "s2", "s3"])
        h.proceed(upTo: .minutes(3))
        #expect(h.calls.map(\.method) == ["Status.Ping"] && h.client.deadline == nil)
        let first = h.calls[0].to
        h.fail(unreachable)
        let second = h.calls[0].to
        #expect(first != second && h.client.servers.chosen?.name == "s1")
        h.answer([0x80])
        #expect(h.calls.isEmpty && h.client.servers.chosen?.address == second)
        #expect(h.client.servers.servers.last?.address == first && h.answers.isEmpty)
    }
}

@Suite struct RateLimiterTests {
    private let start = Instant(nanoseconds: 5)

    @Test func `tokens come back at the rate, up to the burst`() {
        var limiter = RateLimiter(rate: 10, burst: 2, at: start)
        var now = start
        var allowed = 0
        for _ in 0..<100 {
            now += .milliseconds(10)
            if limiter.allows(at: now) { allowed += 1 }
        }
        #expect(allowed == 11)
        now += .hours(1)
        let burst = (0..<5).map { _ in limiter.allows(at: now) }
        #expect(burst == [true, true, false, false, false])
    }

    @Test func `odd limits are limits too`() {
        func count(_ rate: Double, _ burst: Int, _ instants: [Instant]) -> Int {
            var limiter = RateLimiter(rate: rate, burst: burst, at: start)
            return instants.count { limiter.allows(at: $0) }
        }
        #expect(count(0, 1, [start, start + .hours(1_000_000)]) == 1)
        #expect(count(1e300, .max, [start, start]) == 2)
        #expect(count(1e-9, .max, [start, .distantFuture]) == 2)
        #expect(count(5, 0, [start + .hours(1)]) == 0)
    }
}
