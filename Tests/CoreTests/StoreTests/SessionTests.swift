import Testing

@testable import Core

@Suite struct SessionTests {
    private static let s1 = sessionID(1), s2 = sessionID(2)

    private static func withNode() -> Harness {
        var h = Harness()
        h.register("n1")
        h.check("serfHealth", on: "n1")
        h.service("web", on: "n1")
        h.check("web-check", on: "n1", service: "web")
        return h
    }

    private static func ids(_ h: Harness, _ query: ReadQuery) -> [String] {
        guard case .sessions(let found) = h.find(query).0 else { return [] }
        return found.map(\.value.id)
    }

    @Test func `a session is created on a node that there is, with checks that do not fail`() {
        var h = Self.withNode()
        #expect(h.session(Self.s1, on: "N1") { $0.nodeChecks = ["serfHealth"] } == .string(Self.s1))
        #expect(h.session("", on: "n1") == .error("Missing session ID"))
        #expect(h.session(Self.s2, on: "nope") == .error("Missing node registration"))
        #expect(h.session(Self.s2, on: "n1") { $0.nodeChecks = ["nope"] } == .error("Missing check 'nope' registration"))
        #expect(h.session(Self.s2, on: "n1") { $0.behavior = "x" } == .error("Invalid session behavior: x"))
        h.check("bad", on: "n1", "critical")
        #expect(h.session(Self.s2, on: "n1") { $0.checks = ["bad"] } == .error("Check 'bad' is in critical state"))
        #expect(Self.ids(h, .session(.list)) == [Self.s1])
        guard case .sessions(let found) = h.find(.session(.get(id: Self.s1.uppercased()))).0 else { return }
        #expect(found.first?.value.behavior == "release" && found.first?.value.index == RaftIndex(create: 5, modify: 5))
        #expect(h.index(.session(.list)) == 5)
    }

    @Test func `a warning check does not keep a session from being made`() {
        var h = Self.withNode()
        h.check("w", on: "n1", "warning")
        #expect(h.session(Self.s1, on: "n1") { $0.nodeChecks = ["w"] } == .string(Self.s1))
        h.check("w", on: "n1", "warning") { $0.output = "again" }
        #expect(Self.ids(h, .session(.list)) == [Self.s1])
    }

    @Test func `lists are sorted by the bytes of the ID and select by node in any case`() {
        var h = Self.withNode()
        h.register("n2")
        h.session(Self.s2, on: "n1")
        h.session(sessionID(3), on: "n2")
        h.session(Self.s1, on: "N1")
        #expect(Self.ids(h, .session(.list)) == [Self.s1, Self.s2, sessionID(3)])
        #expect(Self.ids(h, .session(.ofNode("n1"))) == [Self.s1, Self.s2])
        #expect(Self.ids(h, .session(.get(id: sessionID(9)))) == [])
        #expect(h.failure(.session(.get(id: "x"))) == "failed session lookup: index error: UUID must be 36 characters")
    }

    @Test func `ending releases what is held and starts the lock-delay`() {
        var h = Self.withNode()
        h.session(Self.s1, on: "n1") { $0.lockDelay = .seconds(300) }
        h.kv("lock", "a", "x", session: Self.s1)
        h.kv("lock", "b", session: Self.s1)
        h.set("c")
        h.destroy(Self.s1)
        #expect(h.entry("a")?.session == "" && h.entry("a")?.index.modify == h.index && h.entry("a")?.lockIndex == 1)
        #expect(h.entry("a")?.value == Array("x".utf8))
        #expect(h.changes.lockDelays.map(\.key) == ["a", "b"])
        #expect(h.changes.lockDelays.allSatisfy { $0.delay == .seconds(60) })
        #expect(h.index(.session(.list)) == h.index && h.index(.kv(.list(prefix: ""))) == h.index)
        #expect(h.store.kvsBySession.isEmpty && h.store.sessionChecks.isEmpty && h.store.sessionsByNode.isEmpty)
    }

    @Test func `ending deletes what is held when the session says so`() {
        var h = Self.withNode()
        h.session(Self.s1, on: "n1") { $0.behavior = "delete" }
        h.kv("lock", "a", session: Self.s1)
        h.kv("lock", "b", session: Self.s1)
        h.kv("unlock", "b", session: Self.s1)
        h.destroy(Self.s1)
        #expect(h.entry("a") == nil && h.entry("b") != nil)
        #expect(h.changes.lockDelays.isEmpty)
        #expect(h.changes.tombstoneIndex == h.index)
    }

    @Test func `releasing voluntarily starts no lock-delay`() {
        var h = Self.withNode()
        h.session(Self.s1, on: "n1") { $0.lockDelay = .seconds(15) }
        h.kv("lock", "a", session: Self.s1)
        h.kv("unlock", "a", session: Self.s1)
        #expect(h.changes.lockDelays.isEmpty)
    }

    @Test func `destroying an unknown session is fine, a malformed ID is not`() {
        var h = Harness()
        #expect(h.destroy(Self.s1) == .none)
        #expect(h.changes.isEmpty)
        #expect(h.destroy("x") == .error("failed session lookup: index error: UUID must be 36 characters"))
    }

    enum Cause: CaseIterable { case critical, checkRemoved, serviceRemoved, nodeRemoved, nodeRenamed, txn }

    @Test(arguments: Cause.allCases)
    func `every cause ends the session in the same entry`(cause: Cause) {
        var h = Self.withNode()
        let id = "0b2c0000-0000-0000-0000-000000000001"
        h.register("n1") { $0.id = id }
        h.session(Self.s1, on: "n1") { $0.serviceChecks = [SessionServiceCheck(id: "web-check")] }
        h.session(Self.s2, on: "n1")
        h.kv("lock", "a", session: Self.s1)
        switch cause {
        case .critical: h.check("WEB-CHECK", on: "N1", "critical", service: "web")
        case .checkRemoved: h.deregister("n1", check: "web-check")
        case .serviceRemoved: h.deregister("n1", service: "web")
        case .nodeRemoved: h.deregister("n1")
        case .nodeRenamed: h.register("n9") { $0.id = id }
        case .txn: _ = h.txn([.session(verb: .delete, Session(id: Self.s1))])
        }
        let survives = ![.nodeRemoved, .nodeRenamed].contains(cause)
        #expect(Self.ids(h, .session(.list)) == (survives ? [Self.s2] : []))
        #expect(h.entry("a")?.session == "" && h.entry("a")?.index.modify == h.index)
        #expect(h.index(.session(.list)) == h.index)
        let ended = h.changes.sessions.compactMap { if case .ended(let row) = $0 { row.value.id } else { nil } }
        #expect(ended.contains(Self.s1))
    }

    @Test func `a critical write ends sessions even if it says nothing new`() {
        var h = Self.withNode()
        h.check("c", on: "n1", "passing")
        h.session(Self.s1, on: "n1") { $0.checks = ["c"] }
        h.check("c", on: "n1", "critical")
        h.session(Self.s2, on: "n1")
        h.check("c", on: "n1", "critical")
        #expect(Self.ids(h, .session(.list)) == [Self.s2])
    }

    @Test func `created sessions are told to the leader`() {
        var h = Self.withNode()
        h.session(Self.s1, on: "n1") { $0.ttl = "10s" }
        guard case .created(let row)? = h.changes.sessions.first else {
            Issue.record("no session")
            return
        }
        #expect(row.value.ttl == "10s")
    }
}

extension SessionServiceCheck {
    init(id: String) {
        self.init()
        self.id = id
    }
}

extension Session {
    init(id: String) {
        self.init()
        self.id = id
    }
}
