import Testing

@testable import Core

/// A catalog to ask, and the text of its answers.
struct DNSTestCatalog {
    var store = Store()
    var index: UInt64 = 0
    var config = DNSConfig()
    var random = Random(seed: 1)

    mutating func node(_ name: String, _ address: String, meta: StringMap? = nil, tagged: StringMap? = nil) {
        var request = RegisterRequest()
        request.node = name
        request.address = address
        request.nodeMeta = meta
        request.taggedAddresses = tagged
        apply(request)
    }

    mutating func service(
        _ name: String, on node: String, port: Int, address: String = "", tags: [String] = [], id: String? = nil, weights: Weights? = nil,
        tagged: SortedMap<String, ServiceAddress>? = nil, status: String = "", connectFor: String? = nil
    ) {
        var request = RegisterRequest()
        request.node = node
        request.skipNodeUpdate = true
        var service = NodeService()
        service.service = name
        service.id = id ?? name
        service.port = port
        service.address = address
        service.tags = tags
        service.weights = weights
        service.taggedAddresses = tagged
        if let connectFor {
            service.kind = "connect-proxy"
            service.proxy.destinationServiceName = connectFor
        }
        request.service = service
        if !status.isEmpty {
            var check = HealthCheck()
            check.node = node
            check.checkID = "check-\(service.id)"
            check.serviceID = service.id
            check.status = status
            request.checks = [check]
        }
        apply(request)
    }

    mutating func apply(_ request: RegisterRequest) {
        index += 1
        var changes = ChangeSet()
        let result = store.apply(.register(request), index: index, changes: &changes)
        #expect(result == .none, "\(result)")
    }

    mutating func raw(_ packet: [UInt8], tcp: Bool = false, readable: Bool = true) -> [UInt8]? {
        let state = PublishedState(
            store: store, isLeader: true, leaseExpiry: .distantFuture, isSoleVoter: true, knowsLeader: true, lastLeaderContact: nil)
        var source = StoredCatalog(state, authorizer: .allowAll, onlyPassing: config.onlyPassing, readable: readable)
        return DNSResponder(config: config, datacenter: "dc1")
            .answer(packet, tcp: tcp, from: &source, unixSeconds: 1_795_237_407, random: &random)
    }

    mutating func ask(_ name: String, _ type: UInt16, tcp: Bool = false, options: DNSOptions? = nil, readable: Bool = true) -> DNSMessage {
        var query = DNSMessage(id: 7, flags: DNSFlag.recursionDesired, question: DNSQuestion(name: DNSName(name) ?? .root, type: type))
        query.options = options
        let reply = raw(query.encoded(), tcp: tcp, readable: readable) ?? []
        return (try? DNSMessage(decoding: reply)) ?? DNSMessage(id: 0, question: nil)
    }

    /// Sorted, for comparison.
    mutating func answers(_ name: String, _ type: UInt16, tcp: Bool = false) -> [String] {
        lines(ask(name, type, tcp: tcp).answers).sorted()
    }
}

private func lines(_ records: [DNSRecord]) -> [String] {
    records.map { record in
        let data =
            switch record.data {
            case .a(let value): "A \(DNSAddress.v4(value).text)"
            case .aaaa(let high, let low): "AAAA \(DNSAddress.v6(high: high, low: low).text)"
            case .ns(let name): "NS \(name.text)"
            case .cname(let name): "CNAME \(name.text)"
            case .ptr(let name): "PTR \(name.text)"
            case .soa(let soa):
                "SOA \(soa.primary.text) \(soa.mailbox.text) \(soa.serial) \(soa.refresh) \(soa.retry) \(soa.expire) \(soa.minimum)"
            case .srv(let priority, let weight, let port, let target): "SRV \(priority) \(weight) \(port) \(target.text)"
            case .txt(let text): "TXT \(String(decoding: text, as: UTF8.self))"
            case .other(let type, _): "TYPE\(type)"
            }
        return "\(record.owner.text) \(record.ttl) \(data)"
    }
}

private let authority = ["consul. 0 SOA ns.consul. hostmaster.consul. 1795237407 3600 600 86400 0"]

@Suite struct DNSResponderTests {
    /// Flags of an ordinary answer to a question with RD.
    private let usual: UInt16 = 0x8500

    private func sample() -> DNSTestCatalog {
        var catalog = DNSTestCatalog()
        catalog.node("n1", "10.2.0.1", meta: ["k": "v"])
        catalog.node("n2", "10.2.0.2")
        catalog.node("Up.P", "10.2.0.9")
        catalog.node("six", "fd00::6")
        catalog.service("web", on: "n1", port: 8080, tags: ["Primary", "v1"])
        catalog.service(
            "web", on: "n2", port: 8081, address: "10.3.0.2", tags: ["a.b"], weights: Weights(passing: 7, warning: 3), status: "warning")
        catalog.service("Under_Score", on: "Up.P", port: 7, tags: ["MiXed"])
        catalog.service("v6", on: "six", port: 9)
        catalog.service("pair", on: "n1", port: 1, id: "p1")
        catalog.service("pair", on: "n1", port: 2, id: "p2")
        catalog.service("consul", on: "n1", port: 8300)
        return catalog
    }

    @Test func `services are found by name, tag and the forms of RFC 2782`() {
        var catalog = sample()
        #expect(
            catalog.answers("web.service.consul", DNSType.a) == ["web.service.consul. 0 A 10.2.0.1", "web.service.consul. 0 A 10.3.0.2"])
        #expect(catalog.answers("PRIMARY.Web.Service.Consul", DNSType.a) == ["PRIMARY.Web.Service.Consul. 0 A 10.2.0.1"])
        #expect(catalog.answers("a.b.web.service.dc1.consul", DNSType.any) == ["a.b.web.service.dc1.consul. 0 A 10.3.0.2"])
        #expect(catalog.answers("_web._tcp.service.consul", DNSType.srv).count == 2)
        #expect(catalog.answers("_web._tcp.consul", DNSType.srv).count == 2)
        #expect(catalog.answers("_web._v1.dc1.consul", DNSType.srv) == ["_web._v1.dc1.consul. 0 SRV 1 1 8080 n1.node.dc1.consul."])
        #expect(
            catalog.answers("mixed.under_score.service.consul", DNSType.srv) == [
                "mixed.under_score.service.consul. 0 SRV 1 1 7 Up.P.node.dc1.consul."
            ])
        for missing in [
            "nope.web.service.consul", "web.service.dc9.consul", "web.service.dc1.x.consul", "service.consul", "web.consul", "consul",
            "_web._tcp.consul", "_web.service.consul", "q.query.consul", "web.ingress.consul", "none.connect.consul", "a.node.dc9.consul",
        ] {
            let reply = catalog.ask(missing, DNSType.a)
            #expect(reply.flags == usual | DNSCode.nameError, "\(missing)")
            #expect(reply.answers.isEmpty && lines(reply.authority) == authority, "\(missing)")
        }
    }

    @Test func `service records carry weight, port, target and its address`() {
        var catalog = sample()
        let reply = catalog.ask("web.service.consul", DNSType.srv)
        #expect(
            lines(reply.answers).sorted() == [
                "web.service.consul. 0 SRV 1 1 8080 n1.node.dc1.consul.", "web.service.consul. 0 SRV 1 3 8081 0a030002.addr.dc1.consul.",
            ])
        #expect(
            lines(reply.additional).sorted() == [
                "0a030002.addr.dc1.consul. 0 A 10.3.0.2", "n1.node.dc1.consul. 0 A 10.2.0.1", "n1.node.dc1.consul. 0 TXT k=v",
            ])
        #expect(reply.authority.isEmpty && reply.flags == usual)
        #expect(lines(catalog.ask("v6.service.consul", DNSType.srv).additional) == ["six.node.dc1.consul. 0 AAAA fd00::6"])
        #expect(catalog.answers("pair.service.consul", DNSType.srv).count == 2)
        #expect(catalog.answers("pair.service.consul", DNSType.a) == ["pair.service.consul. 0 A 10.2.0.1"])
    }

    @Test func `a service without a record of the type answers nothing and the authority`() {
        var catalog = sample()
        for (name, type) in [
            ("web.service.consul", DNSType.aaaa), ("v6.service.consul", DNSType.a), ("web.service.consul", 15),
            ("web.service.consul", DNSType.cname),
        ] {
            let reply = catalog.ask(name, type)
            #expect(reply.flags == usual && reply.answers.isEmpty && lines(reply.authority) == authority)
        }
        #expect(catalog.answers("web.service.consul", DNSType.txt).count == 2)
    }

    @Test func `critical instances are left out, warning ones only if the configuration says so`() {
        var catalog = sample()
        catalog.service("web", on: "n1", port: 8080, status: "critical")
        #expect(catalog.answers("web.service.consul", DNSType.a) == ["web.service.consul. 0 A 10.3.0.2"])
        catalog.config.onlyPassing = true
        #expect(catalog.ask("web.service.consul", DNSType.a).code == DNSCode.nameError)
    }

    @Test func `nodes answer with address and metadata, whatever their health`() {
        var catalog = sample()
        var reply = catalog.ask("N1.node.consul", DNSType.a)
        #expect(lines(reply.answers) == ["N1.node.consul. 0 A 10.2.0.1"] && lines(reply.additional) == ["N1.node.consul. 0 TXT k=v"])
        #expect(
            catalog.answers("n1.node.dc1.consul", DNSType.any) == ["n1.node.dc1.consul. 0 A 10.2.0.1", "n1.node.dc1.consul. 0 TXT k=v"])
        #expect(catalog.answers("n1.node.consul", DNSType.txt) == ["n1.node.consul. 0 TXT k=v"])
        #expect(catalog.answers("up.p.node.consul", DNSType.a) == ["up.p.node.consul. 0 A 10.2.0.9"])
        reply = catalog.ask("n1.node.consul", DNSType.aaaa)
        #expect(reply.flags == usual && reply.answers.isEmpty && reply.authority.isEmpty && reply.additional.count == 1)
        reply = catalog.ask("nope.node.consul", 15)
        #expect(reply.flags == usual && reply.authority.isEmpty)
        #expect(lines(catalog.ask("nope.node.consul", DNSType.a).authority) == authority)
        catalog.config.nodeMetaTXT = false
        catalog.config.nodeTTL = .milliseconds(30_900)
        reply = catalog.ask("n1.node.consul", DNSType.a)
        #expect(lines(reply.answers) == ["n1.node.consul. 30 A 10.2.0.1"] && reply.additional.isEmpty)
    }

    @Test func `metadata is written as RFC 1464 has it and read like a master file`() {
        var catalog = DNSTestCatalog()
        catalog.node("esc", "10.0.0.1", meta: ["a=b": "c", "d": "e`f", "RFC1035-x": "plain \"quoted\" back\\slash\\065", " s ": "t"])
        #expect(
            catalog.answers("esc.node.consul", DNSType.txt) == [
                "esc.node.consul. 0 TXT ` s` =t", "esc.node.consul. 0 TXT a`=b=c", "esc.node.consul. 0 TXT d=e``f",
                "esc.node.consul. 0 TXT plain \"quoted\" backslashA",
            ])
        catalog.node("long", "10.0.0.2", meta: ["k": String(repeating: "v", count: 300)])
        #expect(catalog.answers("long.node.consul", DNSType.txt) == ["long.node.consul. 0 TXT k=" + String(repeating: "v", count: 300)])
    }

    @Test func `tagged addresses of the local network are preferred`() {
        var catalog = DNSTestCatalog()
        catalog.node("dual", "10.8.0.3", tagged: ["lan_ipv4": "10.8.0.3", "lan_ipv6": "fd00::33"])
        catalog.service(
            "dualsvc", on: "dual", port: 77, address: "10.8.1.3", tagged: ["lan_ipv6": ServiceAddress(address: "fd00::133", port: 78)])
        catalog.service("plain", on: "dual", port: 1)
        #expect(catalog.answers("dual.node.consul", DNSType.a) == ["dual.node.consul. 0 A 10.8.0.3"])
        #expect(catalog.answers("dual.node.consul", DNSType.aaaa) == ["dual.node.consul. 0 AAAA fd00::33"])
        #expect(catalog.answers("dual.node.consul", DNSType.any) == ["dual.node.consul. 0 AAAA fd00::33"])
        #expect(
            catalog.answers("dualsvc.service.consul", DNSType.srv)
                == ["dualsvc.service.consul. 0 SRV 1 1 77 fd000000000000000000000000000133.addr.dc1.consul."])
        // Not the node's plain address: the name of the address stands for it.
        #expect(
            catalog.answers("plain.service.consul", DNSType.srv)
                == ["plain.service.consul. 0 SRV 1 1 1 fd000000000000000000000000000033.addr.dc1.consul."])
    }

    @Test func `addresses in names are given back for every type`() {
        var catalog = DNSTestCatalog()
        #expect(catalog.answers("0A050001.ADDR.dc9.x.consul", DNSType.aaaa) == ["0a050001.addr.dc9.x.consul. 0 A 10.5.0.1"])
        #expect(catalog.answers("fd000000000000000000000000000005.addr.consul", DNSType.a).first?.hasSuffix(" AAAA fd00::5") == true)
        for name in ["zz050001.addr.consul", "0a0500011.addr.consul", "x.0a050001.addr.consul", "addr.consul"] {
            #expect(catalog.ask(name, DNSType.a).code == DNSCode.nameError)
        }
        let odd = catalog.ask("0a05.addr.consul", DNSType.a)
        #expect(odd.flags == usual && odd.answers.isEmpty && odd.authority.isEmpty)
    }

    @Test func `reverse questions find nodes, then services`() {
        var catalog = sample()
        catalog.service("svc6", on: "n1", port: 1, address: "fd00::62")
        #expect(catalog.answers("9.0.2.10.IN-ADDR.arpa", DNSType.ptr) == ["9.0.2.10.IN-ADDR.arpa. 0 PTR Up.P.node.dc1.consul."])
        #expect(catalog.answers("2.0.3.10.in-addr.arpa", DNSType.a) == ["2.0.3.10.in-addr.arpa. 0 PTR web.service.dc1.consul."])
        let zeros = String(repeating: "0.", count: 26)
        #expect(catalog.answers("6.0.0." + zeros + "0.d.f.ip6.arpa", DNSType.ptr).first?.hasSuffix("PTR six.node.dc1.consul.") == true)
        #expect(catalog.answers("2.6.0." + zeros + "0.d.f.ip6.arpa", DNSType.ptr).first?.hasSuffix("PTR svc6.service.dc1.consul.") == true)
        #expect(lines(catalog.ask("9.0.2.10.in-addr.arpa", DNSType.soa).authority) == authority)
        for name in ["9.9.9.9.in-addr.arpa", "arpa", "foo.arpa"] {
            let reply = catalog.ask(name, DNSType.ptr)
            #expect(reply.flags == 0x8182 && reply.answers.isEmpty && reply.authority.isEmpty)
        }
    }

    @Test func `the zone answers for itself with up to three servers`() {
        var catalog = sample()
        let reply = catalog.ask("foo.bar.consul", DNSType.soa)
        #expect(lines(reply.answers) == authority)
        #expect(
            lines(reply.authority) == ["consul. 0 NS n1.node.dc1.consul."]
                && lines(reply.additional) == ["n1.node.dc1.consul. 0 A 10.2.0.1"])
        for number in 0..<5 {
            catalog.node("S\(number)", "10.9.0.\(number)")
            catalog.service("consul", on: "S\(number)", port: 8300)
        }
        catalog.node("not_valid", "10.9.1.1")
        catalog.service("consul", on: "not_valid", port: 8300)
        for _ in 0..<20 {
            let reply = catalog.ask("consul", DNSType.ns)
            #expect(reply.answers.count == 3 && reply.additional.count == 3)
            #expect(
                lines(reply.answers).allSatisfy { !$0.contains("not_valid") && !$0.contains(" S") })
        }
        #expect(catalog.ask("consul", DNSType.axfr).flags == usual | DNSCode.notImplemented)
    }

    @Test func `other names are nobody's, without recursors`() {
        var catalog = sample()
        let options = DNSOptions(payloadSize: 1232)
        var reply = catalog.ask("www.example.com", DNSType.a, options: options)
        #expect(reply.flags == 0x8102 && reply.options == nil && reply.question?.name.text == "www.example.com.")
        #expect(catalog.ask("xconsul", DNSType.a).flags == 0x8102)
        catalog.config.recursors = ["10.0.0.1"]
        reply = catalog.ask("www.example.com", DNSType.a, options: options)
        #expect(reply.flags == 0x8185 && reply.options == options)
        #expect(catalog.ask("web.service.consul", DNSType.a).flags == 0x8580)
    }

    @Test func `the alternative domain is asked about, never named in answers`() {
        var catalog = sample()
        catalog.config.altDomain = "Alt.Test"
        let reply = catalog.ask("web.service.alt.test", DNSType.srv)
        #expect(lines(reply.answers).contains("web.service.alt.test. 0 SRV 1 1 8080 n1.node.dc1.consul."))
        #expect(catalog.answers("0a0d0102.addr.alt.test", DNSType.a) == ["0a0d0102.addr.consul. 0 A 10.13.1.2"])
        #expect(lines(catalog.ask("none.alt.test", DNSType.a).authority) == authority)
        catalog.config.domain = "alt.test.consul"
        catalog.config.altDomain = "consul."
        #expect(catalog.answers("web.service.alt.test.consul", DNSType.a).count == 2)
        #expect(catalog.answers("web.service.consul", DNSType.a).count == 2)
    }

    @Test func `host names become aliases, followed within our own zones`() {
        var catalog = DNSTestCatalog()
        catalog.node("e1", "www.example.net")
        catalog.node("e3", "10.15.0.3")
        catalog.node("e4", "db.example.net")
        catalog.node("lo1", "lo2.node.consul")
        catalog.node("lo2", "lo1.node.consul")
        catalog.service("ext", on: "e1", port: 443)
        catalog.service("mix", on: "e3", port: 80)
        catalog.service("mix", on: "e4", port: 81)
        catalog.service("selfsvc", on: "e3", port: 80, address: "selfsvc.service.consul")
        catalog.service("chain", on: "e3", port: 80, address: "mix.service.consul")
        #expect(catalog.answers("ext.service.consul", DNSType.aaaa) == ["ext.service.consul. 0 CNAME www.example.net."])
        #expect(catalog.answers("ext.service.consul", DNSType.srv) == ["ext.service.consul. 0 SRV 1 1 443 www.example.net."])
        #expect(catalog.answers("mix.service.consul", DNSType.a) == ["mix.service.consul. 0 A 10.15.0.3"])
        #expect(catalog.answers("mix.service.consul", DNSType.srv).count == 2)
        #expect(catalog.answers("selfsvc.service.consul", DNSType.a) == ["selfsvc.service.consul. 0 A 10.15.0.3"])
        #expect(
            lines(catalog.ask("chain.service.consul", DNSType.a).answers)
                == ["chain.service.consul. 0 CNAME mix.service.consul.", "mix.service.consul. 0 A 10.15.0.3"])
        #expect(lines(catalog.ask("chain.service.consul", DNSType.srv).additional) == ["mix.service.consul. 0 A 10.15.0.3"])
        #expect(
            lines(catalog.ask("lo1.node.consul", DNSType.a).answers) == [
                "lo1.node.consul. 0 CNAME lo2.node.consul.", "lo2.node.consul. 0 CNAME lo1.node.consul.",
                "lo1.node.consul. 0 CNAME lo2.node.consul.", "lo2.node.consul. 0 CNAME lo1.node.consul.",
            ])
    }

    @Test func `connect names lead to proxies`() {
        var catalog = sample()
        catalog.service("web-proxy", on: "n2", port: 21_000, connectFor: "web")
        #expect(catalog.answers("any.web.connect.consul", DNSType.srv) == ["any.web.connect.consul. 0 SRV 1 1 21000 n2.node.dc1.consul."])
    }

    @Test func `times to live follow the longest prefix`() {
        var catalog = sample()
        catalog.config.serviceTTL = ["*": .seconds(1), "w*": .seconds(2), "we*": .milliseconds(3_900), "pair": .seconds(4)]
        #expect(catalog.answers("web.service.consul", DNSType.a).first?.hasPrefix("web.service.consul. 3 A") == true)
        #expect(catalog.answers("pair.service.consul", DNSType.a) == ["pair.service.consul. 4 A 10.2.0.1"])
        #expect(lines(catalog.ask("v6.service.consul", DNSType.srv).additional) == ["six.node.dc1.consul. 1 AAAA fd00::6"])
    }

    @Test func `without a leader that must be asked look-ups fail`() {
        var catalog = sample()
        for name in ["web.service.consul", "n1.node.consul"] {
            let reply = catalog.ask(name, DNSType.a, readable: false)
            #expect(reply.flags == usual | DNSCode.serverFailure && reply.authority.isEmpty)
        }
    }

    // MARK: Sizes

    /// Forty instances, as in dns §12.5.
    private func crowd() -> DNSTestCatalog {
        var catalog = DNSTestCatalog()
        for number in 1...40 {
            catalog.node("big\(number)", "10.7.0.\(number)")
            catalog.service("bign", on: "big\(number)", port: number)
        }
        return catalog
    }

    private func size(_ message: DNSMessage) -> Int { message.encoded().count }

    @Test func `answers are cut to what the client takes`() {
        var catalog = crowd()
        func ask(_ type: UInt16, _ payload: UInt16? = nil, tcp: Bool = false) -> DNSMessage {
            catalog.ask(
                "bign.service.consul", type, tcp: tcp, options: payload.map { DNSOptions(payloadSize: $0) })
        }
        #expect(ask(DNSType.a).answers.count == 3)
        #expect(ask(DNSType.a, 400).answers.count == 3 && ask(DNSType.a, 512).answers.count == 3)
        #expect(ask(DNSType.srv).answers.count == 3 && ask(DNSType.srv).additional.count == 3)
        #expect(ask(DNSType.a, 600).answers.count == 34)
        #expect(ask(DNSType.srv, 600).answers.count == 9 && ask(DNSType.srv, 600).additional.count == 9)
        #expect(ask(DNSType.a, 1232).answers.count == 40)
        #expect(ask(DNSType.srv, 1232).answers.count == 20)
        #expect(ask(DNSType.srv, 1232).options == DNSOptions(payloadSize: 1232))
        #expect(ask(DNSType.a, tcp: true).answers.count == 40)
        let tcp = ask(DNSType.srv, tcp: true)
        #expect(tcp.answers.count == 40 && tcp.additional.count == 40 && tcp.flags == usual)
        catalog.config.enableTruncate = true
        catalog.config.udpAnswerLimit = 12
        catalog.config.disableCompression = true
        catalog.config.aRecordLimit = 2
        #expect(ask(DNSType.a).answers.count == 2 && ask(DNSType.a).flags == usual)
        #expect(ask(DNSType.srv).answers.count == 4 && ask(DNSType.srv).additional.count == 4)
        #expect(ask(DNSType.srv).flags == usual | DNSFlag.truncated)
        #expect(ask(DNSType.srv, 600).answers.count == 5 && ask(DNSType.srv, 1232).answers.count == 12)
        #expect(ask(DNSType.srv, 4096).answers.count == 40 && ask(DNSType.srv, 4096).flags == usual)
    }

    @Test func `no answers at all for plain clients if the configuration says so`() {
        var catalog = crowd()
        catalog.config.udpAnswerLimit = 0
        var reply = catalog.ask("bign.service.consul", DNSType.a)
        #expect(reply.answers.isEmpty && lines(reply.authority) == authority)
        catalog.config.enableTruncate = true
        reply = catalog.ask("bign.service.consul", DNSType.a)
        #expect(reply.answers.isEmpty && reply.authority.isEmpty && reply.flags == usual | DNSFlag.truncated)
    }

    @Test func `everyone gets a turn`() {
        var catalog = crowd()
        var counts = [UInt32: Int]()
        for _ in 0..<4_000 {
            for record in catalog.ask("bign.service.consul", DNSType.a).answers {
                if case .a(let address) = record.data { counts[address, default: 0] += 1 }
            }
        }
        #expect(counts.count == 40 && counts.values.allSatisfy { (200...400).contains($0) })
    }

    // MARK: Packets

    @Test func `EDNS is given back with the client's size, without what is unknown`() {
        var catalog = sample()
        let subnet = DNSOptions.ClientSubnet(family: 1, sourcePrefix: 24, scopePrefix: 7, address: [1, 2, 3])
        let reply = catalog.ask("web.service.consul", DNSType.a, options: DNSOptions(payloadSize: 100, clientSubnet: subnet))
        var expected = subnet
        expected.scopePrefix = 0
        #expect(reply.options == DNSOptions(payloadSize: 100, clientSubnet: expected))
    }

    @Test func `packets that are no questions are dropped or refused`() {
        var catalog = sample()
        func raw(_ text: String) -> String? {
            let digits = text.utf8.compactMap { hexValue($0) }
            let packet = stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
            return catalog.raw(packet)?.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        }
        let question = "03776562 0773657276696365 06636f6e73756c 00 0001 0001"
        #expect(raw("1234 0100 0001 0000 0000 00") == nil)
        #expect(raw("1234 8100 0001 0000 0000 0000" + question) == nil)
        #expect(raw("1234 0100 0002 0000 0000 0000" + question + question) == "123481010000000000000000")
        #expect(raw("1234 0100 0001 0000 0000 0000 03") == "123481010000000000000000")
        #expect(raw("1234 2900 0001 0000 0000 0000" + question) == "1234a9040000000000000000")
        #expect(raw("1234 0130 0001 0000 0000 0000" + question)?.hasPrefix("123485100001") == true)
        // NOTIFY is answered like a query, without RD.
        #expect(raw("1234 2100 0001 0000 0000 0000" + question)?.hasPrefix("1234a4000001") == true)
        #expect(raw("1234 0100 0001 0000 0000 0000") == "123481020000000000000000")
    }

    @Test func `damaged questions never trap`() {
        var catalog = sample()
        var random = Random(seed: 12)
        var seeds: [[UInt8]] = []
        for name in ["web.service.consul", "n1.node.consul", "0a050001.addr.consul", "1.0.2.10.in-addr.arpa", "_web._tcp.consul"] {
            for type in [DNSType.a, DNSType.srv, DNSType.any, DNSType.soa] {
                var query = DNSMessage(id: 9, flags: 0x0100, question: DNSQuestion(name: DNSName(name) ?? .root, type: type))
                let subnet = DNSOptions.ClientSubnet(family: 1, sourcePrefix: 24, scopePrefix: 0, address: [1, 2, 3])
                query.options = DNSOptions(payloadSize: 1232, clientSubnet: subnet)
                seeds.append(query.encoded())
            }
        }
        for round in 0..<20_000 {
            var packet = seeds[round % seeds.count]
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let at = Int.random(in: 0..<packet.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: packet[at] = UInt8.random(in: 0...255, using: &random)
                case 1: packet.remove(at: at)
                default: packet.insert(UInt8.random(in: 0...255, using: &random), at: at)
                }
            }
            if round % 50 == 0 {
                packet = (0..<Int.random(in: 0...64, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            }
            if let reply = catalog.raw(packet, tcp: round % 3 == 0) {
                #expect(throws: Never.self) { try DNSMessage(decoding: reply) }
            }
        }
    }
}
