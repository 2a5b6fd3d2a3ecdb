import Testing

@testable import Core

/// Answers made from fetched rows equal those that a server gives itself.
@Suite struct FetchedCatalogTests {
    private func sample() -> DNSTestCatalog {
        var catalog = DNSTestCatalog()
        catalog.config.nodeTTL = .seconds(30)
        catalog.config.serviceTTL = ["web": .seconds(10)]
        catalog.node("n1", "10.2.0.1", meta: ["k": "v", "a=b": "c"], tagged: ["lan_ipv4": "10.2.0.1", "lan_ipv6": "fd00::21"])
        catalog.node("n2", "10.2.0.2")
        catalog.node("six", "fd00::6")
        catalog.node("alias", "n1.node.consul")
        catalog.node("twice", "alias.node.consul")
        catalog.node("outside", "www.example.com")
        catalog.service("web", on: "n1", port: 8080, tags: ["Primary", "v1"])
        catalog.service(
            "web", on: "n2", port: 8081, address: "10.3.0.2", tags: ["a.b"], weights: Weights(passing: 7, warning: 3), status: "warning")
        catalog.service("web", on: "six", port: 8082, status: "critical")
        catalog.service("web-proxy", on: "n2", port: 21000, connectFor: "web")
        catalog.service("named", on: "n1", port: 9, address: "web.service.consul")
        catalog.service("chain", on: "alias", port: 7)
        catalog.service("far", on: "twice", port: 7)
        catalog.service("away", on: "outside", port: 7)
        catalog.service("pair", on: "n1", port: 1, id: "p1")
        catalog.service("pair", on: "n1", port: 2, id: "p2")
        catalog.service("consul", on: "n1", port: 8300)
        catalog.service("consul", on: "n2", port: 8300)
        for number in 0..<40 {
            catalog.node("m\(number)", "10.7.0.\(number)", meta: ["number": "\(number)"])
            catalog.service("crowd", on: "m\(number)", port: 80 + number)
        }
        return catalog
    }

    private let names = [
        "web.service.consul", "WEB.service.dc1.consul", "primary.web.service.consul", "_web._tcp.service.consul", "_web._v1.consul",
        "web.connect.consul", "web.ingress.consul", "named.service.consul", "chain.service.consul", "far.service.consul",
        "away.service.consul", "pair.service.consul", "crowd.service.consul", "none.service.consul", "n1.node.consul", "N2.node.consul",
        "six.node.consul", "alias.node.consul", "twice.node.consul", "outside.node.consul", "nobody.node.consul", "0a020001.addr.consul",
        "zz.addr.consul", "consul", "service.consul", "n1.node.dc9.consul", "q.query.consul", "1.0.2.10.in-addr.arpa",
        "2.0.3.10.in-addr.arpa", "9.9.9.9.in-addr.arpa", "6.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa",
        "www.example.com",
    ]

    /// What a client agent answers, with the reads that it takes, each of which goes over the wire.
    private func fetched(_ packet: [UInt8], _ catalog: DNSTestCatalog, tcp: Bool, _ reads: inout [ReadQuery]) throws -> [UInt8]? {
        let responder = DNSResponder(config: catalog.config, datacenter: "dc1")
        var source = FetchedCatalog(onlyPassing: catalog.config.onlyPassing)
        while true {
            var random = Random(seed: 5)
            let reply = responder.answer(packet, tcp: tcp, from: &source, unixSeconds: 1_795_237_407, random: &random)
            guard let query = source.missing else { return reply }
            reads.append(query)
            let (asked, options) = try #require(
                try ReadQuery.decodeRequest(method: query.rpcMethod, body: query.encodeRequest(QueryOptions())[...]))
            let (result, index) = try catalog.store.evaluate(asked, options: options).get()
            var meta = QueryMeta()
            meta.index = index
            source.add(try query.decodeReply(asked.encodeReply(result, meta)[...]).result)
        }
    }

    private func stored(_ packet: [UInt8], _ catalog: DNSTestCatalog, tcp: Bool) -> [UInt8]? {
        var catalog = catalog
        catalog.random = Random(seed: 5)
        return catalog.raw(packet, tcp: tcp)
    }

    @Test(arguments: [false, true]) func `the same question has the same answer to the byte`(onlyPassing: Bool) throws {
        var catalog = sample()
        catalog.config.onlyPassing = onlyPassing
        var differing: [String] = [], compared = 0, reads: [ReadQuery] = []
        let types = [DNSType.a, DNSType.aaaa, DNSType.any, DNSType.txt, DNSType.srv, DNSType.soa, DNSType.ns, DNSType.ptr, 15]
        for name in names {
            for type in types {
                for (tcp, size) in [(false, UInt16(0)), (false, 4096), (true, 0)] {
                    var query = DNSMessage(
                        id: 7, flags: DNSFlag.recursionDesired, question: DNSQuestion(name: try #require(DNSName(name)), type: type))
                    if size > 0 { query.options = DNSOptions(payloadSize: size) }
                    let packet = query.encoded()
                    compared += 1
                    if try fetched(packet, catalog, tcp: tcp, &reads) != stored(packet, catalog, tcp: tcp) {
                        differing.append("\(name) \(type) tcp=\(tcp) size=\(size)")
                    }
                }
            }
        }
        #expect(differing.isEmpty && compared == names.count * types.count * 3)
        #expect(reads.contains(.catalog(.nodeServices(node: "n1"))) && reads.contains(.catalog(.nodes)))
    }

    private func ask(_ name: String, _ type: UInt16 = DNSType.a, results: [QueryResult?]) throws -> (flags: UInt16, asked: [ReadQuery]) {
        let responder = DNSResponder(config: DNSConfig(), datacenter: "dc1")
        var source = FetchedCatalog(onlyPassing: false), asked: [ReadQuery] = [], left = results[...]
        let question = DNSMessage(id: 1, question: DNSQuestion(name: try #require(DNSName(name)), type: type)).encoded()
        while true {
            var random = Random(seed: 5)
            let reply = responder.answer(question, tcp: false, from: &source, unixSeconds: 0, random: &random)
            guard let query = source.missing else { return (try DNSMessage(decoding: try #require(reply)).flags, asked) }
            asked.append(query)
            let next = left.popFirst()
            source.add(try #require(next))
        }
    }

    @Test func `what no server could tell fails`() throws {
        let (service, asked) = try ask("web.service.consul", results: [nil])
        #expect(service & DNSFlag.codeMask == DNSCode.serverFailure && service & DNSFlag.authoritative != 0)
        #expect(asked == [.health(.serviceNodes(service: "web", tags: [], connect: false, ingress: false))])
        #expect(try ask("a.node.consul", results: [nil]).flags & DNSFlag.codeMask == DNSCode.serverFailure)
        #expect(try ask("a.node.consul", results: [.nodeServices(nil)]).flags & DNSFlag.codeMask == DNSCode.nameError)
        #expect(try ask("consul", DNSType.ns, results: [nil]).flags & DNSFlag.codeMask == 0)
    }

    @Test func `names that need no catalog are answered without one`() throws {
        for name in ["0a020001.addr.consul", "www.example.com", "x.query.consul", "n1.node.dc9.consul"] {
            #expect(try ask(name, results: []).asked.isEmpty, "\(name)")
        }
    }

    @Test func `a question fetches only so much`() throws {
        var rows: [CheckServiceNode] = []
        for number in 0..<200 {
            var node = Node()
            node.node = "n\(number)"
            node.address = "other\(number).service.consul"
            var service = NodeService()
            service.service = "web"
            let instance = ServiceInstance(node: node.node, service: service)
            rows.append(CheckServiceNode(node: Row(node), service: Row(instance), checks: []))
        }
        let results = [QueryResult.healthNodes(rows)] + [QueryResult?](repeating: .healthNodes([]), count: 500)
        let asked = try ask("web.service.consul", DNSType.srv, results: results).asked
        #expect(asked.count > 1 && asked.count <= FetchedCatalog.fetchesMax)
    }
}
