import Testing

@testable import Core

/// Questions to a pool, its keys, and names that two members claim.
@Suite struct SerfQueryTests {
    private func ask(_ network: SerfNetwork, _ name: String, _ change: (inout SerfQueryParameters) -> Void = { _ in }) {
        var parameters = SerfQueryParameters()
        change(&parameters)
        network.perform(name) { try! $0.query("uptime", payload: [1, 2], parameters: parameters, token: 4, at: $1, into: &$2) }
    }

    /// Everybody answers what it was asked, once.
    private func answer(_ network: SerfNetwork) {
        for node in network.nodes.values where node.serf != nil {
            for query in node.queries {
                network.perform(node.name) { try? $0.respond(to: query, payload: Array(node.name.utf8), at: $1, into: &$2) }
            }
        }
    }

    private func outcome(_ node: SerfNetwork.Node) -> (acks: [String], responses: [String], isDone: Bool) {
        var acks: [String] = [], responses: [String] = [], isDone = false
        for effect in node.told {
            switch effect {
            case .queryAck(4, let from): acks.append(from)
            case .queryResponse(4, let from, let payload): responses.append("\(from)=\(String(decoding: payload, as: UTF8.self))")
            case .queryDone(4): isDone = true
            default: break
            }
        }
        return (acks.sorted(), responses.sorted(), isDone)
    }

    @Test func `a query reaches everybody, and everybody's answer comes back`() throws {
        let network = SerfNetwork.pool(5)
        ask(network, "b") { $0.wantsAcks = true }
        network.run(for: .seconds(2))
        let query = try #require(network["e"].queries.first)
        #expect(query.name == "uptime" && query.payload == [1, 2] && query.from == "b")
        answer(network)
        network.run(for: .seconds(5))
        let outcome = outcome(network["b"])
        #expect(outcome.acks == ["a", "b", "c", "d", "e"])
        #expect(outcome.responses == ["a=a", "b=b", "c=c", "d=d", "e=e"])
        #expect(outcome.isDone)
        #expect(network.nodes.values.allSatisfy { $0.queries.count == 1 })
    }

    @Test func `keys are listed whatever else the query says`() throws {
        let network = SerfNetwork.pool(2)
        network.perform("a") { try! $0.query("_serf_list-keys", payload: [7, 0xC1], token: 4, at: $1, into: &$2) }
        network.run(for: .seconds(2))
        let answers = network["a"].told.compactMap { if case .queryResponse(4, "b", let payload) = $0 { payload } else { nil } }
        #expect(try KeyAnswer(body: #require(answers.first)[1...]).message == "Keyring is empty (encryption not enabled)")
    }

    @Test func `filters choose who is asked`() {
        let network = SerfNetwork.pool(5)
        ask(network, "a") { $0.filters = [.nodes(["a", "b", "c"]), .tag("id", expression: "^[bcd]$")] }
        network.run(for: .seconds(2))
        #expect(network.nodes.values.filter { !$0.queries.isEmpty }.map(\.name) == ["b", "c"])
    }

    @Test func `answers go over others too, and count once`() {
        let network = SerfNetwork.pool(5)
        ask(network, "a") {
            $0.relayFactor = 3
            $0.filters = [.nodes(["e"])]
        }
        network.run(for: .seconds(2))
        answer(network)
        network.run(for: .seconds(5))
        #expect(outcome(network["a"]).responses == ["e=e"])
        #expect(network.serf("a").counters.queryDuplicateResponses >= 2)
    }

    @Test func `queries and answers have limits`() throws {
        let network = SerfNetwork.pool(2)
        network.perform("a") { serf, now, effects in
            #expect(throws: TextError("query exceeds limit of 1024 bytes")) {
                try serf.query("big", payload: Array(repeating: 0, count: 1_000), token: 1, at: now, into: &effects)
            }
        }
        ask(network, "a")
        network.run(for: .seconds(1))
        let query = try #require(network["b"].queries.first)
        network.perform("b") { serf, now, effects in
            #expect(throws: TextError("response exceeds limit of 1024 bytes")) {
                try serf.respond(to: query, payload: Array(repeating: 0, count: 1_000), at: now, into: &effects)
            }
        }
        network.run(for: .seconds(5))
        network.perform("b") { serf, now, effects in
            #expect(throws: TextError("response is past the deadline")) {
                try serf.respond(to: query, payload: [], at: now, into: &effects)
            }
        }
    }

    @Test func `queries take as long as the reference's`() {
        let network = SerfNetwork.pool(1)
        #expect(network.serf("a").defaultQueryTimeout == .milliseconds(3_200))
    }

    // MARK: Keys

    private static let first = Array(repeating: 1, count: 16) as [UInt8]
    private static let second = Array(repeating: 2, count: 32) as [UInt8]

    private func operate(_ network: SerfNetwork, _ operation: KeyOperation) -> KeyResponse? {
        network.perform("a") { $0.operate(keys: operation, token: 8, at: $1, into: &$2) }
        network.run(for: .seconds(6))
        let responses = network["a"].told.compactMap { if case .keys(8, let response) = $0 { response } else { nil } }
        network["a"].told = []
        return responses.count == 1 ? responses[0] : nil
    }

    @Test func `the keys of a pool are exchanged without losing a member`() throws {
        let network = SerfNetwork.pool(4, keys: [Self.first]) { $0.keyringFile = "serf/local.keyring" }
        let (old, new) = (Base64.encode(Self.first), Base64.encode(Self.second))
        let list = try #require(operate(network, .list))
        #expect(list.error == nil && list.nodes == 4 && list.responses == 4 && list.keys == [old: 4] && list.primaryKeys == [old: 4])
        for operation in [KeyOperation.install(new), .use(new), .remove(old)] {
            let response = try #require(operate(network, operation))
            #expect(response.error == nil && response.responses == 4 && response.primaryKeys == ["": 4])
            network.run(for: .seconds(10))
        }
        for node in network.nodes.values {
            #expect(node.serf?.keyring.keys == [Self.second])
            #expect(node.serf?.memberCount(.alive) == 4)
            #expect(node.files["serf/local.keyring"] == Array("[\n  \"\(new)\"\n]".utf8))
        }
        let refused = try #require(operate(network, .remove(new)))
        #expect(refused.error == "4/4 nodes reported failure" && refused.failures == 4)
        #expect(refused.messages["c"] == "Removing the primary key is not allowed")
        #expect(operate(network, .use(old))?.messages["b"] == "Requested key is not in the keyring")
        #expect(operate(network, .install("AQEB"))?.messages["b"] == "key size must be 16, 24 or 32 bytes")
        #expect(operate(network, .install("AQEB!"))?.error == "illegal base64 data at input byte 4")
    }

    @Test func `a silent member is missed`() throws {
        let network = SerfNetwork.pool(3, keys: [Self.first])
        network["c"].isCut = true
        #expect(operate(network, .list)?.error == "2/3 nodes reported success")
    }

    @Test func `a key that cannot be kept is not confirmed`() throws {
        let network = SerfNetwork.pool(2, keys: [Self.first]) { $0.keyringFile = "serf/local.keyring" }
        network["b"].failsWrites = true
        let response = try #require(operate(network, .install(Base64.encode(Self.second))))
        #expect(response.error == "1/2 nodes reported failure")
        #expect(response.messages["b"] != nil && response.messages["a"] == nil)
    }

    @Test func `a pool without keys says so`() throws {
        let network = SerfNetwork.pool(2)
        #expect(operate(network, .list)?.messages["b"] == "Keyring is empty (encryption not enabled)")
        let response = operate(network, .install(Base64.encode(Self.second)))
        #expect(response?.messages["b"] == "No keyring to modify (encryption not enabled)")
    }

    @Test func `lists that are too long are cut`() throws {
        let keys = (0..<40).map { Array(repeating: UInt8($0), count: 32) }
        let network = SerfNetwork.pool(2, keys: keys)
        let list = try #require(operate(network, .list))
        let shown = list.keys.count
        #expect(list.error == nil && shown > 10 && shown < 40)
        #expect(list.messages["b"] == "truncated key list response, showing first \(shown) of 40 keys")
    }

    // MARK: Names

    @Test func `of two members with one name the newcomer gives way`() {
        let network = SerfNetwork.pool(4) { $0.resolvesNameConflicts = true }
        network.start("x") {
            $0.memberlist.name = "a"
            $0.resolvesNameConflicts = true
        }
        network.join("x", "b")
        network.run(for: .seconds(20))
        func hasLost(_ name: String) -> Bool { network[name].told.contains { if case .conflictLost = $0 { true } else { false } } }
        #expect(hasLost("x"))
        #expect(!hasLost("a"))
        #expect(network.serf("b").member(named: "a")?.address == network["a"].address.bytes)
    }
}
