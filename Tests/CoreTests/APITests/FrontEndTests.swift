import Testing

@testable import Core

/// What followers answer on their I/O threads, and what they leave to the core loop.
@Suite struct FrontEndTests {
    private enum Outcome: Equatable { case written(String), routed, handedOver }

    private let cluster: ServerCluster
    private let follower: String

    init() throws {
        cluster = try ServerCluster.formed()
        let leader = try #require(cluster.leader)
        cluster.put("a", at: leader)
        cluster.run(for: .seconds(2))
        follower = try #require(cluster.names.first { $0 != leader })
    }

    private func answer(_ line: String, after silence: Duration = .zero) throws -> Outcome {
        var frontEnd = FrontEnd(settings: cluster.server(follower).settings, gzip: AgentCluster.NoGzip(), seed: 1)
        let state = try #require(cluster.published[follower])
        var out: [UInt8] = []
        var answer = frontEnd.answer(
            request(line), framing: HTTPFraming(), state: state, now: cluster.now + silence, date: [], into: &out)
        if case .begun(var rest, _) = answer {
            while rest.append(to: &out) {}
            answer = .written
        }
        return switch answer {
        case .written, .begun: .written(String(decoding: out, as: UTF8.self))
        case .routed: .routed
        case .handOver: .handedOver
        }
    }

    @Test func `only catalog and health are asked again when an answer is too old`() throws {
        let silence = Duration.seconds(30)
        for target in ["catalog/nodes", "health/state/any"] {
            guard case .written = try answer("GET /v1/\(target)?max_stale=1m", after: silence) else {
                Issue.record("\(target)")
                continue
            }
            #expect(try answer("GET /v1/\(target)?max_stale=1s", after: silence) == .routed, "\(target)")
        }
        for target in ["kv/a", "session/list", "coordinate/nodes", "internal/ui/nodes", "internal/ui/services"] {
            guard case .written(let text) = try answer("GET /v1/\(target)?stale&max_stale=1s", after: silence) else {
                Issue.record("\(target)")
                continue
            }
            #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"), "\(target): \(text)")
        }
    }

    @Test func `what the log says of an answer is told once`() throws {
        var frontEnd = FrontEnd(settings: cluster.server(follower).settings, gzip: AgentCluster.NoGzip(), seed: 1)
        let state = try #require(cluster.published[follower])
        func error(_ line: String) -> String? {
            var out: [UInt8] = []
            _ = frontEnd.answer(request(line), framing: HTTPFraming(), state: state, now: cluster.now, date: [], into: &out)
            return frontEnd.takeError()
        }
        #expect(error("PUT /v1/catalog/nodes") == "method PUT not allowed")
        #expect(frontEnd.takeError() == nil && error("GET /v1/kv/none?stale") == nil && error("GET /v1/kv/") == nil)
        #expect(error("GET /v1/kv/a?ns=x") == #"Bad request: Invalid query parameter: "ns" - Namespaces are a Consul Enterprise feature"#)
    }

    @Test(arguments: [
        ("/v1/kv/a", "/v1/kv/a"), ("/v1/kv/a?", "/v1/kv/a?"), ("/v1/kv/a?token=x&raw", "/v1/kv/a?token=<hidden>&raw"),
        ("/v1/kv/a?raw&tok%65n=x&token", "/v1/kv/a?raw&tok%65n=<hidden>&token"), ("/v1/kv/a?xtoken=x", "/v1/kv/a?xtoken=x"),
        ("/v1/acl/info/secret?pretty", "/v1/acl/info/<hidden>?pretty"), ("/v1/acl/list", "/v1/acl/list"),
    ])
    func `the log shows no tokens`(target: String, shown: String) {
        #expect(HTTPRequest.logged(target: Array(target.utf8)) == shown)
    }

    @Test func `a bad filter is found by whoever answers`() throws {
        #expect(try answer("GET /v1/catalog/nodes?filter=Foo==1") == .routed)
        guard case .written(let text) = try answer("GET /v1/catalog/nodes?filter=Foo==1&stale&index=1000") else {
            Issue.record("not answered")
            return
        }
        #expect(text.hasPrefix("HTTP/1.1 500 Internal Server Error\r\n"))
        #expect(text.contains("X-Consul-Index: 1\r\nX-Consul-Knownleader: false\r\nX-Consul-Lastcontact: 0\r\n"))
        #expect(text.hasSuffix("\r\n\r\nFailed to create boolean expression evaluator: Selector \"Foo\" is not valid"))
    }
}
