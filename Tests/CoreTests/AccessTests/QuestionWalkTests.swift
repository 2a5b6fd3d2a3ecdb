import Testing

@testable import Core

/// Every kind of DNS question, asked by somebody who may do nothing: of a server, which answers from the state that it publishes, and of a
/// client agent, which fetches rows with its own rights and shows those that the caller sees.
@Suite struct QuestionWalkTests {
    private static let names = [
        "secret-web.service.consul", "_secret-web._tcp.service.consul", "secret-web.connect.consul", "secret-node.node.consul",
        "8.0.0.10.in-addr.arpa",
    ]
    private static let types = [DNSType.a, DNSType.srv, DNSType.txt, DNSType.any, DNSType.ptr]

    private func ask(_ name: String, _ type: UInt16, _ cluster: AgentCluster, _ member: Int, tcp: Bool) throws -> Int {
        let question = DNSMessage(
            id: 7, flags: DNSFlag.recursionDesired, question: DNSQuestion(name: try #require(DNSName(name)), type: type))
        let reply = try DNSMessage(decoding: try #require(cluster.ask(member, question: question.encoded(), tcp: tcp)))
        return reply.answers.count + reply.additional.count
    }

    @Test(arguments: [0, 1], [false, true])
    func `who may do nothing learns nothing from DNS`(member: Int, tcp: Bool) throws {
        // The server gives its clients everything: what their callers see is theirs to decide.
        let rules = RecordingRules(), server = RecordingRules()
        let (cluster, _) = try SecretCluster.make(rules, server: member == 0 ? rules : server)
        for name in Self.names {
            var shown = 0
            for type in Self.types {
                rules.denies = false
                let allowed = try ask(name, type, cluster, member, tcp: tcp)
                shown += allowed
                // Asked again after somebody who may do everything: no answer is kept for the other.
                rules.denies = true
                rules.forget()
                #expect(try ask(name, type, cluster, member, tcp: tcp) == 0, "\(name) \(type)")
                #expect(allowed == 0 || !rules.asked.isEmpty, "\(name) \(type) asks for nothing")
            }
            #expect(shown > 0, "\(name) shows nothing to anybody")
        }
    }
}
