import Testing

@testable import Core

@Suite struct RouterTests {
    private let router = Router(APIContext())

    private func context(_ change: (inout AgentSettings) -> Void) -> Router {
        var settings = AgentSettings()
        change(&settings)
        return Router(APIContext(from: settings))
    }

    @Test(arguments: [
        ("GET /v1/kv", "/v1/kv/"), ("GET /v1/kv//a", "/v1/kv/a"), ("GET /v1/kv/a/./b", "/v1/kv/a/b"), ("GET /v1/kv/a/../b", "/v1/kv/b"),
        ("GET /v1/kv/a%2F%2Fb", "/v1/kv/a/b"), ("GET /v1//kv/a%20b?x=1&y", "/v1/kv/a%20b?x=1&y"),
        ("GET /v1/catalog/service", "/v1/catalog/service/"),
        ("GET /v1/catalog//nodes", "/v1/catalog/nodes"), ("GET //", "/"), ("GET /v1/kv/a//", "/v1/kv/a/"), ("GET /v1/kv/a/..", "/v1/kv/"),
        ("GET /v1/agent/health/service/id?x", "/v1/agent/health/service/id/?x"),
    ])
    func `unclean paths and missing slashes are redirected`(line: String, location: String) throws {
        let answer = try #require(router.answer(line))
        #expect(answer.status == 301)
        #expect(answer["Location"] == location)
        #expect(answer["Content-Type"] == "text/html; charset=utf-8")
        let shown = location.split(separator: "&", omittingEmptySubsequences: false).joined(separator: "&amp;")
        #expect(answer.text == "<a href=\"\(shown)\">Moved Permanently</a>.\n\n")
        #expect(!answer.wrapped && answer["Vary"] == nil)
    }

    /// The table narrows its search down by what comes after `/v1/`; here every pattern is tried.
    @Test func `the longest pattern that matches wins`() {
        let table = RouteTable.shared
        let patterns = (0..<table.count).map(table.path)
        var paths: [[UInt8]] = ["", "/", "/v", "/v1", "/v1/", "/v1/\u{FF}", "/v2/kv/a", "/ui/", "/debug/pprof/x"].map { Array($0.utf8) }
        for pattern in patterns {
            paths += [pattern, pattern.dropLast(), pattern + [0], pattern + Array("x/y".utf8), pattern.dropLast() + [0xFF]]
        }
        for path in paths {
            let matching = patterns.filter { $0.last == UInt8(ascii: "/") ? path.starts(with: $0) : path == $0 }
            let found = table.find(path)
            #expect(found?.path == matching.max { $0.count < $1.count })
            let lacks = path.last != UInt8(ascii: "/") && !patterns.contains(path) && patterns.contains(path + [UInt8(ascii: "/")])
            #expect(table.lacksSlash(path, found) == lacks)
        }
    }

    @Test func `redirects of other methods have no body`() throws {
        let answer = try #require(router.answer("PUT /v1/kv//a", body: "x"))
        #expect(answer.status == 301 && answer.body.isEmpty && answer["Content-Type"] == nil)
        let head = try #require(router.answer("HEAD /v1/kv//a"))
        #expect(head.body.isEmpty && head["Content-Type"] != nil)
    }

    @Test func `paths of config and intentions may end without slash`() {
        for line in ["GET /v1/config", "PUT /v1/acl/token", "GET /v1/query", "GET /v1/acl/rules/translate"] {
            #expect(router.answer(line)?.status != 301)
        }
    }

    @Test(arguments: [
        "GET /v1/status", "GET /v1/status/", "GET /v1/status/leader/", "GET /v1/catalog/nodes/", "GET /nope", "GET /v1/acl/",
        "GET /v1/operator/raft",
    ])
    func `unknown paths are not found`(line: String) throws {
        let answer = try #require(router.answer(line))
        #expect(answer.status == 404 && answer.body.isEmpty && answer.headers.isEmpty && !answer.wrapped)
    }

    @Test func `the root names the agent or redirects to the web page`() throws {
        #expect(router.answer("POST /")?.text == "Consul Agent")
        let answer = try #require(context { $0.http.uiEnabled = true }.answer("GET /"))
        #expect(answer.status == 301 && answer["Location"] == "/ui/")
        #expect(answer.text == "<a href=\"/ui/\">Moved Permanently</a>.\n\n")
        #expect(context { $0.http.uiEnabled = true }.answer("GET /ui")?["Location"] == "/ui/")
        #expect(context { $0.http.uiEnabled = true }.answer("GET /uj")?.status == 404)
    }

    @Test func `files of the web page are not found`() throws {
        let router = context {
            $0.http.uiDirectory = "/srv/ui"
            $0.http.uiContentPath = "/page/"
            $0.http.responseHeaders = ["x-foo": "bar", "content-type": "text/html"]
        }
        for line in ["GET /page/", "GET /page/services/web", "POST /page/", "GET /robots.txt"] {
            let answer = try #require(router.answer(line))
            #expect(answer.status == 404 && answer.text == "404 page not found\n" && !answer.wrapped)
            let headers = answer.headers.map { "\($0.name): \($0.value)" }
            #expect(headers == ["Content-Type: text/plain; charset=utf-8", "X-Content-Type-Options: nosniff", "X-Foo: bar"])
        }
        #expect(router.answer("GET /")?["Location"] == "/page/" && router.answer("GET /page")?["Location"] == "/page/")
        #expect(router.answer("GET /ui/")?.body.isEmpty == true)
        let off = try #require(context { $0.http.uiContentPath = "/page/" }.answer("GET /page/"))
        #expect(off.status == 404 && off.body.isEmpty && off.headers.isEmpty)
    }

    @Test(arguments: ["GET /v1/kv/a%00", "GET /v1/kv/a%09b", "GET /v1/kv/%C2%A0", "GET /nope%01"])
    func `paths with unprintable characters are refused`(line: String) throws {
        let answer = try #require(router.answer(line))
        #expect(answer.status == 400 && answer.body.isEmpty && answer.headers.isEmpty)
        #expect(context { $0.http.disableUnprintableFilter = true }.answer(line)?.status != 400)
    }

    @Test func `broken escapes in the path end the connection`() throws {
        let answer = try #require(router.answer("GET /v1/kv/a%zz"))
        #expect(answer.status == 400 && answer.text == "400 Bad Request" && answer.close && !answer.wrapped)
    }

    @Test(arguments: ["GET /v1/kv/a?%zz", "GET /v1/kv/a?raw;pretty", "GET /v1/kv/a?raw&bad=%z"])
    func `broken query strings are an error without text`(line: String) throws {
        let answer = try #require(router.answer(line))
        #expect(answer.status == 500 && answer.body.isEmpty && answer["Vary"] == "Accept-Encoding")
    }

    @Test(arguments: [
        ("POST /v1/kv/a", "OPTIONS,GET,PUT,DELETE"), ("HEAD /v1/kv/a", "OPTIONS,GET,PUT,DELETE"), ("PUT /v1/status/leader", "OPTIONS,GET"),
        ("GET /v1/txn", "OPTIONS,PUT"), ("POST /v1/operator/keyring/", nil), ("PATCH /v1/operator/keyring", "OPTIONS,GET,POST,PUT,DELETE"),
        ("GET /v1/acl/token", "OPTIONS,PUT"), ("PUT /v1/acl/token/self", "OPTIONS,GET"), ("POST /v1/acl/token/x", "OPTIONS,GET,PUT,DELETE"),
        ("PUT /v1/agent/self", "OPTIONS,GET"), ("GET /v1/agent/check/register", "OPTIONS,PUT"),
    ])
    func `undeclared methods are refused`(line: String, allow: String?) throws {
        let answer = try #require(router.answer(line))
        guard let allow else { return #expect(answer.status == 404) }
        #expect(answer.status == 405 && answer["Allow"] == allow)
        #expect(answer.text == "method \(line.prefix { $0 != " " }) not allowed")
    }

    @Test func `the answer to OPTIONS lists the methods`() throws {
        let answer = try #require(router.answer("OPTIONS /v1/connect/intentions/x"))
        #expect(answer.status == 200 && answer.body.isEmpty && answer["Allow"] == "OPTIONS,GET,PUT,DELETE")
    }

    @Test func `blocked endpoints are refused before anything else`() throws {
        let router = context { $0.http.blockEndpoints = ["/v1/catalog/no"] }
        #expect(router.answer("OPTIONS /v1/catalog/nodes")?.text == "Endpoint is blocked by agent configuration")
        #expect(router.answer("PUT /v1/catalog/node/x")?.status == 403)
        #expect(router.answer("GET /v1/catalog/nodes?%zz")?.status == 500)
    }

    @Test func `writes are accepted from some networks only`() throws {
        let router = context { $0.http.allowWriteFrom = ["10.0.0.0/8", "fd00::/16"] }
        func status(_ from: String, _ method: String = "PUT") -> Int {
            var incoming = request("\(method) /v1/kv/a", body: "x")
            incoming.remoteAddress = from
            guard case .immediate(let answer) = router.route(incoming).call else { return 200 }
            return answer.status
        }
        #expect(status("127.0.0.1") == 403)
        #expect(status("10.1.2.3") == 200)
        #expect(status("::ffff:10.1.2.3") == 200)
        #expect(status("fd00::1") == 200)
        #expect(status("fd01::1") == 403)
        #expect(status("127.0.0.1", "GET") == 200)
    }

    @Test func `configured headers are on every answer of an endpoint`() throws {
        let router = context {
            $0.http.responseHeaders = ["x-foo": "bar", "ACCESS-control-allow-ORIGIN": "*"]
            $0.http.translateWANAddresses = true
        }
        let answer = try #require(router.answer("POST /v1/kv/a"))
        #expect(
            answer.headers.map(\.name) == [
                "Access-Control-Allow-Origin", "Allow", "Content-Type", "Vary", "X-Consul-Translate-Addresses", "X-Foo",
            ])
        #expect(router.answer("GET /nope")?.headers.isEmpty == true)
    }

    @Test func `a configured Vary takes the place of the usual one`() throws {
        let router = context { $0.http.responseHeaders = ["vary": "Origin"] }
        #expect(try #require(router.answer("POST /v1/kv/a"))["Vary"] == "Origin")
    }

    @Test(arguments: [
        ("GET /v1/kv/a?stale&consistent", "Cannot specify ?stale with ?consistent, conflicting semantics."),
        ("GET /v1/kv/a?max_stale=1s&consistent", "Cannot specify ?stale with ?consistent, conflicting semantics."),
        ("GET /v1/kv/a?cached&consistent", "Cannot specify ?cached with ?consistent, conflicting semantics."),
        ("GET /v1/kv/a?max_stale=x", "Invalid max_stale value \"x\""), ("GET /v1/kv/a?wait=10", "Invalid wait time"),
        ("GET /v1/kv/a?index=-1", "Invalid index"), ("GET /v1/kv/a?index=bad&wait=bad", "Invalid wait time"),
        ("GET /v1/kv/a?ns=x&index=x", "Bad request: Invalid query parameter: \"ns\" - Namespaces are a Consul Enterprise feature"),
        ("PUT /v1/kv/?index=x", "Invalid index"), ("GET /v1/kv/", "Missing key name"), ("GET /v1/session/info/", "Missing session"),
        ("GET /v1/session/node/", "Missing node name"), ("PUT /v1/session/renew/", "Missing session"),
        ("PUT /v1/session/destroy/", "Missing session"),
        ("GET /v1/catalog/service/", "Missing service name"), ("GET /v1/catalog/connect/", "Missing service name"),
        ("GET /v1/catalog/node/", "Missing node name"), ("GET /v1/catalog/gateway-services/", "Missing gateway name"),
        ("GET /v1/health/node/", "Missing node name"), ("GET /v1/health/checks/", "Missing service name"),
        ("GET /v1/health/state/", "Missing check state"), ("GET /v1/health/ingress/", "Missing service name"),
        ("PUT /v1/kv/c?acquire=x&cas=0", "Conflicting flags: acquire=x&cas=0"),
        ("DELETE /v1/kv/c?recurse&cas=1", "Conflicting flags: cas=1&recurse="),
        ("DELETE /v1/kv/", "Missing key name"),
    ])
    func `the first bad argument is answered`(line: String, text: String) throws {
        let answer = try #require(router.answer(line))
        #expect(answer.status == 400 && answer.text == text)
        #expect(answer.headers.map(\.name) == ["Content-Type", "Vary"])
    }

    @Test func `bad cache control is refused`() throws {
        for value in ["max-age=abc", "Max-Age=5, stale-if-error=xx"] {
            #expect(router.answer("GET /v1/kv/x", headers: [("cache-control", value)])?.text == "Invalid Cache-Control header.")
        }
        guard
            case .read(_, _, let shape) = router.call(
                "GET /v1/catalog/services?cached", headers: [("cache-control", "max-age=0, no-store")])
        else {
            return #expect(Bool(false))
        }
        #expect(shape.cache?.maxAge == 0 && shape.cache?.mustRevalidate == true)
    }

    private func readOptions(_ line: String, headers: [(name: String, value: String)] = [], by router: Router? = nil) throws -> QueryOptions
    {
        guard case .read(_, let options, _) = (router ?? self.router).call(line, headers: headers) else { throw TestFailure() }
        return options
    }

    private struct TestFailure: Error {}

    @Test func `query options are read`() throws {
        let options = try readOptions(
            "GET /v1/health/service/web?dc=dc2&index=7&wait=1m&stale&near=_agent&node-meta=a:b:c&node-meta=d&filter=x")
        #expect(options.datacenter == "dc2" && options.minQueryIndex == 7 && options.maxQueryTime == .seconds(60) && options.allowStale)
        #expect(options.sourceNode == "node" && options.nodeMetaFilters == ["a": "b:c", "d": ""] && options.filter == "x")
    }

    @Test func `tokens come from the query or the headers`() throws {
        #expect(try readOptions("GET /v1/kv/a?token=q", headers: [("x-consul-token", "h")]).token == "q")
        #expect(try readOptions("GET /v1/kv/a?token=", headers: [("x-consul-token", "h"), ("authorization", "Bearer b")]).token == "h")
        #expect(try readOptions("GET /v1/kv/a", headers: [("authorization", "bEARER  b c")]).token == "b")
        #expect(try readOptions("GET /v1/kv/a", headers: [("authorization", "Basic b")]).token == "")
    }

    @Test func `discovery reads may be stale by default`() throws {
        let router = context { $0.http.discoveryMaxStale = .seconds(5) }
        let plain = try readOptions("GET /v1/catalog/nodes", by: router)
        #expect(plain.allowStale && plain.maxStaleDuration == .seconds(5))
        #expect(try !readOptions("GET /v1/catalog/nodes?leader", by: router).allowStale)
        #expect(try !readOptions("GET /v1/kv/a", by: router).allowStale)
    }

    @Test func `keys are taken from the path as they are`() {
        guard case .read(.kv(.get(let key)), _, let shape) = router.call("GET /v1/kv/a%2Fb+%C3%BC%25/?raw") else {
            return #expect(Bool(false))
        }
        #expect(key == "a/b+ü%/" && shape.form == .kvRaw)
        guard case .read(.kv(.keys(let prefix, let separator)), _, let keys) = router.call("GET /v1/kv/?keys&recurse&seperator=%2F") else {
            return #expect(Bool(false))
        }
        #expect(prefix.isEmpty && separator == "/" && keys.form == .kvKeys(emptyPrefix: true))
    }

    @Test func `writes of keys carry their conditions`() {
        func write(_ line: String, body: String = "") -> KVSRequest? {
            guard case .write(.kv(let write), _) = router.call(line, body: body) else { return nil }
            return write
        }
        #expect(write("PUT /v1/kv/a?flags=42", body: "v")?.dirEnt.entry.flags == 42)
        #expect(write("PUT /v1/kv/a?cas=7")?.op == .cas)
        #expect(write("PUT /v1/kv/a?cas=7")?.dirEnt.entry.index.modify == 7)
        #expect(write("PUT /v1/kv/a?acquire=s")?.op == .lock)
        #expect(write("PUT /v1/kv/a?release=s")?.dirEnt.entry.session == "s")
        #expect(write("DELETE /v1/kv/a?cas=3")?.op == .deleteCAS)
        #expect(write("DELETE /v1/kv/?recurse")?.op == .deleteTree)
    }

    @Test func `bad numbers of keys are errors of the server`() {
        for (line, text) in [
            ("PUT /v1/kv/c?cas=abc", #"strconv.ParseUint: parsing "abc": invalid syntax"#),
            ("PUT /v1/kv/c?cas", #"strconv.ParseUint: parsing "": invalid syntax"#),
            ("PUT /v1/kv/c?flags=18446744073709551616", #"strconv.ParseUint: parsing "18446744073709551616": value out of range"#),
            ("DELETE /v1/kv/c?cas=x", #"strconv.ParseUint: parsing "x": invalid syntax"#),
        ] {
            #expect(router.answer(line)?.status == 500 && router.answer(line)?.text == text)
        }
    }

    @Test func `announced values above the limit are refused`() throws {
        let router = context { $0.http.kvMaxValueSize = 10 }
        let answer = try #require(router.answer("PUT /v1/kv/a", body: "12345678901"))
        #expect(answer.status == 413 && answer.close)
        #expect(
            answer.text == "Request body(11 bytes) too large, max size: 10 bytes. See "
                + "https://www.consul.io/docs/agent/options.html#kv_max_value_size.")
        guard case .write = router.route(request("PUT /v1/kv/a", body: "12345678901", chunked: true)).call else {
            return #expect(Bool(false))
        }
    }

    @Test func `tags are compared in lower case and turn ingress queries into ordinary ones`() {
        func query(_ line: String) -> ReadQuery? {
            guard case .read(let query, _, _) = router.call(line) else { return nil }
            return query
        }
        #expect(
            query("GET /v1/health/service/Web?tag=A&tag=b")
                == .health(.serviceNodes(service: "Web", tags: ["a", "b"], connect: false, ingress: false)))
        #expect(
            query("GET /v1/health/ingress/w?tag=a") == .health(.serviceNodes(service: "w", tags: ["a"], connect: false, ingress: false)))
        #expect(query("GET /v1/health/ingress/w") == .health(.serviceNodes(service: "w", tags: [], connect: false, ingress: true)))
        #expect(query("GET /v1/catalog/connect/w?tag=a") == .catalog(.serviceNodes(service: "w", tags: [], connect: true)))
        #expect(query("GET /v1/catalog/service/a/b%20c?tag=") == .catalog(.serviceNodes(service: "a/b c", tags: [""], connect: false)))
    }

    @Test func `bad filters are left to whoever answers, where filters apply`() {
        func error(_ target: String) -> String? {
            guard case .read(_, _, let shape) = router.call("GET /v1/catalog/\(target)") else { return "no read" }
            return shape.filterError?.text
        }
        #expect(error("nodes?filter=Nope==1") == #"Failed to create boolean expression evaluator: Selector "Nope" is not valid"#)
        #expect(error("nodes?filter=Node==a") == nil)
        #expect(error("services?filter=anything%20goes") == nil && error("nodes?filter=Nope==1&dc=dc2") == nil)
    }
}
