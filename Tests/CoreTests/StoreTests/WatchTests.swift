import Testing

@testable import Core

@Suite struct WatchTests {
    /// Reads that wait for one row although they report the index of a table, as the reference has it: only a change of what they find
    /// must wake them.
    private static func waitsForItsRows(_ query: ReadQuery, _ store: Store) -> Bool {
        switch query {
        case .kv(.get(let key)): store.kvs[key] == nil
        case .kv(.list), .kv(.keys): true
        case .session(.get), .session(.ofNode), .internal(.nodeDump): true
        case .catalog(.nodeServices), .catalog(.nodeServiceList), .catalog(.serviceByAddress): true
        case .catalog(.serviceNodes(_, _, true)): true
        case .health(.nodeChecks), .health(.serviceChecks), .health(.checksInState): true
        default: false
        }
    }

    private static func text(_ result: QueryResult) -> String {
        // Rows print their values, not their addresses.
        func rows<T>(_ rows: [Row<T>]) -> String { rows.map { "\($0.value)" }.joined(separator: "\n") }
        return switch result {
        case .sessions(let found): rows(found)
        case .nodes(let found): rows(found)
        case .checks(let found): rows(found)
        case .serviceNodes(let found): found.map { "\($0.node.value) \($0.service.value)" }.joined(separator: "\n")
        case .nodeServices(let found): found.map { "\($0.node.value) " + rows($0.services) } ?? "nil"
        case .healthNodes(let found):
            found.map { "\($0.node.value) \($0.service.value) " + rows($0.checks) }.joined(separator: "\n")
        case .nodeDump(let found): found.map { "\($0.node.value) " + rows($0.services) + rows($0.checks) }.joined(separator: "\n")
        default: "\(result)"
        }
    }

    @Test(arguments: 0..<30)
    func `every change that a blocked reader may see wakes it`(seed: UInt64) {
        var commands = RandomCommands(seed: seed)
        var h = Harness(startingAt: 20)
        var options = QueryOptions()
        for _ in 0..<150 {
            let query = commands.query()
            options.nodeMetaFilters = commands.random.chance(0.2) ? ["k": "v"] : [:]
            let (before, index) = h.find(query, meta: options.nodeMetaFilters)
            var registry = WatchRegistry<Int>()
            registry.register(7, h.store.topics(of: query, options: options))
            let old = h.store
            h.apply(commands.command())
            let woken = registry.wake(h.changes) == [7]
            #expect(woken != registry.contains(7))
            #expect(registry.isEmpty == woken)
            if woken { continue }
            let (after, newIndex) = h.find(query, meta: options.nodeMetaFilters)
            if newIndex > index { #expect(Self.waitsForItsRows(query, old), "\(query)") }
            // The index does not move, so blocked readers are not woken: joins with other tables.
            if newIndex > index { #expect(Self.text(before) == Self.text(after), "\(query)") }
        }
    }

    private static func health(_ name: String) -> ReadQuery {
        .health(.serviceNodes(service: name, tags: [], connect: false, ingress: false))
    }

    @Test func `readers of a service sleep through changes of others`() {
        var h = Harness()
        h.service("web", on: "n1")
        h.service("db", on: "n2")
        h.check("c", on: "n1", service: "web")
        #expect(!h.wakes(Self.health("web")) { $0.service("db", on: "n3") })
        #expect(!h.wakes(Self.health("web")) { $0.check("x", on: "n2") })
        #expect(!h.wakes(Self.health("web")) { $0.check("c", on: "n1", service: "web") })
        #expect(h.wakes(.health(.checksInState(state: "any"))) { $0.check("c", on: "n1", service: "web") })
        #expect(h.wakes(.health(.nodeChecks(node: "N1"))) { $0.check("c", on: "n1", service: "web") })
        #expect(h.wakes(Self.health("WEB")) { $0.check("c", on: "n1", "critical", service: "web") })
        #expect(h.wakes(Self.health("web")) { $0.service("Web", on: "n4") })
        #expect(h.wakes(Self.health("web")) { $0.register("n1") { $0.address = "10.7.7.7" } })
        #expect(!h.wakes(.health(.checksInState(state: "warning"))) { $0.check("c", on: "n1", service: "web") })
        #expect(h.wakes(.health(.checksInState(state: "passing"))) { $0.check("c", on: "n1", "critical", service: "web") })
    }

    @Test func `readers of a service wake when its instance gets another name, and their index moves`() {
        var h = Harness()
        for id in ["a", "b"] { h.service("web", id: id, on: "n1") }
        for id in ["a", "b"] {
            let (_, before) = h.find(Self.health("web"))
            #expect(h.wakes(Self.health("web")) { $0.service("api", id: id, on: "n1") })
            #expect(h.find(Self.health("web")).1 > before)
        }
        #expect(h.find(Self.health("web")).1 == h.index)
    }

    @Test func `readers of an absent service wake when it comes and on extinctions`() {
        var h = Harness()
        h.service("db", on: "n1")
        h.service("x", on: "n1")
        #expect(h.wakes(Self.health("web")) { $0.deregister("n1", service: "x") })
        #expect(!h.wakes(Self.health("web")) { $0.service("db", id: "db2", on: "n1") })
        #expect(h.wakes(Self.health("web")) { $0.deregister("n1", service: "db") } == false)
        #expect(h.wakes(Self.health("web")) { $0.deregister("n1", service: "db2") })
        #expect(h.wakes(Self.health("web")) { $0.service("web", on: "n1") })
    }

    @Test func `readers through Connect wake for new proxies under any name`() {
        var h = Harness()
        func proxy(_ name: String, _ h: inout Harness) {
            h.service(name, on: "n1") {
                $0.kind = "connect-proxy"
                $0.proxy.destinationServiceName = "web"
            }
        }
        let query = ReadQuery.health(.serviceNodes(service: "web", tags: [], connect: true, ingress: false))
        proxy("p1", &h)
        #expect(h.wakes(query) { proxy("p2", &$0) })
        #expect(h.wakes(query) { $0.deregister("n1", service: "p1") })
        #expect(!h.wakes(query) { $0.service("other", on: "n2") })
    }

    @Test func `readers of keys wake for their keys`() {
        var h = Harness()
        h.set("p/a")
        h.set("p/b")
        #expect(!h.wakes(.kv(.get(key: "p/a"))) { $0.set("p/b", "2") })
        #expect(!h.wakes(.kv(.get(key: "p/a"))) { $0.set("p/a", "v") })
        #expect(h.wakes(.kv(.get(key: "p/a"))) { $0.set("p/a", "2") })
        #expect(h.wakes(.kv(.get(key: "p/a"))) { $0.kv("delete-tree", "p") })
        #expect(h.wakes(.kv(.get(key: "p/a"))) { $0.set("p/a") })
        #expect(!h.wakes(.kv(.list(prefix: "p/"))) { $0.set("q") })
        #expect(h.wakes(.kv(.list(prefix: "p/"))) { $0.set("p/x/y") })
        #expect(h.wakes(.kv(.keys(prefix: "", separator: "/"))) { $0.set("q", "2") })
        #expect(!h.wakes(.kv(.list(prefix: "p/"))) { $0.kv("cas", "p/a", "3", index: 999) })
        #expect(h.wakes(.kv(.list(prefix: "p/x/y"))) { $0.kv("delete", "p/x/y") })
    }

    @Test func `readers of sessions wake for their sessions`() {
        var h = Harness()
        h.register("n1")
        h.register("n2")
        #expect(h.wakes(.session(.list)) { $0.session(sessionID(1), on: "n1") })
        #expect(!h.wakes(.session(.get(id: sessionID(1)))) { $0.session(sessionID(2), on: "n1") })
        #expect(!h.wakes(.session(.ofNode("n2"))) { $0.session(sessionID(3), on: "n1") })
        #expect(h.wakes(.session(.ofNode("N1"))) { $0.destroy(sessionID(3)) })
        #expect(h.wakes(.session(.get(id: sessionID(1)))) { $0.deregister("n1") })
    }
}

@Suite struct WatchRegistryTests {
    private static func changes(_ topics: WatchTopic...) -> ChangeSet {
        var changes = ChangeSet()
        for topic in topics { changes.add(topic) }
        return changes
    }

    @Test func `watchers wake in the order of registration, each once`() {
        var registry = WatchRegistry<String>()
        registry.register("c", [.kvKey("k"), .table(.nodes)])
        registry.register("a", [.kvPrefix("")])
        registry.register("b", [.kvKey("k"), .kvKey("k")])
        registry.register("d", [.kvKey("other")])
        #expect(registry.wake(Self.changes(.kvKey("k"), .table(.nodes), .kvKey("k"))) == ["c", "a", "b"])
        #expect(registry.count == 1)
        #expect(registry.wake(Self.changes(.kvKey("k"))) == [])
        registry.cancel("d")
        registry.cancel("d")
        #expect(registry.isEmpty)
    }

    @Test func `a new registration replaces the old one`() {
        var registry = WatchRegistry<Int>()
        registry.register(1, [.extinction])
        registry.register(1, [.table(.nodes)])
        #expect(registry.wake(Self.changes(.extinction)) == [] && registry.count == 1)
        #expect(registry.wake(Self.changes(.table(.nodes))) == [1] && registry.isEmpty)
    }

    @Test func `prefixes of any length are found`() {
        var registry = WatchRegistry<Int>()
        for (at, prefix) in (["", "a", "a/b", "a/b/c", "b", "a/b/c/d"] as [ByteString]).enumerated() {
            registry.register(at, [.kvPrefix(prefix)])
        }
        #expect(registry.wake(Self.changes(.kvKey("a/b/c"))) == [0, 1, 2, 3])
        #expect(registry.wake(Self.changes(.kvKey("b"))) == [4])
        #expect(registry.wake(Self.changes(.kvKey("a/b/c/d"))) == [5] && registry.isEmpty)
    }

    @Test func `many watchers leave nothing behind`() {
        var registry = WatchRegistry<Int>()
        var random = Random(seed: 1)
        let ids = Array(0..<20_000)
        for id in ids {
            registry.register(id, [.serviceIndex(TableKey.of("s\(id % 10)")), .kvPrefix(ByteString("p\(id % 1_000)")), .extinction])
        }
        for id in ids.shuffled(using: &random) { registry.cancel(id) }
        #expect(registry.isEmpty && registry.count == 0)
        for id in ids { registry.register(id, [.extinction]) }
        #expect(registry.wake(Self.changes(.extinction)) == ids)
        #expect(registry.isEmpty)
    }

    @Test(arguments: 0..<10)
    func `the registry agrees with a list of registrations`(seed: UInt64) {
        var random = Random(seed: seed)
        var registry = WatchRegistry<Int>()
        var model: [(id: Int, topics: [WatchTopic])] = []
        func topic() -> WatchTopic {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: .kvKey(ByteString("k\(Int.random(in: 0..<20, using: &random))"))
            case 1: .kvPrefix(["", "k", "k1", "k12", "x"][Int.random(in: 0..<5, using: &random)])
            case 2: .table(.nodes)
            default: .node(ByteString("n\(Int.random(in: 0..<5, using: &random))"))
            }
        }
        func matches(_ watched: WatchTopic, _ changed: WatchTopic) -> Bool {
            if case .kvPrefix(let prefix) = watched, case .kvKey(let key) = changed { return key.hasPrefix(prefix) }
            return watched == changed
        }
        for _ in 0..<400 {
            let id = Int.random(in: 0..<60, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6:
                let topics = (0..<Int.random(in: 1...4, using: &random)).map { _ in topic() }
                registry.register(id, topics)
                model.removeAll { $0.id == id }
                model.append((id, topics))
            case 6..<8:
                registry.cancel(id)
                model.removeAll { $0.id == id }
            default:
                let changed = (0..<Int.random(in: 1...3, using: &random)).map { _ in topic() }
                var changes = ChangeSet()
                for topic in changed { changes.add(topic) }
                let expected = model.filter { watcher in watcher.topics.contains { w in changed.contains { matches(w, $0) } } }.map(\.id)
                #expect(registry.wake(changes) == expected)
                model.removeAll { expected.contains($0.id) }
            }
            #expect(registry.count == model.count)
        }
        for (id, _) in model { registry.cancel(id) }
        #expect(registry.isEmpty)
    }
}
