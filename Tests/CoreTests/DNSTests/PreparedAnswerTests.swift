import Testing

@testable import Core

/// Prepared answers equal those that are looked up, except for the draw.
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

    // MARK: How long an answer is good

    private struct Asker {
        var frontEnd = FrontEnd(settings: AgentSettings(), gzip: AgentCluster.NoGzip(), seed: 1)
        var out = [UInt8](repeating: 0, count: 4_096)

        mutating func ask(_ question: [UInt8], _ state: PublishedState) throws -> (message: DNSMessage, isPrepared: Bool) {
            let length = question.withUnsafeBytes { question in
                out.withUnsafeMutableBytes { frontEnd.answer(datagram: question, state: state, now: .zero, into: $0) }
            }
            if let length { return (try DNSMessage(decoding: Array(out[..<length])), true) }
            guard case .reply(let bytes) = frontEnd.answer(question: question, tcp: false, remote: "", state: state, now: .zero) else {
                throw DNSError.malformed
            }
            return (try DNSMessage(decoding: bytes), false)
        }
    }

    @Test func `a prepared answer ends with the instances it was made of`() throws {
        var catalog = sample()
        var asker = Asker()
        for count in 3...5 {
            let state = state(catalog)
            for time in 0..<4 {
                let (message, isPrepared) = try asker.ask(packet("web.service.consul", DNSType.a, id: UInt16(time)), state)
                #expect(message.id == UInt16(time) && isPrepared == (time > 1) && message.answers.count == min(3, count))
            }
            catalog.service("web", on: "n\(count)", port: 1)
        }
        let state = state(catalog)
        for _ in 0..<3 { _ = try asker.ask(packet("web.service.consul", DNSType.a), state) }
        asker.frontEnd.reload(Reloadable())
        #expect(try asker.ask(packet("web.service.consul", DNSType.a), state).isPrepared == false)
    }

    @Test func `a prepared answer outlives changes of what it was not made of`() throws {
        var catalog = sample()
        var asker = Asker()
        let question = packet("web.service.consul", DNSType.srv)
        for _ in 0..<2 { _ = try asker.ask(question, state(catalog)) }
        for number in 0..<5 {
            // Nothing, a key, another service, another node, a service on a node of the answer.
            if number == 1 {
                var changes = ChangeSet()
                catalog.index += 1
                var request = KVSRequest()
                request.op = .set
                request.dirEnt.key = ByteString("a")
                _ = catalog.store.apply(.kv(request), index: catalog.index, changes: &changes)
            }
            if number == 2 { catalog.service("lone", on: "n1", port: 9, status: "passing") }
            if number == 3 { catalog.node("n30", "10.1.1.1") }
            if number == 4 { catalog.service("new", on: "n0", port: 1) }
            #expect(try asker.ask(question, state(catalog)).isPrepared, "\(number)")
        }
        catalog.node("n1", "10.1.1.2")
        #expect(try asker.ask(question, state(catalog)).isPrepared == false)
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func `whatever changes, a prepared answer is the one that is looked up`(seed: UInt64) throws
    {
        var catalog = sample()
        var asker = Asker()
        var random = Random(seed: seed)
        let questions = ["web", "lone", "half", "v1.web", "six"].flatMap { name in
            [DNSType.a, DNSType.aaaa, DNSType.srv].map { packet("\(name).service.consul", $0) }
        }
        var prepared = 0
        for _ in 0..<300 {
            let node = "n\(Int.random(in: 0..<6, using: &random))"
            let name = ["web", "lone", "half"][Int.random(in: 0..<3, using: &random)]
            switch Int.random(in: 0..<7, using: &random) {
            case 0:
                catalog.node(node, "10.2.0.\(Int.random(in: 1..<9, using: &random))", meta: random.next() % 2 == 0 ? ["m": "\(seed)"] : nil)
            case 1: catalog.service(name, on: node, port: Int.random(in: 1..<4, using: &random), tags: random.next() % 2 == 0 ? ["v1"] : [])
            case 2:
                catalog.service(name, on: node, port: 4, status: ["passing", "warning", "critical"][Int.random(in: 0..<3, using: &random)])
            case 3:
                // A check of the node, or one that moves from service to service.
                var request = RegisterRequest()
                (request.node, request.skipNodeUpdate) = (node, true)
                var check = HealthCheck()
                (check.node, check.checkID) = (node, "moving")
                check.serviceID = catalog.store.service(name, onNode: node) == nil ? "" : name
                check.status = random.next() % 2 == 0 ? "critical" : "passing"
                request.checks = [check]
                catalog.apply(request)
            case 4:
                var changes = ChangeSet()
                catalog.index += 1
                var request = DeregisterRequest()
                (request.node, request.serviceID) = (node, random.next() % 4 == 0 ? "" : name)
                if request.serviceID.isEmpty { request.checkID = "moving" }
                _ = catalog.store.apply(.deregister(request), index: catalog.index, changes: &changes)
            default: break
            }
            let state = state(catalog)
            for question in questions where random.next() % 2 == 0 {
                let (found, isPrepared) = try asker.ask(question, state)
                prepared += isPrepared ? 1 : 0
                let looked = try DNSMessage(decoding: catalog.raw(question) ?? [])
                #expect(found.flags == looked.flags && found.answers.count == looked.answers.count)
                if found.answers.count < 3 {
                    #expect(sorted(found.answers) == sorted(looked.answers) && sorted(found.additional) == sorted(looked.additional))
                }
            }
        }
        #expect(prepared > 200)
    }

    @Test func `prepared answers take no more memory than they may`() throws {
        var catalog = DNSTestCatalog()
        var answers = PreparedAnswers()
        let state: PublishedState = {
            for number in 0..<1_000 { catalog.node("a-node-with-a-name-\(number)", "10.0.\(number / 250).\(number % 250)") }
            for number in 0..<1_000 { catalog.service("many", on: "a-node-with-a-name-\(number)", port: 5) }
            return self.state(catalog)
        }()
        var kept = 0
        for number in 0..<60 {
            let question = packet("many.service.consul", DNSType.srv, payload: UInt16(512 - number), id: 1)
            for _ in 0..<2 { answers.note(question, state) { prepare(catalog, question) } }
            #expect(answers.size > 0 && answers.size <= PreparedAnswers.sizeMax)
            var out = [UInt8](repeating: 0, count: 4_096)
            var random = Random(seed: 1)
            let written = question.withUnsafeBytes { question in
                out.withUnsafeMutableBytes { answers.write(question, state, &random, into: $0) }
            }
            kept += written == nil ? 0 : 1
        }
        // The latest answer has a place, whatever stood there before.
        #expect(kept == 60)
    }

    /// Counts the instances that are drawn.
    private struct CountedCatalog: DNSSource {
        struct Instances: DNSInstances {
            var inner: StoredInstances
            let count: Count

            mutating func draw(_ random: inout Random) -> CheckServiceNode? {
                count.drawn += 1
                return inner.draw(&random)
            }
        }

        final class Count { var drawn = 0 }

        var inner: StoredCatalog
        let count = Count()

        mutating func node(named name: String) throws(DNSUnreadable) -> Row<Node>? { try inner.node(named: name) }
        mutating func node(at address: DNSAddress, _ text: String) throws(DNSUnreadable) -> Row<Node>? { try inner.node(at: address, text) }
        mutating func service(at text: String) throws(DNSUnreadable) -> String? { try inner.service(at: text) }
        mutating func instances(of question: DNSServiceQuestion) throws(DNSUnreadable) -> Instances {
            Instances(inner: try inner.instances(of: question), count: count)
        }
    }

    @Test func `answers that do not fit are given up as soon as that is known`() {
        var catalog = DNSTestCatalog()
        for number in 0..<1_000 { catalog.node("n\(number)", "10.0.\(number / 250).\(number % 250)") }
        for number in 0..<1_000 { catalog.service("many", on: "n\(number)", port: 5) }
        let inner = StoredCatalog(state(catalog), authorizer: .allowAll, onlyPassing: false, readable: true)
        let source = CountedCatalog(inner: inner)
        let question = packet("many.service.consul", DNSType.srv, payload: 1_232)
        let answer = DNSResponder(config: catalog.config, datacenter: "dc1").prepare(question, from: source, random: Random(seed: 3))
        #expect(answer == nil)
        // Once to answer, and once more until the sum is too large.
        #expect(source.count.drawn < 100)
    }
}
