import Testing

@testable import Core

/// Calls whose outcomes the test decides.
private struct CallerHarness {
    var caller: ServerCaller
    var random = Random(seed: 5)
    var now = Instant(nanoseconds: 1_000_000_000)
    let settings: AgentSettings
    private(set) var last: ServerCaller.Outgoing?
    private var requests: UInt64 = 0

    init(_ settings: AgentSettings = AgentSettings()) {
        self.settings = settings
        caller = ServerCaller(settings, owner: .server)
    }

    static let read = ServerWork.read(.kv(.get(key: "a")), QueryOptions())
    static let write = ServerWork.write(.kv(KVSRequest()))
    static let unreachable = "dial tcp 127.0.0.1:0->10.0.0.1:8300: connect: connection refused"

    /// Returns the requester.
    @discardableResult
    mutating func ask(_ work: ServerWork, _ target: ServerCaller.Target, giveUpAt: Instant? = nil) -> Requester {
        requests += 1
        let call = ServerCaller.Call(
            requester: .client(RequestID(requests)), work: work, context: .ownWork, target: target, giveUpAt: giveUpAt)
        last = caller.attempt(call, at: "10.0.0.1:8300")
        return call.requester
    }

    mutating func answer(_ id: CallID, _ bytes: [UInt8]) -> ServerCaller.Outcome? { caller.answered(id, bytes, at: now, &random) }
    mutating func lose(_ id: CallID, _ reason: String) -> ServerCaller.Outcome? { caller.failed(id, reason, at: now, &random) }

    /// The last call is refused.
    mutating func refuse(_ error: String) -> ServerCaller.Outcome? {
        guard let id = last?.id else { return nil }
        return answer(id, RPCReply.encode(sequence: id.number, method: "", error: error))
    }

    /// The last call fails.
    mutating func fail(_ reason: String) -> ServerCaller.Outcome? {
        guard let id = last?.id else { return nil }
        return lose(id, reason)
    }
}

@Suite struct ServerCallerTests {
    private typealias Target = ServerCaller.Target
    private let leader = Target.leader, own = Target.server(of: "dc1"), other = Target.server(of: "dc2")

    private func next(_ outcome: ServerCaller.Outcome?) -> ServerCaller.Next? {
        if case .failed(_, _, let next)? = outcome { next } else { nil }
    }

    private func error(_ outcome: ServerCaller.Outcome?) -> String? {
        if case .failed(_, let error, _)? = outcome { error.text } else { nil }
    }

    @Test func `an answer is read as what was asked for, once`() throws {
        var h = CallerHarness()
        let requester = h.ask(CallerHarness.read, leader)
        let outgoing = try #require(h.last)
        #expect(outgoing.address == "10.0.0.1:8300" && outgoing.channel == .rpc && outgoing.id.owner == .server)
        #expect(try RPCRequest(decoding: outgoing.bytes).method == "KVS.Get")
        var meta = QueryMeta()
        meta.index = 9
        let body = ReadQuery.kv(.get(key: "a")).encodeReply(.entries([DirEntry(key: "a")]), meta)
        let bytes = RPCReply.encode(sequence: outgoing.id.number, method: "KVS.Get", body: body)
        guard case .answered(let call, .read(.entries(let found), let answered, _))? = h.answer(outgoing.id, bytes)
        else { return #expect(Bool(false), "not answered") }
        #expect(call.requester == requester && found.map(\.key) == ["a"] && answered.index == 9)
        let again = h.answer(outgoing.id, bytes)
        let late = h.lose(outgoing.id, "EOF")
        #expect(next(again) == nil && next(late) == nil && h.caller.isIdle)
    }

    @Test func `an answer that makes no sense is not asked for again`() {
        var h = CallerHarness()
        h.ask(CallerHarness.read, leader)
        let outcome = h.answer(h.last!.id, [0xFF, 0x00])
        #expect(next(outcome) == .over && error(outcome) == "rpc error making call: malformed answer" && h.caller.isIdle)
    }

    @Test func `what a server proposes only itself is no call`() {
        var h = CallerHarness()
        h.ask(.write(.tombstone(TombstoneRequest())), leader)
        #expect(h.last?.id == nil && h.caller.isIdle)
    }

    /// What becomes of a read and of a write after that refusal.
    @Test(arguments: [
        ("No cluster leader", ServerCaller.Next.waits, ServerCaller.Next.waits),
        ("rpc error making call: No cluster leader", .waits, .waits), ("stream closed", .waits, .over), ("session shutdown", .waits, .over),
        ("node is not the leader", .waits, .over), ("Permission denied", .over, .over), ("EOF", .over, .over),
    ])
    func `a refusal is waited out while it may pass`(_ refusal: String, read: ServerCaller.Next, write: ServerCaller.Next) {
        for target in [leader, own] {
            for (work, expected) in [(CallerHarness.read, read), (CallerHarness.write, write)] {
                var h = CallerHarness()
                h.ask(work, target)
                let outcome = h.refuse(refusal)
                #expect(next(outcome) == expected && error(outcome) == "rpc error making call: \(refusal)", "\(refusal) \(target)")
            }
        }
    }

    @Test func `a lost connection is followed by another attempt only of what may be done twice`() {
        for target in [leader, own] {
            var h = CallerHarness()
            h.ask(CallerHarness.read, target)
            #expect(next(h.fail("EOF")) == .waits)
            h.ask(CallerHarness.write, target)
            #expect(next(h.fail("EOF")) == .over)
            h.ask(.operation(.removeRaftPeer(.id("x")), QueryOptions()), target)
            #expect(next(h.fail("i/o timeout")) == .over)
            h.ask(.operation(.saveSnapshot, QueryOptions()), target)
            #expect(next(h.fail("EOF")) == .over)
        }
    }

    @Test func `a server that cannot be reached has done nothing`() {
        var h = CallerHarness()
        h.ask(CallerHarness.write, leader)
        let waits = h.fail(CallerHarness.unreachable)
        #expect(next(waits) == .waits)
        #expect(error(waits) == "rpc error getting client: failed to get conn: \(CallerHarness.unreachable)")
        h.ask(CallerHarness.write, own)
        guard case .failed(let call, _, .elsewhere)? = h.fail(CallerHarness.unreachable) else {
            return #expect(Bool(false), "another server may be asked")
        }
        #expect(call.unsent == 1)
        h.ask(.operation(.saveSnapshot, QueryOptions()), leader)
        #expect(next(h.fail(CallerHarness.unreachable)) == .over)
    }

    @Test func `a server of another datacenter is asked once, and so is one that is meant alone`() {
        for target in [other, .once(within: .seconds(5))] {
            var h = CallerHarness()
            for work in [CallerHarness.read, CallerHarness.write] {
                h.ask(work, target)
                #expect(next(h.refuse("No cluster leader")) == .over)
                h.ask(work, target)
                #expect(next(h.fail("EOF")) == .over)
                h.ask(work, target)
                #expect(next(h.fail(CallerHarness.unreachable)) == .over)
            }
            #expect(h.caller.isIdle && h.caller.deadline == nil)
        }
    }

    @Test func `attempts end with the hold time, which a follower counts from the first failure`() throws {
        var h = CallerHarness()
        let start = h.now
        h.ask(CallerHarness.read, own, giveUpAt: start + h.settings.servers.rpcHoldTimeout)
        h.now = start + h.settings.servers.rpcHoldTimeout
        let tooLate = h.refuse("No cluster leader")
        #expect(next(tooLate) == .over)
        h.ask(CallerHarness.read, leader)
        let first = h.refuse("No cluster leader")
        #expect(next(first) == .waits)
        let deadline = try #require(h.caller.deadline)
        #expect(deadline >= h.now && deadline < h.now + .nanoseconds(h.settings.servers.rpcHoldTimeout.nanoseconds / 16))
        let early = deadline > h.now ? h.caller.popDue(at: deadline - .nanoseconds(1)) : nil
        let due = h.caller.popDue(at: deadline)
        #expect(
            early == nil && due?.giveUpAt == h.now + h.settings.servers.rpcHoldTimeout
                && due?.error.text == "rpc error making call: No cluster leader")
        #expect(h.caller.isIdle)
    }

    @Test func `what waits comes back in the order in which it came, and as a whole when there is news`() {
        var h = CallerHarness()
        let requesters = (0..<5).map { _ in
            let requester = h.ask(CallerHarness.read, leader)
            _ = h.refuse("No cluster leader")
            return requester
        }
        #expect(h.caller.takeWaiting().map(\.requester) == requesters)
        #expect(h.caller.isIdle && h.caller.deadline == nil)
    }

    @Test func `what is cancelled is neither answered nor tried again`() {
        var h = CallerHarness()
        let underWay = h.ask(CallerHarness.read, leader)
        let id = h.last!.id
        #expect(h.caller.cancel(underWay) == .underWay(id))
        let late = h.lose(id, "EOF")
        #expect(next(late) == nil && h.caller.isIdle)
        let waiting = h.ask(CallerHarness.read, leader)
        #expect(next(h.refuse("No cluster leader")) == .waits)
        #expect(h.caller.cancel(waiting) == .kept)
        #expect(h.caller.isIdle && h.caller.deadline == nil)
        #expect(h.caller.cancel(waiting) == .unknown)
    }

    @Test func `what waits for another attempt is bounded`() {
        var h = CallerHarness()
        var outcomes: [ServerCaller.Next?] = []
        for _ in 0...WaitingQueue.countMax {
            h.ask(CallerHarness.read, leader)
            outcomes.append(next(h.refuse("No cluster leader")))
        }
        #expect(outcomes.dropLast().allSatisfy { $0 == .waits } && outcomes.last == .over)
    }

    @Test func `an attempt may take as long as everybody on its way holds it`() {
        var h = CallerHarness()
        let slack = Duration.seconds(5), hold = h.settings.servers.rpcHoldTimeout
        h.ask(CallerHarness.read, leader)
        #expect(h.last?.timeout == hold + slack)
        for target in [own, other] {
            h.ask(CallerHarness.read, target)
            #expect(h.last?.timeout == hold * 2 + slack)
        }
        h.ask(CallerHarness.read, .once(within: .seconds(3)))
        #expect(h.last?.timeout == .seconds(3))
    }
}
