import Testing

@testable import Core

@Suite struct CatalogTests {
    private static let id1 = "0b2c0000-0000-0000-0000-000000000001", id2 = "1b2c0000-0000-0000-0000-000000000002"

    private static func names(_ h: Harness, meta: StringMap = [:]) -> [String] {
        guard case .nodes(let nodes) = h.find(.catalog(.nodes), meta: meta).0 else { return [] }
        return nodes.map(\.value.node)
    }

    @Test func `indexes move as in the captured run`() {
        var h = Harness(startingAt: 10)
        h.register("n1")
        h.register("n1") { $0.nodeMeta = ["a": "b"] }
        h.index = 14
        h.check("other", on: "n1")
        h.index = 15
        h.register("n1") {
            $0.skipNodeUpdate = true
            $0.service = NodeService(named: "y")
            $0.checks = [HealthCheck(id: "y-check", node: "n1", service: "y", status: "critical")]
        }
        #expect(h.healthIndex("none") == 16 && h.healthIndex("y") == 16 && h.index(.catalog(.nodes)) == 12)
        h.check("y-check", on: "n1", "passing", service: "y")
        #expect(h.healthIndex("y") == 17 && h.catalogIndex("y") == 17 && h.index(.catalog(.services)) == 16)
        #expect(h.index(.health(.serviceChecks(service: "y"))) == 17 && h.healthIndex("none") == 17 && h.catalogIndex("none") == 16)
        h.deregister("n1", service: "y")
        #expect(h.healthIndex("y") == 18 && h.catalogIndex("y") == 18 && h.index(.catalog(.nodes)) == 12)
    }

    @Test func `an identical registration moves the index of checks only`() {
        var h = Harness()
        for _ in 0..<2 {
            h.register("n1") {
                $0.service = NodeService(named: "web")
                $0.checks = [HealthCheck(id: "c", node: "n1", service: "web")]
            }
        }
        #expect(
            h.index(.catalog(.nodes)) == 1 && h.index(.catalog(.services)) == 1 && h.catalogIndex("web") == 1 && h.healthIndex("web") == 1)
        #expect(h.index(.health(.nodeChecks(node: "n1"))) == 2)
        guard case .checks(let checks) = h.find(.health(.nodeChecks(node: "n1"))).0 else { return }
        #expect(checks[0].value.index == RaftIndex(create: 1, modify: 1))
        h.check("c", on: "n1", service: "web") {
            $0.name = ""
            $0.type = "http"
        }
        guard case .checks(let again) = h.find(.health(.nodeChecks(node: "n1"))).0 else { return }
        #expect(again[0].value.type == "http" && again[0].value.index.modify == 1 && h.healthIndex("web") == 1)
    }

    @Test func `nil and empty maps differ`() {
        var h = Harness()
        h.register("n1")
        h.register("n1") { $0.nodeMeta = [:] }
        #expect(h.index(.catalog(.nodes)) == 2)
        h.register("n1") { $0.nodeMeta = [:] }
        #expect(h.index(.catalog(.nodes)) == 2)
    }

    @Test func `a skipped node update creates what is missing and leaves alone what is there`() {
        var h = Harness()
        h.register("n1") {
            $0.skipNodeUpdate = true
            $0.address = ""
        }
        #expect(h.store.node("N1")?.value.address == "")
        h.register("n1") { $0.address = "10.9.9.9" }
        h.register("n1") {
            $0.skipNodeUpdate = true
            $0.address = "other"
        }
        #expect(h.store.node("n1")?.value.address == "10.9.9.9")
        #expect(h.store.node("n1")?.value.index == RaftIndex(create: 1, modify: 2))
    }

    @Test func `a change of the node raises its services`() {
        var h = Harness()
        h.register("n1")
        h.service("web", on: "n1")
        h.register("n2")
        h.service("db", on: "n2")
        h.register("n1") { $0.address = "10.2.2.2" }
        #expect(h.catalogIndex("web") == 5 && h.catalogIndex("db") == 4 && h.index(.catalog(.services)) == 4)
    }

    @Test func `checks of a node raise all its services, checks of a service its own`() {
        var h = Harness()
        h.register("n1")
        h.service("web", on: "n1")
        h.service("db", on: "n1")
        h.check("node", on: "n1")
        #expect(h.healthIndex("web") == 4 && h.healthIndex("db") == 4)
        h.check("c", on: "n1", service: "db")
        #expect(h.healthIndex("web") == 4 && h.healthIndex("db") == 5)
        h.deregister("n1", check: "node")
        #expect(h.healthIndex("web") == 6 && h.healthIndex("db") == 6 && h.index(.catalog(.services)) == 6)
        h.deregister("n1", check: "c")
        #expect(h.healthIndex("web") == 6 && h.healthIndex("db") == 7 && h.index(.catalog(.services)) == 6)
    }

    @Test func `a check takes name and tags of its service as they are when it is written`() {
        var h = Harness()
        h.register("n1")
        h.service("Web", id: "w1", on: "n1") { $0.tags = ["a"] }
        h.check("c", on: "n1", "", service: "W1")
        let check = h.store.check("C", onNode: "N1")?.value
        #expect(check?.serviceName == "Web" && check?.serviceTags == ["a"] && check?.status == "critical")
        #expect(h.checks(.health(.serviceChecks(service: "web"))) == ["n1/c"])
    }

    @Test func `errors take everything back`() {
        var h = Harness()
        h.register("n1")
        let before = h.store.digest
        #expect(
            h.check("c", on: "n1", service: "nope")
                == .error("failed inserting check: Missing service registration on node \"n1\""))
        #expect(
            h.register("n9") { $0.checks = [HealthCheck(id: "c", node: "other")] }
                == .error("check node \"other\" does not match node \"n9\""))
        #expect(
            h.service("web", on: "n9") { $0.meta = ["a b": "c"] }
                == .error(
                    "failed inserting service: Invalid Service Meta for node n9 and serviceID web: "
                        + "Couldn't load metadata pair ('a b', 'c'): Key contains invalid characters"))
        #expect(h.store.digest == before)
        #expect(h.changes.isEmpty)
    }

    @Test func `service metadata has limits`() {
        func problem(_ meta: StringMap, kind: String = "") -> String? { MetaRules.problem(in: meta, kind: kind) }
        #expect(problem([:]) == nil && problem(["a-b_C9": ""]) == nil)
        #expect(problem(StringMap((0..<65).map { ("k\($0)", "v") })) == "Node metadata cannot contain more than 64 key/value pairs")
        #expect(problem(["": "v"]) == "Couldn't load metadata pair ('', 'v'): Key cannot be blank")
        let long = String(repeating: "k", count: 129)
        #expect(problem([long: "v"]) == "Couldn't load metadata pair ('\(long)', 'v'): Key is too long (limit: 128 characters)")
        let reserved = "Couldn't load metadata pair ('consul-wan-federation', 'v'): Key prefix 'consul-' is reserved for internal use"
        #expect(problem(["consul-wan-federation": "v"]) == reserved)
        #expect(problem(["consul-wan-federation": "v"], kind: "mesh-gateway") == nil)
        let value = String(repeating: "v", count: 513)
        #expect(problem(["k": value]) == "Couldn't load metadata pair ('k', '\(value)'): Value is too long (limit: 512 characters)")
    }

    // MARK: Identity

    @Test func `a known ID under a new name is a rename`() {
        var h = Harness()
        h.register("n1") { $0.id = Self.id1 }
        h.service("web", on: "n1")
        h.check("c", on: "n1")
        #expect(h.register("n2") { $0.id = Self.id1.uppercased() } == .none)
        #expect(Self.names(h) == ["n2"])
        #expect(h.store.node("n2")?.value.index == RaftIndex(create: 1, modify: 4))
        #expect(h.instances("web") == [] && h.checks(.health(.nodeChecks(node: "n1"))) == [] && h.index(.catalog(.services)) == 4)
        // A change of case is a rename as well.
        h.service("web", on: "n2")
        h.register("N2") { $0.id = Self.id1 }
        #expect(Self.names(h) == ["N2"] && h.instances("web") == [])
    }

    @Test func `a name belongs to a healthy node with another ID`() {
        var h = Harness()
        h.register("n1") { $0.id = Self.id1 }
        h.check("serfHealth", on: "n1")
        h.register("n2") { $0.id = Self.id2 }
        let reserved = "Node name N1 is reserved by node \(Self.id1) with name n1 (10.0.0.1)"
        #expect(
            h.register("N1") { $0.id = Self.id2 }
                == .error("failed inserting node: Error while renaming Node ID: \"\(Self.id2)\" (10.0.0.1): \(reserved)"))
        let other = "2b2c0000-0000-0000-0000-000000000003"
        #expect(
            h.register("N1") { $0.id = other }
                == .error("failed inserting node: Error while renaming Node ID: \"\(other)\": \(reserved)"))
        h.check("serfHealth", on: "n1", "critical")
        #expect(h.register("N1") { $0.id = Self.id2 } == .none)
        #expect(Self.names(h) == ["N1"])
        #expect(h.store.node("n1")?.value.id == Self.id2 && h.store.node("n1")?.value.index.create == 3)
        #expect(h.store.nodesByID.count == 1)
    }

    @Test func `a node without an ID is adopted with its services`() {
        var h = Harness()
        h.register("n1")
        h.check("serfHealth", on: "n1")
        h.service("web", on: "n1")
        #expect(h.register("n1") { $0.id = Self.id1 } == .none)
        #expect(h.instances("web") == ["n1/web"] && h.store.node("n1")?.value.index == RaftIndex(create: 1, modify: 4))
        // A known ID may not take the name of a healthy node without an ID.
        h.register("n2")
        h.check("serfHealth", on: "n2")
        guard case .error(let text) = h.register("n2", { $0.id = Self.id1 }) else {
            Issue.record("taken over")
            return
        }
        #expect(text.hasSuffix("Node name n2 is reserved by node  with name n2 (10.0.0.1)"))
    }

    @Test func `without IDs a name is overwritten in its new spelling`() {
        var h = Harness()
        h.register("ext")
        h.service("web", on: "ext")
        h.register("EXT")
        #expect(Self.names(h) == ["EXT"])
        #expect(h.instances("web") == ["ext/web"])
    }

    @Test func `a malformed ID is refused`() {
        var h = Harness()
        #expect(
            h.register("n1") { $0.id = "x" }
                == .error("failed inserting node: node lookup failed: index error: UUID must be 36 characters"))
    }

    // MARK: Removal

    @Test func `removing a node removes all it has`() {
        var h = Harness()
        h.register("n1") { $0.id = Self.id1 }
        h.service("web", on: "n1")
        h.service("web", on: "n2")
        h.check("c", on: "n1", service: "web")
        h.check("n", on: "n1")
        #expect(h.deregister("N1") == .none)
        #expect(Self.names(h) == ["n2"] && h.instances("web") == ["n2/web"] && h.store.checks.isEmpty)
        #expect(h.store.nodesByID.isEmpty && h.store.checksByStatus.isEmpty && h.store.checksByInstance.isEmpty)
        #expect(h.store.checksByServiceName.isEmpty && h.store.servicesByName.count == 1)
        #expect(
            h.catalogIndex("web") == 6 && h.index(.catalog(.nodes)) == 6 && h.index(.catalog(.services)) == 6
                && h.index(.health(.checksInState(state: "any"))) == 6)
        h.deregister("n1")
        #expect(h.changes.isEmpty)
    }

    @Test func `a deregistration that names service and check removes the service only`() {
        var h = Harness()
        h.service("web", on: "n1")
        h.check("c", on: "n1")
        h.deregister("n1", service: "web", check: "c")
        #expect(h.instances("web") == [] && h.checks(.health(.nodeChecks(node: "n1"))) == ["n1/c"])
        h.deregister("n1", check: "c")
        #expect(h.checks(.health(.nodeChecks(node: "n1"))) == [] && Self.names(h) == ["n1"])
        #expect(h.deregister("n1", service: "nope") == .none && h.deregister("nope") == .none)
    }

    @Test func `the last instance leaves an extinction behind`() {
        var h = Harness()
        h.service("web", on: "n1")
        h.service("web", on: "n2")
        h.service("db", on: "n1")
        #expect(h.healthIndex("none") == 3)
        h.deregister("n1", service: "web")
        #expect(h.catalogIndex("web") == 4 && h.store.indexes["service_last_extinction"] == nil)
        h.deregister("n2", service: "web")
        #expect(h.catalogIndex("web") == 5 && h.store.indexes["service.web"] == nil)
        h.service("other", on: "n1")
        #expect(h.catalogIndex("web") == 5 && h.healthIndex("none") == 5 && h.catalogIndex("none") == 5)
        h.service("web", on: "n1")
        #expect(h.catalogIndex("web") == 7)
    }

    @Test func `a renamed service leaves its old name as if it were removed`() {
        var h = Harness()
        h.service("gone", on: "n1")
        h.deregister("n1", service: "gone")
        h.service("old", id: "s", on: "n1")
        #expect(h.catalogIndex("old") == 3)
        let query = ReadQuery.health(.serviceNodes(service: "old", tags: [], connect: false, ingress: false))
        #expect(h.wakes(query) { $0.service("new", id: "s", on: "n1") })
        #expect(h.catalogIndex("old") == 4 && h.catalogIndex("new") == 4)
        #expect(h.store.indexes["service.old"] == nil)
        #expect(h.instances("old") == [] && h.instances("new") == ["n1/s"])
    }

    @Test func `kinds have index entries of their own`() {
        var h = Harness()
        h.service("web", on: "n1")
        h.service("proxy", on: "n1") {
            $0.kind = "connect-proxy"
            $0.proxy.destinationServiceName = "web"
        }
        #expect(h.store.indexes["service_kind.typical"] == 1 && h.store.indexes["service_kind.connect-proxy"] == 2)
        h.deregister("n1", service: "web")
        #expect(h.store.indexes["service_kind.typical"] == 3 && h.store.indexes["service_kind.connect-proxy"] == 2)
    }

    @Test func `weights have defaults, and free-form maps have no order`() {
        var h = Harness()
        func config(_ names: [String]) -> DynamicValue { .map(names.map { DynamicMember($0, .map([DynamicMember("x", .double(1))])) }) }
        h.service("web", on: "n1") { $0.proxy.config = config(["b", "a"]) }
        h.service("web", on: "n1") {
            $0.proxy.config = config(["a", "b"])
            $0.weights = Weights()
        }
        #expect(h.catalogIndex("web") == 1)
        #expect(h.store.service("web", onNode: "n1")?.value.service.weights == Weights(passing: 1, warning: 1))
    }

    @Test(arguments: [
        (Weights(passing: 0, warning: 5), false), (Weights(passing: 5, warning: -1), false), (Weights(passing: 65_536, warning: 1), false),
        (Weights(passing: 2, warning: 65_536), false), (Weights(passing: 65_535, warning: 0), true),
    ])
    func `weights that DNS could not show become 1 as a whole`(weights: Weights, isValid: Bool) {
        var h = Harness()
        h.service("web", on: "n1") { $0.weights = weights }
        #expect(h.store.service("web", onNode: "n1")?.value.service.weights == (isValid ? weights : Weights()))
    }
}

extension NodeService {
    init(named name: String) {
        self.init()
        service = name
        id = name
    }
}

extension HealthCheck {
    init(id: String, node: String, service: String = "", status: String = "passing") {
        self.init()
        checkID = id
        self.node = node
        serviceID = service
        self.status = status
    }
}
