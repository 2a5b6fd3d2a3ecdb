import Testing

@testable import Core

@Suite struct TxnTests {
    private static func kv(
        _ verb: String, _ key: ByteString, _ value: String = "", session: String = "", index: UInt64 = 0, flags: UInt64 = 0
    ) -> TxnOp {
        var entry = DirEntry(key: key)
        entry.entry.value = Array(value.utf8)
        entry.entry.session = session
        entry.entry.index.modify = index
        entry.entry.flags = flags
        return .kv(verb: KVVerb(verb), entry)
    }

    private static func errors(_ response: TxnResponse) -> [String] { response.errors.map { "\($0.opIndex) \($0.what)" } }

    @Test func `reads see earlier writes, and only gets return values`() {
        var h = Harness()
        h.set("t/b", "bar")
        let response = h.txn([Self.kv("set", "t/a", "foo", flags: 3), Self.kv("get", "t/a"), Self.kv("get-tree", "t/")])
        #expect(response.errors.isEmpty)
        let entries = response.results.compactMap { if case .kv(let entry) = $0 { entry } else { nil } }
        #expect(entries.map(\.key) == ["t/a", "t/a", "t/a", "t/b"])
        #expect(entries.map { String(decoding: $0.entry.value, as: UTF8.self) } == ["", "foo", "foo", "bar"])
        #expect(entries[0].entry.flags == 3 && entries[0].entry.index == RaftIndex(create: 2, modify: 2))
        #expect(h.entry("t/a")?.value == Array("foo".utf8))
    }

    @Test func `one failure takes everything back, and all are told`() {
        var h = Harness()
        h.set("t/a", "1")
        let before = h.store.digest
        let response = h.txn([
            Self.kv("set", "new"), Self.kv("get", "nope"), Self.kv("cas", "t/a", index: 99), Self.kv("delete", "t/a"),
            Self.kv("get", "t/a"),
        ])
        #expect(
            Self.errors(response) == [
                "1 key \"nope\" doesn't exist", "2 failed to set key \"t/a\", index is stale", "4 key \"t/a\" doesn't exist",
            ])
        #expect(response.results.isEmpty && h.store.digest == before && h.changes.isEmpty)
    }

    @Test func `failing key operations have the reference's texts`() {
        var h = Harness()
        h.register("n1")
        h.session(sessionID(1), on: "n1")
        h.session(sessionID(2), on: "n1")
        h.kv("lock", "lk", session: sessionID(1))
        let stored = h.entry("lk")!.index.modify
        let response = h.txn([
            Self.kv("delete-cas", "lk", index: 1), Self.kv("lock", "lk", session: sessionID(2)),
            Self.kv("unlock", "lk", session: sessionID(2)), Self.kv("check-not-exists", "lk"), Self.kv("check-session", "no"),
            Self.kv("check-session", "lk", session: "zz"), Self.kv("check-index", "no"), Self.kv("check-index", "lk", index: 1),
            Self.kv("foo", "lk"), Self.kv("lock", "x"), Self.kv("lock", "x", session: "bad"), .none,
        ])
        #expect(
            Self.errors(response) == [
                "0 failed to delete key \"lk\", index is stale", "1 failed to lock key \"lk\", lock is already held",
                "2 failed to unlock key \"lk\", lock isn't held, or is held by another session", "3 key \"lk\" exists",
                "4 failed to check session, key \"no\" doesn't exist",
                "5 failed session check for key \"lk\", current session \"\(sessionID(1))\" != \"zz\"",
                "6 failed to check index, key \"no\" doesn't exist",
                "7 failed index check for key \"lk\", current modify index \(stored) != 1", "8 unknown KV verb \"foo\"",
                "9 missing session",
                "10 failed session lookup: index error: UUID must be 36 characters", "11 no operation specified",
            ])
    }

    @Test func `checks of keys that hold let a transaction through`() {
        var h = Harness()
        h.set("k", "v")
        let response = h.txn([
            Self.kv("check-index", "k", index: 1), Self.kv("check-session", "k"), Self.kv("check-not-exists", "z"),
            Self.kv("delete-cas", "z", index: 5), Self.kv("delete", "z"), Self.kv("delete-tree", "z"),
        ])
        #expect(response.errors.isEmpty && response.results.count == 2)
        #expect(h.entry("k")?.value == Array("v".utf8))
    }

    @Test func `a transaction reads and writes nodes`() {
        var h = Harness()
        var node = Node()
        node.node = "x1"
        node.address = "1.2.3.4"
        func run(_ verb: String, _ change: (inout Node) -> Void = { _ in }) -> TxnResponse {
            var node = node
            change(&node)
            return h.txn([.node(verb: CatalogVerb(verb), node)])
        }
        #expect(Self.errors(run("get")) == ["0 node \"x1\" doesn't exist"])
        #expect(Self.errors(run("cas") { $0.index.modify = 3 }) == ["0 failed to set node \"x1\", index is stale"])
        #expect(run("cas").results.count == 1)
        #expect(Self.errors(run("cas")) == ["0 failed to set node \"x1\", index is stale"])
        #expect(
            run("cas") {
                $0.index.modify = 3; $0.address = "5.6.7.8"
            }.results.count == 1)
        #expect(h.store.node("x1")?.value.address == "5.6.7.8")
        #expect(Self.errors(run("delete-cas") { $0.index.modify = 1 }) == ["0 failed to delete node \"x1\", index is stale"])
        #expect(run("delete").errors.isEmpty && run("delete").errors.isEmpty)
        #expect(Self.errors(run("delete-cas")) == ["0 failed to delete node \"x1\", index is stale"])
        #expect(Self.errors(run("foo")) == ["0 unknown Node verb \"foo\""])
        #expect(run("set").results == [.node(h.store.node("x1")!.value)])
    }

    @Test func `a transaction reads and writes services`() {
        var h = Harness()
        let service = NodeService(named: "web1")
        #expect(Self.errors(h.txn([.service(verb: .set, node: "x1", service)])) == ["0 Missing node registration"])
        h.register("x1")
        #expect(
            Self.errors(h.txn([.service(verb: .set, node: "x1", NodeService())]))
                == ["0 failed inserting service: object missing primary index"])
        #expect(Self.errors(h.txn([.service(verb: .get, node: "x1", service)])) == ["0 service \"web1\" on node \"x1\" doesn't exist"])
        let response = h.txn([.service(verb: .set, node: "x1", service)])
        guard case .service(let stored)? = response.results.first else {
            Issue.record("\(response)")
            return
        }
        #expect(stored.weights == Weights(passing: 1, warning: 1) && stored.index.modify == 5)
        #expect(
            Self.errors(h.txn([.service(verb: .cas, node: "x1", service)]))
                == ["0 failed to set service \"web1\" on node \"x1\", index is stale"])
        #expect(
            Self.errors(h.txn([.service(verb: .deleteCAS, node: "x1", service)]))
                == ["0 failed to delete service \"web1\" on node \"x1\", index is stale"])
        #expect(h.txn([.service(verb: .deleteCAS, node: "x1", stored)]).errors.isEmpty)
        #expect(h.txn([.service(verb: .delete, node: "x1", stored)]).errors.isEmpty)
        #expect(
            Self.errors(h.txn([.service(verb: .deleteCAS, node: "x1", service)]))
                == ["0 failed to delete service \"web1\" on node \"x1\", index is stale"])
        #expect(Self.errors(h.txn([.service(verb: .unknown("zz"), node: "x1", service)])) == ["0 unknown Service verb \"zz\""])
    }

    @Test func `a transaction reads and writes checks`() {
        var h = Harness()
        var check = HealthCheck(id: "c1", node: "x1", status: "")
        #expect(Self.errors(h.txn([.check(verb: .set, check)])) == ["0 Missing node registration"])
        h.register("x1")
        check.serviceID = "nope"
        #expect(Self.errors(h.txn([.check(verb: .set, check)])) == ["0 Missing service registration"])
        check.serviceID = ""
        #expect(Self.errors(h.txn([.check(verb: .get, check)])) == ["0 check \"c1\" on node \"x1\" doesn't exist"])
        guard case .check(let stored)? = h.txn([.check(verb: .cas, check)]).results.first else { return }
        #expect(stored.status == "critical" && stored.index.create == 5)
        #expect(Self.errors(h.txn([.check(verb: .cas, check)])) == ["0 failed to set check \"c1\" on node \"x1\", index is stale"])
        #expect(
            Self.errors(h.txn([.check(verb: .deleteCAS, check)])) == ["0 failed to delete check \"c1\" on node \"x1\", index is stale"])
        #expect(h.txn([.check(verb: .delete, check)]).errors.isEmpty)
        #expect(Self.errors(h.txn([.check(verb: .unknown("x"), check)])) == ["0 unknown Check verb \"x\""])
    }

    @Test func `a read leaves no trace`() {
        var h = Harness()
        h.set("a", "1")
        let before = h.store.digest
        let (result, index) = h.find(.txn(TxnQuery([Self.kv("get", "a"), Self.kv("get-tree", "")])))
        guard case .txn(let response) = result else { return }
        #expect(response.results.count == 2 && index == 0)
        guard case .txn(let failed) = h.find(.txn(TxnQuery([Self.kv("foo", "a")]))).0 else { return }
        #expect(Self.errors(failed) == ["0 unknown KV verb \"foo\""] && h.store.digest == before)
    }

    @Test func `odd keys are quoted`() {
        var h = Harness()
        #expect(Self.errors(h.txn([Self.kv("get", "a\"\n")])) == ["0 key \"a\\\"\\n\" doesn't exist"])
    }

    @Test func `verbs keep their names on the wire, also those that nobody knows`() throws {
        let keys = [
            "set", "delete", "delete-cas", "delete-tree", "cas", "lock", "unlock", "get", "get-tree", "check-index", "check-session",
            "check-not-exists", "Get", "", "upsert",
        ]
        let rows = ["get", "set", "cas", "delete", "delete-cas", "get-tree", ""]
        var operations: [(name: String, verb: String, op: TxnOp)] = keys.map { ("KV", $0, Self.kv($0, "k")) }
        for verb in rows {
            operations.append(("Node", verb, .node(verb: CatalogVerb(verb), Node())))
            operations.append(("Service", verb, .service(verb: CatalogVerb(verb), node: "n", NodeService())))
            operations.append(("Check", verb, .check(verb: CatalogVerb(verb), HealthCheck())))
            operations.append(("Session", verb, .session(verb: SessionVerb(verb), Session())))
        }
        for (name, verb, op) in operations {
            var writer = MessagePackWriter()
            op.encode(into: &writer)
            var reader = MessagePackReader(writer.bytes[...])
            #expect(try TxnOp(from: &reader) == op, "\(name) \(verb)")
            var fields = MessagePackReader(writer.bytes[...])
            #expect(try fields.dynamic()[name]?["Verb"] == .string(verb))
        }
        let unknown: [CatalogVerb] = [CatalogVerb("get-tree"), CatalogVerb("")]
        #expect(unknown == [.unknown("get-tree"), .unknown("")] && KVVerb("Get") == .write(.unknown("Get")))
    }
}
