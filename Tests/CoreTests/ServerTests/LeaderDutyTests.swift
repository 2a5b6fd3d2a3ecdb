import Testing

@testable import Core

/// What a duty sees and does, without a server behind it.
final class TestLeader: LeadingServer {
    var settings = AgentSettings()
    var store = Store()
    var appliedIndex: UInt64 = 10
    var pool: ServerPool
    var raftConfiguration = RaftConfiguration(servers: [])
    var lastLog: (term: UInt64, index: UInt64) = (2, 10)

    private(set) var writes: [WriteRequest] = []
    private(set) var changes: [MembershipChange] = []
    private(set) var questions: [Address] = []
    private(set) var expelled: [String] = []
    private(set) var lines: [String] = []
    private(set) var measures: [ServerMeasure] = []

    init() {
        settings.identity.nodeName = "s1"
        settings.identity.nodeID = "00000000-0000-0000-0000-000000000001"
        pool = ServerPool(settings)
    }

    func lastContact(with id: String) -> Instant? { nil }
    func raftStatistics(at now: Instant) -> RaftStatistics {
        var statistics = RaftStatistics()
        (statistics.lastContact, statistics.lastTerm, statistics.lastIndex) = ("0", lastLog.term, lastLog.index)
        return statistics
    }
    func wallClock(at instant: Instant) -> GoTime { GoTime(unixNanoseconds: instant.nanoseconds) }
    func write(_ request: WriteRequest, for duty: any LeaderDuty, at now: Instant) { writes.append(request) }
    func change(_ change: MembershipChange, _ failure: String, at now: Instant) { changes.append(change) }
    func ask(_ purpose: OwnCall, _ operation: ServerOperation, _ options: QueryOptions, of address: Address, timeout: Duration) {
        questions.append(address)
    }
    func forceLeave(_ member: String, at now: Instant) { expelled.append(member) }
    func measure(_ measure: ServerMeasure) { measures.append(measure) }
    func log(_ level: LogLevel, _ text: String) { lines.append(text) }

    /// Applies a write as the log would.
    @discardableResult
    func apply(_ request: WriteRequest) -> ChangeSet {
        appliedIndex += 1
        var changes = ChangeSet()
        _ = store.apply(request.logCommand, index: appliedIndex, changes: &changes)
        return changes
    }

    func takeWrites() -> [WriteRequest] {
        defer { writes = [] }
        return writes
    }
}

@Suite struct LeaderDutyTests {
    private let start = Instant(nanoseconds: 0)

    private func member(_ name: String, id: String, status: MemberStatus = .alive, address: [UInt8] = [10, 0, 0, 2]) -> Member {
        var tags = AgentTags(datacenter: "dc1", nodeID: id, build: "1.8.6:2fa535b5")
        tags.server = AgentTags.Server(port: 8300, wanJoinPort: nil)
        return Member(name: name, address: address, port: 8301, tags: tags.tags(in: .lan), status: status)
    }

    @Test func `a session that nobody renews is destroyed after twice its TTL, and again when the log refuses`() throws {
        let leader = TestLeader(), duty = SessionExpiry()
        var node = RegisterRequest()
        (node.node, node.address) = ("n", "10.0.0.9")
        leader.apply(.register(node))
        duty.began(leader, at: start)
        var request = SessionRequest()
        request.op = .create
        request.session.id = "adf4238a-882b-9ddc-4a9d-5b6758e4159e"
        (request.session.node, request.session.ttl, request.session.behavior) = ("n", "10s", "release")
        duty.applied(leader.apply(.session(request)), leader, at: start)
        #expect(duty.count == 1 && duty.deadline == start + .seconds(20))
        duty.wake(leader, at: start + .seconds(20))
        let write = try #require(leader.takeWrites().first)
        guard case .session(let destroy) = write else { throw ServerError("another write") }
        #expect(destroy.op == .destroy && destroy.session.id == request.session.id)
        #expect(duty.deadline == nil && !duty.renew(request.session, at: start + .seconds(21)))
        duty.written(write, since: start, problem: "no", leader, at: start + .seconds(21))
        #expect(duty.deadline == start + .seconds(31))
        duty.ended()
        #expect(duty.deadline == nil && duty.count == 0)
    }

    @Test func `what a duty wrote and that fails after the leadership is not tried again`() {
        let leader = TestLeader(), sessions = SessionExpiry(), tombstones = TombstoneReaping(leader.settings)
        sessions.began(leader, at: start)
        tombstones.began(leader, at: start)
        sessions.ended()
        tombstones.ended()
        var request = TombstoneRequest()
        request.reapIndex = 7
        sessions.written(.session(SessionRequest()), since: start, problem: "leadership lost", leader, at: start)
        tombstones.written(.tombstone(request), since: start, problem: "leadership lost", leader, at: start)
        #expect(sessions.deadline == nil && tombstones.deadline == nil && leader.lines.count == 2)
    }

    @Test func `members are registered, and the last word about one that is being written is kept`() throws {
        let leader = TestLeader(), duty = PoolReconciliation()
        let id = "adf4238a-882b-9ddc-4a9d-5b6758e4159e"
        leader.pool.replace(by: [member("s2", id: id)])
        duty.began(leader, at: start)
        #expect(leader.changes == [.addNonvoter(id: id, address: "10.0.0.2:8300")])
        let write = try #require(leader.takeWrites().first)
        duty.changed(member("s2", id: id, status: .failed), isReaped: false, leader, at: start)
        #expect(leader.writes.isEmpty)
        leader.apply(write)
        duty.written(write, since: start, problem: nil, leader, at: start)
        guard case .register(let critical)? = leader.takeWrites().first else { throw ServerError("another write") }
        #expect(critical.node == "s2" && critical.check?.status == CheckStatus.critical && critical.skipNodeUpdate)
        duty.ended()
        duty.written(.register(critical), since: start, problem: nil, leader, at: start)
        #expect(leader.writes.isEmpty && duty.deadline == nil)
    }

    @Test func `autopilot is configured from the agent's settings once, and looks for dead servers when one is added`() {
        let leader = TestLeader(), settings = AutopilotSettings(), autopilot = AutopilotDuty()
        settings.began(leader, at: start)
        let writes = leader.takeWrites()
        #expect(writes.count == 1)
        for write in writes { leader.apply(write) }
        settings.began(leader, at: start)
        #expect(leader.writes.isEmpty)
        autopilot.willAddServer()
        autopilot.began(leader, at: start)
        #expect(autopilot.deadline == .zero)
        autopilot.wake(leader, at: start)
        #expect(autopilot.deadline == start + leader.settings.servers.healthInterval)
        autopilot.ended()
        #expect(autopilot.deadline == nil && autopilot.health == ClusterHealth())
    }

    @Test func `duties have deadlines only while their server leads`() {
        let leader = TestLeader(), duties = LeaderDuties(leader.settings)
        #expect(duties.deadline == nil)
        duties.elected(term: 3)
        #expect(!duties.isEstablished && duties.isEstablishing(term: 3) && !duties.isEstablishing(term: 2) && duties.deadline == nil)
        duties.begin(term: 3, leader, at: start)
        #expect(duties.isEstablished && duties.deadline != nil)
        var coordinate = NodeCoordinate()
        coordinate.node = "n"
        #expect(duties.coordinates.add(coordinate, at: start) == ServerError("invalid coordinate"))
        coordinate.coordinate = .origin
        #expect(duties.coordinates.add(coordinate, at: start) == nil)
        duties.restart(leader, at: start)
        #expect(duties.coordinates.deadline != nil)
        duties.end()
        #expect(duties.coordinates.deadline == nil && duties.deadline == nil && duties.phase == .following)
    }
}
