import Testing

@testable import Core

/// Answers that are prepared are those that are looked up, but for the draw.
@Suite struct PreparedAnswerTests {
    private func state(_ catalog: DNSTestCatalog) -> PublishedState {
        PublishedState(
            store: catalog.store, isLeader: true, leaseExpiry: .distantFuture, isSoleVoter: true, knowsLeader: true, lastLeaderContact: nil)
    }

    private func packet(_ name: String, _ type: UInt16, payload: UInt16? = nil, id: UInt16 = 7) -> [UInt8] {
        var query = DNSMessage(id: id, flags: DNSFlag.recursionDesired, question: DNSQuestion(name: DNSName(name) ?? .root, type: type))
        query.options = payload.map { DNSOptions(payloadSize: $0) }
        return query.encoded()
    }

    private func write(_ answer: PreparedAnswer, id: UInt16 = 7, _ random: inout Random) -> [UInt8] {
        var out = [UInt8](repeating: 0xEE, count: answer.size)
        let length = out.withUnsafeMutableBytes { answer.write(id: id, random: &random, into: $0) }
        return Array(out[..<length])
    }

    private static let names = ["web", "lone", "many", "shared", "six", "mixed", "hosts", "twins", "half"]

    /// Services of every kind that matters here.
    private func sample() -> DNSTestCatalog {
        var catalog = DNSTestCatalog()
        for number in 0..<40 {
            catalog.node("n\(number)", "10.0.0.\(number)", meta: number % 3 == 0 ? ["k\(number)": "v", "a": "b"] : nil)
        }
        catalog.node("six", "fd00::6")
        catalog.node("host", "elsewhere.example.com")
        for number in 0..<3 { catalog.service("web", on: "n\(number)", port: 80 + number, tags: number == 1 ? ["v1"] : []) }
        catalog.service("lone", on: "n1", port: 1, weights: Weights(passing: 7, warning: 3), status: "warning")
        for number in 0..<40 { catalog.service("many", on: "n\(number)", port: 5) }
        for number in 0..<9 { catalog.service("shared", on: "n\(number % 2 + 1)", port: number, id: "s\(number)") }
        catalog.service("six", on: "six", port: 6)
        for (number, node) in ["n1", "n2", "six"].enumerated() {
            catalog.service("mixed", on: node, port: 6, address: number == 1 ? "10.9.9.9" : "")
        }
        catalog.service("hosts", on: "host", port: 1)
        catalog.service("hosts", on: "n1", port: 1)
        catalog.service("twins", on: "n1", port: 1, id: "t1")
        catalog.service("twins", on: "n1", port: 2, id: "t2")
        for number in 0..<6 { catalog.service("half", on: "n\(number)", port: 1, status: number < 3 ? "critical" : "passing") }
        return catalog
    }

    private func prepare(_ catalog: DNSTestCatalog, _ packet: [UInt8]) -> PreparedAnswer? {
        let source = StoredCatalog(state(catalog), authorizer: .allowAll, onlyPassing: catalog.config.onlyPassing, readable: true)
        return DNSResponder(config: catalog.config, datacenter: "dc1").prepare(packet, from: source, random: Random(seed: 3))
    }

    private func sorted(_ records: [DNSRecord]) -> [String] { records.map { "\($0)" }.sorted() }

    @Test(arguments: [DNSType.a, DNSType.aaaa, DNSType.srv], [nil, 600, 1232, 4096] as [UInt16?])
    func `what is prepared is what is looked up`(type: UInt16, payload: UInt16?) throws {
        var catalog = sample()
        var full = sample()
        var random = Random(seed: 9)
        for limits in 0..<3 {
            if limits == 1 { catalog.config.aRecordLimit = 2 }
            if limits == 2 { (catalog.config.udpAnswerLimit, catalog.config.nodeMetaTXT) = (5, false) }
            for name in Self.names.map({ "\($0).service.consul" }) + [
                "v1.web.service.consul", "WEB.service.dc1.Consul", "_many._tcp.consul",
            ] {
                let question = packet(name, type, payload: payload)
                guard let answer = prepare(catalog, question) else { continue }
                let all = Set(full.ask(name, type, tcp: true).answers.map { "\($0)" })
                for _ in 0..<5 {
                    let looked = try DNSMessage(decoding: catalog.raw(question) ?? [])
                    let bytes = write(answer, id: 7, &random)
                    let message = try DNSMessage(decoding: bytes)
                    // The same records in the same order come to the same bytes.
                    #expect(message.encoded() == bytes, "\(name)")
                    #expect(message.flags == looked.flags && message.question == looked.question && message.options == looked.options)
                    #expect(message.answers.count == looked.answers.count && message.additional.count == looked.additional.count, "\(name)")
                    #expect(message.answers.allSatisfy { all.contains("\($0)") })
                    #expect(Set(sorted(message.answers)).count == message.answers.count)
                    if all.count == message.answers.count {
                        #expect(
                            sorted(message.answers) == sorted(looked.answers) && sorted(message.additional) == sorted(looked.additional))
                    }
                    for (at, record) in message.answers.enumerated() {
                        guard case .srv(_, _, _, let target) = record.data else { continue }
                        let addresses = message.additional.filter { $0.data.type == DNSType.a || $0.data.type == DNSType.aaaa }
                        #expect(addresses[at].owner == target)
                    }
                }
            }
        }
    }

    @Test func `ordinary services are prepared, and what depends on more than the draw is not`() {
        let catalog = sample()
        func isPrepared(_ name: String, _ type: UInt16, payload: UInt16? = nil) -> Bool {
            prepare(catalog, packet("\(name).service.consul", type, payload: payload)) != nil
        }
        for name in ["web", "lone", "many", "shared", "half", "twins"] { #expect(isPrepared(name, DNSType.a), "\(name)") }
        for name in ["web", "lone", "many", "half"] { #expect(isPrepared(name, DNSType.srv), "\(name)") }
        #expect(isPrepared("six", DNSType.aaaa) && isPrepared("many", DNSType.a, payload: 1232))
        // Targets that are shared, host names, what does not fit, and what is not there.
        #expect(!isPrepared("twins", DNSType.srv) && !isPrepared("shared", DNSType.srv))
        #expect(!isPrepared("hosts", DNSType.a) && !isPrepared("hosts", DNSType.srv))
        #expect(!isPrepared("many", DNSType.srv, payload: 1232) && !isPrepared("none", DNSType.a) && !isPrepared("six", DNSType.a))
        #expect(!isPrepared("web", DNSType.any) && !isPrepared("web", DNSType.soa))
        #expect(prepare(catalog, packet("n1.node.consul", DNSType.a)) == nil && prepare(catalog, packet("a.example.com", DNSType.a)) == nil)
    }

    @Test func `every instance comes as often as every other`() throws {
        let catalog = sample()
        let answer = try #require(prepare(catalog, packet("many.service.consul", DNSType.a)))
        var random = Random(seed: 4)
        var counts: [DNSData: Int] = [:]
        for _ in 0..<8_000 {
            for record in try DNSMessage(decoding: write(answer, &random)).answers { counts[record.data, default: 0] += 1 }
        }
        // 3 of 40 each time: 600 expected.
        #expect(counts.count == 40 && counts.values.allSatisfy { $0 > 480 && $0 < 720 })
    }

    @Test func `a prepared answer ends with the state it was read from`() throws {
        var catalog = sample()
        var frontEnd = FrontEnd(config: AgentConfig(), gzip: AgentCluster.NoGzip(), seed: 1)
        var out = [UInt8](repeating: 0, count: 4_096)
        func ask(_ state: PublishedState, id: UInt16) throws -> (message: DNSMessage, isPrepared: Bool) {
            let question = packet("web.service.consul", DNSType.a, id: id)
            let length = question.withUnsafeBytes { question in
                out.withUnsafeMutableBytes { frontEnd.answer(datagram: question, state: state, now: .zero, into: $0) }
            }
            if let length { return (try DNSMessage(decoding: Array(out[..<length])), true) }
            guard case .reply(let bytes) = frontEnd.answer(question: question, tcp: false, remote: "", state: state, now: .zero) else {
                throw DNSError.malformed
            }
            return (try DNSMessage(decoding: bytes), false)
        }
        for count in 3...5 {
            let state = state(catalog)
            for time in 0..<4 {
                let (message, isPrepared) = try ask(state, id: UInt16(time))
                #expect(message.id == UInt16(time) && isPrepared == (time > 1) && message.answers.count == min(3, count))
            }
            catalog.service("web", on: "n\(count)", port: 1)
        }
        let state = state(catalog)
        for _ in 0..<3 { _ = try ask(state, id: 1) }
        frontEnd.reload(AgentConfig())
        #expect(try ask(state, id: 1).isPrepared == false)
    }
}
