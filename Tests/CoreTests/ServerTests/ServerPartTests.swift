import Testing

@testable import Core

/// The parts of a server by themselves.
@Suite struct ServerPartTests {
    private let start = Instant(nanoseconds: 0)

    // MARK: ClusterBootstrap

    private func pool(_ names: [String], expect: String = "3") -> ServerPool {
        var settings = AgentSettings()
        settings.identity.nodeName = "s1"
        var pool = ServerPool(settings)
        pool.replace(
            by: names.enumerated().map { at, name in
                var tags = AgentTags(datacenter: "dc1", nodeID: "id-" + name, build: "1.8.6:2fa535b5")
                tags.server = AgentTags.Server(port: 8300, wanJoinPort: nil)
                var all = tags.tags(in: .lan)
                all["expect"] = expect
                return Member(name: name, address: [10, 0, 0, UInt8(at + 1)], port: 8301, tags: all)
            })
        return pool
    }

    private func bootstrap(expect: Int = 3) -> ClusterBootstrap {
        var settings = AgentSettings()
        settings.identity.nodeName = "s1"
        settings.raft.bootstrap = false
        settings.raft.bootstrapExpect = expect
        return ClusterBootstrap(settings)
    }

    private func questions(_ steps: [ClusterBootstrap.Step]) -> [BootstrapQuestion] {
        steps.compactMap { if case .ask(let question, _) = $0 { question } else { nil } }
    }

    @Test func `servers that found each other begin a cluster once all others say that they have none`() throws {
        var bootstrap = bootstrap()
        #expect(bootstrap.poolChanged(pool(["s1", "s2"]), hasState: false, at: start).isEmpty)
        let asked = questions(bootstrap.poolChanged(pool(["s1", "s2", "s3"]), hasState: false, at: start))
        try #require(asked.count == 2)
        #expect(bootstrap.answered(asked[0], .success(.texts([])), hasState: false, at: start).isEmpty)
        let steps = bootstrap.answered(asked[1], .success(.texts([])), hasState: false, at: start)
        guard case .begin(let configuration)? = steps.last else { throw ServerError("no configuration") }
        #expect(configuration.servers.map(\.id) == ["id-s1", "id-s2", "id-s3"] && bootstrap.deadline == nil)
    }

    @Test func `an answer to a question of an earlier round says nothing about the present one`() throws {
        var bootstrap = bootstrap(expect: 2)
        let all = ["s1", "s2", "s3", "s4"]
        var asked = questions(bootstrap.poolChanged(pool(all, expect: "2"), hasState: false, at: start))
        try #require(asked.count == 3)
        let last = asked[2]
        for _ in 0..<ClusterBootstrap.attemptsMax {
            _ = bootstrap.answered(asked[0], .failure(ServerError("i/o timeout")), hasState: false, at: start)
        }
        #expect(bootstrap.deadline != nil)
        asked = questions(bootstrap.poolChanged(pool(["s1", "s2"], expect: "2"), hasState: false, at: start))
        try #require(asked.count == 1)
        #expect(bootstrap.answered(last, .success(.texts([])), hasState: false, at: start).isEmpty)
        #expect(bootstrap.answered(asked[0], .success(.texts([])), hasState: false, at: start).count == 2)
    }

    @Test func `a round that came to nothing is begun again, with the servers that are there then`() throws {
        var bootstrap = bootstrap(expect: 2), now = start
        let both = pool(["s1", "s2"], expect: "2")
        var asked = questions(bootstrap.poolChanged(both, hasState: false, at: now))
        var times: [Duration] = []
        while asked.count == 1, times.count < 8 {
            times.append(now - start)
            _ = bootstrap.answered(asked[0], .failure(ServerError("i/o timeout")), hasState: false, at: now)
            let next = bootstrap.deadline
            now = try #require(next)
            asked = questions(bootstrap.wake(both, hasState: false, at: now))
        }
        #expect(times == [0, 1, 3, 7, 15, 31, 63, 64].map { .seconds($0) })
        try #require(asked.count == 1)
        let steps = bootstrap.answered(asked[0], .success(.texts([])), hasState: false, at: now)
        guard case .begin(let configuration)? = steps.last else { throw ServerError("no configuration") }
        #expect(configuration.servers.map(\.id) == ["id-s1", "id-s2"] && bootstrap.deadline == nil)
    }

    @Test func `a round is not begun again by a server that has found a cluster, or that has lost the others`() throws {
        for (servers, hasState) in [(["s1", "s2"], true), (["s1"], false)] {
            var bootstrap = bootstrap(expect: 2)
            let asked = questions(bootstrap.poolChanged(pool(["s1", "s2"], expect: "2"), hasState: false, at: start))
            try #require(asked.count == 1)
            for _ in 0..<ClusterBootstrap.attemptsMax {
                _ = bootstrap.answered(asked[0], .failure(ServerError("i/o timeout")), hasState: false, at: start)
            }
            let next = bootstrap.deadline
            let steps = bootstrap.wake(pool(servers, expect: "2"), hasState: hasState, at: try #require(next))
            #expect(steps.isEmpty && bootstrap.deadline == nil)
        }
    }

    @Test func `members that expect absurd numbers of servers, or none, end no process`() {
        for expect in ["-1", "0", "4", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "x"] {
            var bootstrap = bootstrap()
            let steps = bootstrap.poolChanged(pool(["s1", "s2", "s3"], expect: expect), hasState: false, at: start)
            #expect(steps.count <= 2)
        }
    }

    // MARK: StateKeeper

    private func entry(_ index: UInt64, _ data: [UInt8], kind: LogKind = .command) -> LogEntry {
        LogEntry(index: index, term: 1, kind: kind, data: data)
    }

    private var registration: [UInt8] {
        var node = RegisterRequest()
        (node.node, node.address) = ("n", "10.0.0.9")
        return WriteRequest.register(node).logCommand
    }

    @Test func `a provisional state is shown once a quorum has it`() throws {
        var keeper = StateKeeper(Store(), of: nil), changes = ChangeSet()
        _ = keeper.apply(entry(1, registration), changes: &changes)
        #expect(keeper.store.node("n") != nil && keeper.lastCommand == LogPosition(term: 1, index: 1))
        let first = keeper.bring(Store()), second = keeper.bring(Store())
        #expect(first && !second)
        let id = SnapshotID(7)
        let isShown = keeper.install(id, at: LogPosition(term: 2, index: 9), isProvisional: true)
        #expect(!isShown)
        #expect(keeper.isProvisional && keeper.isReadable && keeper.store.node("n") != nil && keeper.applied.index == 1)
        let early = keeper.settle(commitIndex: 8), due = keeper.settle(commitIndex: 9)
        #expect(!early && due)
        #expect(keeper.store.node("n") == nil && keeper.applied == LogPosition(term: 2, index: 9) && !keeper.isProvisional)
    }

    @Test func `a state that is read while the log goes on stays what it was`() throws {
        var keeper = StateKeeper(Store(), of: nil), changes = ChangeSet()
        _ = keeper.apply(entry(1, registration), changes: &changes)
        let id = SnapshotID(1)
        keeper.capture(id)
        var request = DeregisterRequest()
        request.node = "n"
        _ = keeper.apply(entry(2, WriteRequest.deregister(request).logCommand), changes: &changes)
        var other = StateKeeper(Store(), of: nil)
        while case .bytes(let bytes) = keeper.nextPiece(of: id, maxBytes: 64) { _ = try other.decode(id, bytes, last: false) }
        let isWhole = try other.decode(id, [], last: true)
        let isShown = other.install(id, at: LogPosition(term: 1, index: 1), isProvisional: false)
        #expect(isWhole && isShown)
        #expect(other.store.node("n") != nil && keeper.store.node("n") == nil)
        keeper.release(id)
        guard case .missing = keeper.nextPiece(of: id, maxBytes: 64) else { throw ServerError("it is still there") }
    }

    // MARK: ConsensusPort

    @Test func `the same change is asked for once at a time`() throws {
        let recovered = try RaftRecovery.recover(TestDisk())
        let node = RaftNode(
            config: RaftConfig(), identity: RaftIdentity(id: "a", address: "10.0.0.1:8300"), recovered: recovered, seed: 1, now: start)
        var port = ConsensusPort(node)
        let change = MembershipChange.removeServer(id: "b")
        let made = port.makeToken(for: change, failure: "f"), again = port.makeToken(for: change, failure: "f")
        let token = try #require(made)
        #expect(again == nil)
        guard case .membership? = port.takePurpose(of: token) else { throw ServerError("another purpose") }
        let isOver = port.takePurpose(of: token) == nil, later = port.makeToken(for: change, failure: "f")
        #expect(isOver && later != nil)
    }

    @Test func `what performing an effect brings about is performed after what was there before`() throws {
        let recovered = try RaftRecovery.recover(TestDisk())
        let node = RaftNode(
            config: RaftConfig(), identity: RaftIdentity(id: "a", address: "10.0.0.1:8300"), recovered: recovered, seed: 1, now: start)
        var port = ConsensusPort(node)
        port.handle(.bootstrap(token: 1, RaftConfiguration(servers: [RaftServer(id: "a", address: "10.0.0.1:8300")])), at: start)
        let begins = port.beginPerforming(), beginsTwice = port.beginPerforming()
        #expect(begins && !beginsTwice)
        let effects = port.takeEffects(), others = port.takeEffects()
        let first = try #require(effects)
        #expect(!first.isEmpty && others == nil)
        port.giveBack(first)
        port.endPerforming()
        let beginsAnew = port.beginPerforming()
        #expect(beginsAnew)
    }

    // MARK: CallRouter

    private func waiting(_ work: ServerWork, _ number: UInt64 = 1) -> WaitingWork {
        WaitingWork(requester: .client(RequestID(number)), work: work, context: .ownWork, giveUpAt: start + .seconds(7), error: .noLeader)
    }

    @Test func `work that waits for a leader is bounded in number, and comes out in the order in which it came`() {
        var queue = WaitingQueue()
        var kept = 0
        for number in 0..<UInt64(WaitingQueue.countMax + 10) {
            if queue.add(waiting(.renew(session: "s", QueryOptions()), number), until: start + .seconds(1)) { kept += 1 }
        }
        #expect(kept == WaitingQueue.countMax && queue.count == kept && queue.weight > 0)
        let early = queue.popDue(at: start), due = queue.popDue(at: start + .seconds(1))
        #expect(early == nil && due?.requester == .client(RequestID(0)))
        let isRemoved = queue.remove(.client(RequestID(5))), again = queue.remove(.client(RequestID(5)))
        #expect(isRemoved && !again)
        let all = queue.takeAll()
        #expect(all.count == kept - 2 && all.first?.requester == .client(RequestID(1)) && queue.weight == 0 && queue.deadline == nil)
    }

    @Test func `work that waits for a leader is bounded in memory`() {
        var kv = KVSRequest()
        (kv.op, kv.dirEnt) = (.set, DirEntry(key: "a"))
        kv.dirEnt.entry.value = Array(repeating: 7, count: 512 << 10)
        var queue = WaitingQueue()
        while queue.add(waiting(.write(.kv(kv))), until: start) {}
        #expect((32...64).contains(queue.count) && queue.weight <= WaitingQueue.weightMax)
        let one = queue.popDue(at: start)
        #expect(one != nil)
        let again = queue.add(waiting(.write(.kv(kv))), until: start)
        #expect(again)
    }

    @Test func `calls of one address are bounded, and those of others go on`() {
        var router = CallRouter(AgentSettings(), at: start)
        func call(from address: Address) -> CallRouter.Incoming {
            CallRouter.Incoming(
                sequence: 1, method: "Status.Ping", work: .operation(.ping, QueryOptions()), source: CallRouter.source(of: address))
        }
        var kept = 0
        for number in 0..<UInt64(CallRouter.incomingBySourceMax + 10) {
            if router.arrived(CallID(incoming: number), call(from: "10.0.0.7:\(number % 60_000)")) { kept += 1 }
        }
        #expect(kept == CallRouter.incomingBySourceMax)
        let other = router.arrived(CallID(incoming: 1 << 40), call(from: "[fd00::1]:1"))
        #expect(other && router.incomingCount == kept + 1)
        let taken = router.takeIncoming(CallID(incoming: 5)), twice = router.takeIncoming(CallID(incoming: 5))
        #expect(taken != nil && twice == nil)
        let next = router.arrived(CallID(incoming: 1 << 41), call(from: "10.0.0.7:9"))
        #expect(next)
    }

    // MARK: ReadService and WriteService

    @Test func `a lock is refused while its delay lasts, with a warning`() {
        var service = WriteService(), random = Random(seed: 1)
        service.lockDelays.start("a", for: .seconds(10), at: start)
        var kv = KVSRequest()
        (kv.op, kv.dirEnt) = (.lock, DirEntry(key: "a"))
        var request = WriteRequest.kv(kv)
        let refusal = service.prepare(
            &request, .ownWork, in: Store(), sessionTTLMin: .seconds(10), random: &random, at: start + .seconds(9))
        guard case .success(.bool(false))? = refusal?.result else {
            Issue.record("not refused")
            return
        }
        #expect(refusal?.warning == "Rejecting lock of key due to lock-delay: key=a")
        let later = service.prepare(
            &request, .ownWork, in: Store(), sessionTTLMin: .seconds(10), random: &random, at: start + .seconds(11))
        #expect(later == nil)
    }

    @Test func `a write ends once, with the time that it took`() throws {
        var service = WriteService()
        service.began(7, .deregister(DeregisterRequest()), for: .client(RequestID(1)), at: start)
        service.began(8, .deregister(DeregisterRequest()), for: .duty(1), at: start)
        let ended = service.ended(7, at: start + .milliseconds(3))
        let first = try #require(ended)
        #expect(first.requester == .client(RequestID(1)) && first.measure == .write(.deregister, .milliseconds(3)))
        let again = service.ended(7, at: start), own = service.ended(8, at: start)
        #expect(again == nil && own?.requester == .duty(1) && own?.measure == nil)
    }

    @Test func `a read that knows the present index waits until its deadline`() {
        let service = ReadService()
        let query = ReadQuery.session(.get(id: "adf4238a-882b-9ddc-4a9d-5b6758e4159e"))
        func waits(_ index: UInt64, deadline: Instant?) -> Bool {
            var options = QueryOptions()
            options.minQueryIndex = index
            let outcome = service.outcome(of: query, options, .ownWork, in: Store(), deadline: deadline, at: start + .seconds(5))
            if case .waits = outcome { return true }
            return false
        }
        #expect(!waits(0, deadline: nil) && waits(1, deadline: nil) && waits(1, deadline: start + .seconds(6)))
        #expect(!waits(1, deadline: start + .seconds(5)))
    }
}
