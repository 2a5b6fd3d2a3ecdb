import Testing

@testable import Core

@Suite struct QueryTests {
    @Test func `instances come by node and ID, their checks of the node first`() {
        var h = Harness()
        h.register("n2")
        h.register("N1")
        h.service("Web", id: "web2", on: "n1")
        h.service("web", id: "web", on: "n2")
        h.service("web", id: "web2-sidecar-proxy", on: "n1")
        h.check("zz", on: "n1")
        h.check("aa", on: "n1")
        h.check("a-web", on: "n1", service: "web2")
        h.check("b-web", on: "n1", service: "WEB2")
        #expect(h.instances("WEB") == ["n1/web2", "n1/web2-sidecar-proxy", "n2/web"])
        #expect(h.health("web") == ["N1/web2: aa zz a-web b-web", "N1/web2-sidecar-proxy: aa zz", "n2/web: "])
        #expect(h.checks(.health(.nodeChecks(node: "N1"))) == ["n1/a-web", "n1/aa", "n1/b-web", "n1/zz"])
        #expect(h.checks(.health(.serviceChecks(service: "WEB"))) == ["n1/a-web", "n1/b-web"])
    }

    @Test func `servers of the reference are told the names of services alone`() throws {
        var h = Harness()
        h.service("web", id: "1", on: "n1") { $0.tags = ["a"] }
        h.service("db", id: "2", on: "n1")
        let query = ReadQuery.catalog(.serviceList)
        let (result, index) = try h.store.evaluate(query, options: QueryOptions()).get()
        var meta = QueryMeta()
        meta.index = index
        let reply = query.encodeReply(result, meta)
        guard case .serviceList(let names) = try query.decodeReply(reply[...]).result else {
            Issue.record("another result")
            return
        }
        #expect(names == ["db", "web"] && index > 0)
        #expect(try ReadQuery.decodeRequest(method: "Catalog.ServiceList", body: query.encodeRequest(QueryOptions())[...])?.query == query)
    }

    @Test func `tags are compared in lower case, all must match`() {
        var h = Harness()
        h.service("web", id: "1", on: "n1") { $0.tags = ["A", "b"] }
        h.service("web", id: "2", on: "n1") { $0.tags = ["a"] }
        h.service("web", id: "3", on: "n1") { $0.tags = [""] }
        #expect(h.instances("web", tags: ["a"]) == ["n1/1", "n1/2"])
        #expect(h.instances("web", tags: ["a", "B"]) == ["n1/1"])
        #expect(h.instances("web", tags: [""]) == ["n1/3"])
        #expect(h.health("web", tags: ["x"]) == [])
        // The index ignores the tags.
        #expect(h.index(.catalog(.serviceNodes(service: "web", tags: ["x"], connect: false))) == 3)
    }

    @Test func `Connect reaches proxies and native instances`() {
        var h = Harness()
        h.service("web", on: "n1")
        h.service("web", id: "native", on: "n1") { $0.connect.native = true }
        h.service("web-proxy", on: "n2") {
            $0.kind = "connect-proxy"
            $0.proxy.destinationServiceName = "Web"
        }
        #expect(h.instances("web", connect: true) == ["n1/native", "n2/web-proxy"])
        #expect(h.health("WEB", connect: true) == ["n1/native: ", "n2/web-proxy: "])
        #expect(h.healthIndex("web", connect: true) == 3)
        #expect(h.index(.catalog(.serviceNodes(service: "web", tags: [], connect: true))) == 2)
        h.check("c", on: "n1")
        #expect(h.healthIndex("web", connect: true) == 4)
        h.service("other", on: "n3")
        #expect(h.healthIndex("web", connect: true) == 4)
        h.service("web", id: "native", on: "n1")
        #expect(h.instances("web", connect: true) == ["n2/web-proxy"])
    }

    @Test func `services are listed with the tags of their instances`() {
        var h = Harness()
        h.register("n1") { $0.nodeMeta = ["k": "v"] }
        h.service("web", id: "1", on: "n1") { $0.tags = ["b", "a"] }
        h.service("web", id: "2", on: "n2") { $0.tags = ["c", "a"] }
        h.service("Web", id: "3", on: "n2")
        h.service("db", on: "n1")
        func list(_ meta: StringMap = [:]) -> [String] {
            guard case .services(let found) = h.find(.catalog(.services), meta: meta).0 else { return [] }
            return found.map { "\($0.name) \($0.tags.joined(separator: ","))" }
        }
        #expect(list() == ["Web ", "db ", "web a,b,c"])
        #expect(list(["k": "v"]) == ["db ", "web a,b"])
        #expect(list(["k": "x"]) == [])
        h.register("n9")
        #expect(h.index(.catalog(.services)) == 5 && h.index(.catalog(.services), meta: ["k": "v"]) == 6)
    }

    @Test func `the list of services stays the same until a name or a tag comes or goes`() {
        var h = Harness()
        func list() -> ServiceList {
            guard case .services(let found) = h.find(.catalog(.services)).0 else { return ServiceList() }
            return found
        }
        func lines() -> [String] { list().map { "\($0.name) \($0.tags.joined(separator: ","))" } }
        h.service("web", id: "1", on: "n1") { $0.tags = ["a", "b"] }
        let before = list()
        h.service("web", id: "2", on: "n1") { $0.tags = ["b"] }
        h.service("web", id: "1", on: "n1") {
            $0.tags = ["b", "a", "a"]
            $0.port = 1
        }
        h.check("c", on: "n1", service: "1")
        h.deregister("n1", service: "2")
        #expect(list().isSame(as: before) && h.index(.catalog(.services)) == 5)
        h.service("web", id: "1", on: "n1") { $0.tags = ["b", ""] }
        #expect(!list().isSame(as: before) && lines() == ["web ,b"])
        h.service("we", id: "1", on: "n1") { $0.tags = ["b"] }
        #expect(lines() == ["we b"])
        h.deregister("n1")
        #expect(list().isEmpty && h.store.serviceTags.isEmpty)
    }

    @Test func `a service and its tags are told from one whose name is longer, whatever bytes are in the names`() {
        var list = ServiceList()
        let names = ["a", "a\0", "a\0b", "a\u{1}", "a\u{1}\u{2}", "ab", "b"]
        for name in names.reversed() { list.insert(name, ["b", "", "\0"]) }
        #expect(list.map(\.name) == names && list.allSatisfy { $0.tags == ["", "\0", "b"] })
    }

    @Test func `a list that another server told keeps its order of tags, also when parts of it are hidden`() {
        let told = ServiceList(told: [("web", ["b", "a"]), ("db", []), ("api", ["c"])])
        func lines(_ list: ServiceList) -> [String] { list.map { "\($0.name) \($0.tags.joined(separator: ","))" } }
        #expect(lines(told) == ["api c", "db ", "web b,a"] && !told.isEmpty && !told.isSame(as: told))
        #expect(lines(told.filter { $0 != "db" }) == ["api c", "web b,a"] && told.filter { $0 == "other" }.isEmpty)
    }

    @Test func `node metadata selects exactly`() {
        var h = Harness()
        h.register("n1") { $0.nodeMeta = ["k": "v", "x": "y"] }
        h.register("n2") { $0.nodeMeta = ["k": "V"] }
        h.service("web", on: "n1")
        h.service("web", on: "n2")
        h.check("c", on: "n1", service: "web")
        h.check("c", on: "n2", service: "web")
        guard case .nodes(let nodes) = h.find(.catalog(.nodes), meta: ["k": "v", "x": "y"]).0 else { return }
        #expect(nodes.map(\.value.node) == ["n1"])
        #expect(h.instances("web", meta: ["k": "V"]) == ["n2/web"])
        #expect(h.checks(.health(.serviceChecks(service: "web")), meta: ["k": "v"]) == ["n1/c"])
        #expect(h.checks(.health(.checksInState(state: "any")), meta: ["x": "y"]) == ["n1/c"])
        h.check("n", on: "n3")
        #expect(
            h.index(.health(.serviceChecks(service: "web"))) == 7 && h.index(.health(.serviceChecks(service: "web")), meta: ["k": "v"]) == 6
        )
        guard
            case .healthNodes(let found) = h.find(
                .health(.serviceNodes(service: "web", tags: [], connect: false, ingress: false)), meta: ["k": "v"]
            ).0
        else { return }
        #expect(found.map(\.node.value.node) == ["n1"])
    }

    @Test func `a node is found by name or by the beginning of its ID`() {
        var h = Harness()
        h.register("n1") { $0.id = "0b2c0000-0000-0000-0000-000000000001" }
        h.register("n2") { $0.id = "0bcc0000-0000-0000-0000-000000000002" }
        h.service("web", on: "n1")
        func find(_ name: String) -> String? {
            guard case .nodeServices(let found) = h.find(.catalog(.nodeServices(node: name))).0 else { return nil }
            return found?.node.value.node
        }
        #expect(find("N1") == "n1" && find("0b2c") == "n1" && find("0B2C0") == "n1")
        #expect(find("0b2c0000-0000-0000-0000-000000000001") == "n1")
        #expect(find("0b") == nil && find("0") == nil && find("xx") == nil && find("0bc") == nil && find("0bcc") == "n2")
        #expect(h.index(.catalog(.nodeServices(node: "nope"))) == 1 && h.index(.catalog(.nodeServices(node: "n2"))) == 3)
        guard case .nodeServices(let found?) = h.find(.catalog(.nodeServiceList(node: "n1"))).0 else { return }
        #expect(found.services.map(\.value.service.id) == ["web"])
    }

    @Test func `checks by state are case-sensitive`() {
        var h = Harness()
        h.check("a", on: "n1", "passing")
        h.check("b", on: "n1", "critical")
        h.check("c", on: "n1", "Passing")
        #expect(h.checks(.health(.checksInState(state: "passing"))) == ["n1/a"])
        #expect(h.checks(.health(.checksInState(state: "any"))) == ["n1/a", "n1/b", "n1/c"])
        #expect(h.checks(.health(.checksInState(state: "odd"))) == [] && h.index(.health(.checksInState(state: "odd"))) == 3)
        h.check("a", on: "n1", "critical")
        #expect(h.checks(.health(.checksInState(state: "critical"))) == ["n1/a", "n1/b"])
        #expect(h.checks(.health(.checksInState(state: "passing"))) == [])
    }

    @Test func `a dump has one node or all, with their services and checks`() {
        var h = Harness()
        h.service("web", on: "n2")
        h.check("c", on: "n2", service: "web")
        h.register("n1")
        guard case .nodeDump(let all) = h.find(.internal(.nodeDump(node: nil))).0,
            case .nodeDump(let one) = h.find(.internal(.nodeDump(node: "N2"))).0
        else {
            return
        }
        #expect(all.map(\.node.value.node) == ["n1", "n2"] && one.map(\.node.value.node) == ["n2"])
        #expect(one[0].services.count == 1 && one[0].checks.count == 1)
        #expect(h.index(.internal(.nodeDump(node: nil))) == 3)
    }

    @Test func `instances by address report no index`() {
        var h = Harness()
        h.service("web", on: "n1") { $0.address = "10.2.0.3" }
        h.service("db", on: "n1") { $0.taggedAddresses = ["wan": ServiceAddress(address: "1.2.3.4", port: 1)] }
        guard case .serviceNodes(let one) = h.find(.catalog(.serviceByAddress("10.2.0.3"))).0,
            case .serviceNodes(let other) = h.find(.catalog(.serviceByAddress("1.2.3.4"))).0
        else { return }
        #expect(one.map(\.service.value.service.id) == ["web"] && other.map(\.service.value.service.id) == ["db"])
        #expect(h.index(.catalog(.serviceByAddress("10.2.0.3"))) == 1)
    }

    @Test func `gateways have no services yet`() {
        let h = Harness()
        guard case .gatewayServices(let found) = h.find(.catalog(.gatewayServices(gateway: "g"))).0 else { return }
        #expect(found.isEmpty && h.index(.catalog(.gatewayServices(gateway: "g"))) == 1)
    }

    @Test func `names in other scripts lose their case too`() {
        var h = Harness()
        h.register("ÄÖ-Σ")
        #expect(h.store.node("äö-σ") != nil)
        #expect(TableKey.lowerCased("İI") == "ii")
    }
}
