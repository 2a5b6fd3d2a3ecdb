import Testing

@testable import Core

/// Random input is refused and never traps.
@Suite struct RandomInputTests {
    private func texts(_ count: Int, seed: UInt64, from pieces: [String]) -> [String] {
        var random = Random(seed: seed)
        return (0..<count).map { _ in
            (0..<Int.random(in: 1...12, using: &random)).map { _ in pieces[Int.random(in: 0..<pieces.count, using: &random)] }.joined()
        }
    }

    @Test func `no random filter traps`() {
        let pieces = [
            "Node", "Meta", ".", "[", "]", "\"", "`", "a b", "rack", " ", "==", "!=", " in ", " not ", " contains ", " matches ", "is",
            "empty", "(",
            ")", "and", "or", "0", "1.5", "-", "\\", "\n", "é", "\\x4", "x", "\"x\"", " == ",
        ]
        let node = Node()
        for text in texts(20_000, seed: 1, from: pieces) {
            if let filter = try? Filter.compile(text, Node.filterSchema) { _ = filter.matches(node) }
        }
    }

    @Test func `no random regular expression traps`() {
        let pieces = [
            "a", "b", "(", ")", "(?i)", "(?P<n>", "[", "]", "^", "$", ".", "*", "+", "?", "{2}", "{1,3}", "{,", "|", "\\", "\\d", "\\pL",
            "\\p{", "-",
            "[:alpha:]", "\\Q", "\\E", "\\x{", "41}", "\\b", "é", "0", "(?", ":",
        ]
        for pattern in texts(20_000, seed: 2, from: pieces) {
            if let expression = try? RegularExpression(pattern) { _ = expression.matches("aab\né1") }
        }
    }

    @Test func `no random request traps`() {
        let router = Router(APIContext())
        let pieces = [
            "/v1/", "/v1/kv/", "kv", "catalog/", "service/", "health/service/", "session/", "txn", "agent/", "/", "..", ".", "%", "%2F",
            "%zz", "?", "&",
            "=", "index", "wait", "10s", "stale", "filter", "Node==x", "pretty", "cas", "flags", "é", "\u{7F}", "operator/",
            "raft/configuration",
        ]
        for (at, target) in texts(20_000, seed: 3, from: pieces).enumerated() {
            let method = ["GET", "PUT", "DELETE", "POST", "HEAD", "OPTIONS"][at % 6]
            _ = router.route(HTTPRequest(method: method, target: Array(target.utf8), body: Array("{\"KV\":[]}".utf8), contentLength: 9))
        }
    }

    @Test func `no random body traps`() {
        let router = Router(APIContext())
        let pieces = [
            "{", "}", "[", "]", ",", ":", "\"KV\"", "\"Node\"", "\"Service\"", "\"Check\"", "\"Verb\"", "\"Definition\"", "\"TTL\"", "null",
            "true", "1",
            "-1", "1.5", "1e30", "18446744073709551615", "\"x\"", "\"10s\"", "\"LockDelay\"", "\"Weights\"", "\"Meta\"", "\"Proxy\"",
        ]
        for (at, body) in texts(20_000, seed: 4, from: pieces).enumerated() {
            let path = ["/v1/txn", "/v1/session/create", "/v1/catalog/register", "/v1/catalog/deregister"][at % 4]
            // Most random bodies are no JSON; more of them are when nested into an object.
            for text in [body, "{\(body)}", "[{\(body)}]"] { _ = router.route(request("PUT " + path, body: text)) }
        }
    }
}
