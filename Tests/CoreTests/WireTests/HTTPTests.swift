import Testing

@testable import Core

private struct Upper: Compressor {
    mutating func gzip(_ bytes: [UInt8], into out: inout [UInt8]) { out += bytes.map { $0 &- 32 } }
    func stream() -> any CompressionStream { UpperStream() }
}

private final class UpperStream: CompressionStream {
    func append(_ bytes: [UInt8], isLast: Bool, to out: inout [UInt8]) { out += bytes.map { $0 &- 32 } }
}

@Suite struct HTTPTests {
    private let date = Array("Sat, 21 Nov 2026 05:02:16 GMT".utf8)

    /// Everything that a parser makes of the input, given to it in pieces of that size.
    private func events(_ source: String, pieces: Int = .max, bodyLimit: Int = 1 << 20) -> [HTTPEvent] {
        events(Array(source.utf8), pieces: pieces, bodyLimit: bodyLimit)
    }

    private func events(_ source: [UInt8], pieces: Int = .max, bodyLimit: Int = 1 << 20) -> [HTTPEvent] {
        var parser = HTTPParser(remoteAddress: "10.0.0.1", bodyLimit: bodyLimit)
        var events: [HTTPEvent] = []
        var start = 0
        repeat {
            let piece = Array(source[start..<min(source.count, start + min(pieces, source.count))])
            start += piece.count
            var at = 0
            while true {
                let event = parser.parse(piece, at: &at)
                if case .needsMore = event { break }
                events.append(event)
            }
            #expect(at == piece.count)
        } while start < source.count
        return events
    }

    private func requests(_ source: String, pieces: Int = .max) -> [(HTTPRequest, HTTPFraming)] {
        events(source, pieces: pieces).compactMap { if case .request(let request, let framing) = $0 { (request, framing) } else { nil } }
    }

    private func failure(_ source: String, bodyLimit: Int = 1 << 20) -> String? {
        guard case .failed(let failure) = events(source, bodyLimit: bodyLimit).last else { return nil }
        return text(failure.bytes)
    }

    @Test(arguments: [
        "GET /v1/status/leader\r\n", "GET /v1/status/leader\n", "hello\r\n", "GET  HTTP/1.1\r\n", "GET / HTTP/1.1 x\r\n", " / HTTP/1.1\r\n",
        // The beginnings of a push/pull of gossip and of a TLS handshake; neither has a line.
        "\u{6}\u{83}", "\u{16}\u{3}\u{1}\u{2}",
    ])
    func `a first line that is no request is refused at once`(source: String) {
        for pieces in [1, 3, Int.max] {
            guard case .failed(let failure)? = events(Array(source.utf8), pieces: pieces).first else {
                Issue.record("\(source) in pieces of \(pieces)")
                continue
            }
            #expect(failure == HTTPFailure(400))
        }
    }

    @Test func `a first line may come in pieces`() {
        for source in [
            "G", "GET", "GET ", "GET /a HTT", "GET /a HTTP/1.1\r", "GET /a HTTP/1.1\r\n", "GET /a HTTP/1.1\r\nHost: x\r\n", "\r\n", "\r",
            "",
        ] {
            #expect(events(source, pieces: 1).isEmpty, "\(source)")
        }
    }

    @Test func `a request is parsed whole and in pieces of every size`() throws {
        let source = "PUT /v1/kv/a?flags=1 HTTP/1.1\r\nHost: x:8500\r\nX-Consul-Token:  secret \r\nEmpty:\r\nContent-Length: 5\r\n\r\nhello"
        for pieces in 1...source.utf8.count {
            let (request, framing) = try #require(requests(source, pieces: pieces).first)
            #expect(request.method == "PUT")
            #expect(text(request.target) == "/v1/kv/a?flags=1")
            #expect(request.header("x-consul-token") == "secret")
            #expect(request.header("empty") == "")
            #expect(request.header("missing") == nil)
            #expect(request.headers.map(\.name) == ["host", "x-consul-token", "empty", "content-length"])
            #expect(text(request.body) == "hello" && request.contentLength == 5)
            #expect(request.remoteAddress == "10.0.0.1")
            #expect(framing == HTTPFraming())
        }
    }

    @Test func `requests may follow each other at once`() {
        let one = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
        let two = "POST /b HTTP/1.1\nhost: x\ntransfer-encoding: chunked\n\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: 1\r\n\r\n"
        let source = one + "\r\n" + two + one
        for pieces in 1...source.utf8.count {
            let found = requests(source, pieces: pieces)
            #expect(found.map { text($0.0.target) } == ["/a", "/b", "/a"])
            #expect(found.count == 3 && text(found[1].0.body) == "abcde" && found[1].0.contentLength == nil)
        }
    }

    @Test func `input that is kept is parsed later`() {
        var parser = HTTPParser(remoteAddress: "", bodyLimit: 10)
        let source = Array("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        var at = 0
        guard case .request = parser.parse(source, at: &at) else { return #expect(Bool(false)) }
        parser.keep(source.span.extracting(at..<source.count))
        #expect(parser.hasInput)
        at = 0
        guard case .request(let second, _) = parser.parse([], at: &at) else { return #expect(Bool(false)) }
        #expect(text(second.target) == "/b" && !parser.hasInput && !parser.isInsideRequest)
    }

    @Test func `the connection is kept as the client asks`() {
        func keeps(_ lines: String) -> Bool? { requests("GET / " + lines + "\r\n\r\n").first?.1.keepAlive }
        #expect(keeps("HTTP/1.1\r\nHost: x") == true)
        #expect(keeps("HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, Close") == false)
        #expect(keeps("HTTP/1.0") == false)
        #expect(keeps("HTTP/1.0\r\nConnection: keep-alive") == true)
    }

    @Test func `gzip must be named and weigh something`() {
        func accepts(_ value: String) -> Bool? {
            requests("GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: \(value)\r\n\r\n").first?.1.acceptsGzip
        }
        for value in ["gzip", "GZIP", "br, gzip", "gzip;q=0.5, deflate", "deflate, gzip;q=1.0, *;q=0.5", "gzip ; q=1"] {
            #expect(accepts(value) == true, "\(value)")
        }
        for value in ["", "*", "deflate", "identity", "gzip;q=0", "gzip;q=0.0", "gzipped", "gzip;q=x"] {
            #expect(accepts(value) == false, "\(value)")
        }
    }

    @Test func `a client that waits for leave gets it`() {
        let found = events("PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nz")
        guard found.count == 2, case .expectsContinue = found[0], case .request(let request, _) = found[1] else {
            return #expect(Bool(false))
        }
        #expect(text(request.body) == "z")
        #expect(failure("PUT /a HTTP/1.1\r\nHost: x\r\nExpect: x\r\nContent-Length: 1\r\n\r\nz")?.hasPrefix("HTTP/1.1 417 ") == true)
    }

    @Test func `bad requests are refused in Go's words`() {
        let plain =
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"
        for source in [
            "x\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/x.1\r\n\r\n", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
            "G(T / HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\n: x\r\n\r\n", "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
            "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        ] { #expect(failure(source) == plain, "\(source)") }
        #expect(failure("GET / HTTP/1.1\r\n\r\n")?.hasPrefix("HTTP/1.1 400 Bad Request: missing required Host header\r\n") == true)
        #expect(
            failure("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")?.hasSuffix("\r\n\r\n400 Bad Request: too many Host headers") == true)
        #expect(failure("GET / HTTP/1.1\r\nHost: a\r\nX: a\u{1}b\r\n\r\n")?.hasSuffix("400 Bad Request: invalid header value") == true)
        #expect(failure("GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n")?.hasSuffix("400 Bad Request: invalid header name") == true)
        #expect(
            failure("GET / HTTP/2.0\r\nHost: a\r\n\r\n")?.hasPrefix("HTTP/1.1 505 HTTP Version Not Supported: unsupported protocol") == true
        )
        #expect(
            failure("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n")?.hasPrefix("HTTP/1.1 501 Not Implemented\r\n") == true)
        #expect(failure("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", bodyLimit: 8)?.hasPrefix("HTTP/1.1 413 ") == true)
        let chunked = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n5\r\nabcde\r\n"
        #expect(failure(chunked, bodyLimit: 8)?.hasPrefix("HTTP/1.1 413 ") == true)
    }

    @Test func `a head without end is refused at its limit`() {
        let long = "GET /" + String(repeating: "x", count: 1 << 20) + " HTTP/1.1\r\n"
        #expect(failure(long)?.hasPrefix("HTTP/1.1 431 Request Header Fields Too Large\r\n") == true)
        let many = "GET / HTTP/1.1\r\nHost: x\r\n" + String(repeating: "a: b\r\n", count: 2_000) + "\r\n"
        #expect(failure(many)?.hasPrefix("HTTP/1.1 431 ") == true)
        guard case .failed(let failure) = events(Array(repeating: UInt8(ascii: "a"), count: 1_200_000), pieces: 1_000).last else {
            return #expect(Bool(false))
        }
        #expect(failure.status == 431)
    }

    @Test func `damaged requests never trap`() {
        var random = Random(seed: 9)
        let seeds = [
            "PUT /v1/kv/a?x=%41 HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip;q=0.1\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\nabcdefghijkl",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\na;b=c\r\n0123456789\r\n0\r\na: b\r\n\r\n",
        ].map { Array($0.utf8) }
        for round in 0..<8_000 {
            let bytes = round % 10 == 0 ? randomBytes(upTo: 80, &random) : mutated(seeds[round % 3], &random)
            let whole = events(bytes).count
            #expect(events(bytes, pieces: Int.random(in: 1...20, using: &random)).count == whole)
        }
    }

    // MARK: Answers

    private func written(_ response: HTTPResponse, _ framing: HTTPFraming = HTTPFraming()) -> String {
        var out: [UInt8] = []
        var compressor = Upper()
        HTTPSerializer.append(response, framing: framing, date: date, to: &out, compressor: &compressor)
        return text(out)
    }

    @Test func `answers are framed by their length or in one chunk`() {
        let small = HTTPResponse(
            status: 200, headers: [("Content-Type", "application/json"), ("Vary", "Accept-Encoding")], body: Array("{}".utf8))
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nVary: Accept-Encoding\r\nDate: Sat, 21 Nov 2026 05:02:16 GMT\r\n"
        #expect(written(small) == head + "Content-Length: 2\r\n\r\n{}")
        let empty = HTTPResponse(status: 404)
        #expect(written(empty) == "HTTP/1.1 404 Not Found\r\nDate: Sat, 21 Nov 2026 05:02:16 GMT\r\nContent-Length: 0\r\n\r\n")
        var large = small
        large.body = [UInt8](repeating: 0x61, count: 2_048)
        #expect(written(large).contains("Content-Length: 2048\r\n"))
        large.body.append(0x62)
        #expect(
            written(large) == head + "Transfer-Encoding: chunked\r\n\r\n801\r\n" + String(repeating: "a", count: 2_048) + "b\r\n0\r\n\r\n")
        large.isSized = true
        #expect(written(large).contains("Content-Length: 2049\r\n\r\naaa"))
        var framing = HTTPFraming()
        framing.acceptsGzip = true
        #expect(written(large, framing).contains("Transfer-Encoding: chunked"))
    }

    @Test func `answers follow the request's version, method and wishes`() {
        var response = HTTPResponse(status: 200, headers: [("Allow", "x"), ("X-A", "a\r\nB: c")], body: Array("abc".utf8))
        var framing = HTTPFraming()
        framing.isHead = true
        #expect(written(response, framing).hasSuffix("X-A: a  B: c\r\nDate: \(text(date))\r\nContent-Length: 3\r\n\r\n"))
        framing = HTTPFraming()
        framing.acceptsGzip = true
        #expect(written(response, framing).contains("Allow: x\r\nContent-Encoding: gzip\r\nX-A"))
        #expect(written(response, framing).hasSuffix("\r\n\r\nABC"))
        response.wrapped = false
        #expect(written(response, framing).hasSuffix("\r\n\r\nabc"))
        framing = HTTPFraming()
        framing.isHTTP10 = true
        response.body = [UInt8](repeating: 0x61, count: 5_000)
        #expect(written(response, framing).hasPrefix("HTTP/1.0 200 OK\r\n"))
        #expect(written(response, framing).contains("Content-Length: 5000\r\nConnection: keep-alive\r\n\r\naaa"))
        framing = HTTPFraming()
        framing.keepAlive = false
        #expect(written(response, framing).contains("Connection: close\r\nTransfer-Encoding: chunked"))
        response.close = true
        #expect(written(response).contains("Connection: close\r\n"))
    }

    @Test func `an empty body is compressed where it is one`() {
        var response = HTTPResponse(status: 200, headers: [("Vary", "Accept-Encoding")])
        var framing = HTTPFraming()
        framing.acceptsGzip = true
        #expect(!written(response, framing).contains("Content-Type"))
        response.hasEmptyBody = true
        #expect(written(response, framing).contains("Content-Encoding: gzip\r\nContent-Type: text/plain; charset=utf-8\r\nVary"))
        #expect(!written(response).contains("Content-Type"))
    }

    @Test func `a client reads what the server writes, in pieces of every size`() {
        var out: [UInt8] = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
        let bodies = [0, 3, 2_048, 2_049, 70_000].map { count in (0..<count).map { UInt8(truncatingIfNeeded: $0) } }
        for body in bodies {
            HTTPSerializer.append(
                HTTPResponse(status: 200, headers: [("X-A", "b")], body: body), framing: HTTPFraming(), date: date, to: &out)
        }
        HTTPSerializer.appendStreamHead(HTTPResponse(status: 200), framing: HTTPFraming(), date: date, to: &out)
        for piece in ["ab", "", "c"] { HTTPSerializer.appendChunk(Array(piece.utf8), to: &out) }
        HTTPSerializer.appendLastChunk(to: &out)
        for size in [1, 7, 100, 4_096, out.count] {
            var parser = HTTPResponseParser(bodyLimit: 1 << 20)
            for _ in 0...bodies.count { parser.expect(method: "GET") }
            var found: [HTTPClientResponse] = []
            for start in stride(from: 0, to: out.count, by: size) {
                let piece = Array(out[start..<min(out.count, start + size)])
                var at = 0
                while case .response(let response) = parser.parse(piece, at: &at) { found.append(response) }
            }
            #expect(found.map(\.body) == bodies + [Array("abc".utf8)])
            #expect(found.allSatisfy { $0.status == 200 && $0.reason == "OK" && $0.keepAlive })
            #expect(found.first?.header("x-a") == "b")
        }
    }

    @Test func `a client takes the end of the connection for the end of the body`() {
        var parser = HTTPResponseParser(bodyLimit: 1 << 20)
        parser.expect(method: "GET")
        var at = 0
        guard case .needsMore = parser.parse(Array("HTTP/1.0 200 OK\r\n\r\nabc".utf8), at: &at) else { return #expect(Bool(false)) }
        guard case .response(let response) = parser.end() else { return #expect(Bool(false)) }
        #expect(text(response.body) == "abc" && !response.keepAlive)
        var cut = HTTPResponseParser(bodyLimit: 1 << 20)
        cut.expect(method: "GET")
        at = 0
        _ = cut.parse(Array("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc".utf8), at: &at)
        guard case .failed("unexpected EOF") = cut.end() else { return #expect(Bool(false)) }
        var none = HTTPResponseParser(bodyLimit: 1 << 20)
        none.expect(method: "GET")
        guard case .failed("EOF") = none.end() else { return #expect(Bool(false)) }
        var head = HTTPResponseParser(bodyLimit: 1 << 20)
        head.expect(method: "HEAD")
        at = 0
        guard case .response = head.parse(Array("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".utf8), at: &at) else {
            return #expect(Bool(false))
        }
    }

    @Test func `a body that is drained while it arrives comes out once, and what follows the answer is left`() {
        let first = Array("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n".utf8)
        let second = Array("2\r\nde\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n".utf8)
        // Drained, a body may be as long as it likes.
        var parser = HTTPResponseParser(bodyLimit: 4)
        for _ in 0..<2 { parser.expect(method: "GET") }
        #expect(parser.head == nil)
        var at = 0
        guard case .needsMore = parser.parse(first, at: &at) else { return #expect(Bool(false)) }
        #expect(parser.head?.status == 200 && text(parser.drainBody()) == "abc" && parser.drainBody().isEmpty)
        at = 0
        guard case .response(let response) = parser.parse(second, at: &at) else { return #expect(Bool(false)) }
        #expect(text(response.body) == "de" && parser.head == nil && text(Array(second[at...])).hasPrefix("HTTP/1.1 204"))
        guard case .response(let next) = parser.parse(second, at: &at) else { return #expect(Bool(false)) }
        #expect(next.status == 204 && at == second.count)
    }

    @Test(arguments: [
        "X A: b", "X-A : b", "X(A): b", "X-A: a\u{1}b", "X-A: b\r\n  c: d\r\n\te", ": b",
        Array(repeating: "X: y", count: 2 * HTTPHead.fieldLimit).joined(separator: "\r\n"),
    ])
    func `a client takes fields that a server would refuse`(fields: String) {
        guard case .response(let response) = answer("HTTP/1.1 200 OK\r\n\(fields)\r\nContent-Length: 2\r\n\r\nok") else {
            return #expect(Bool(false))
        }
        #expect(text(response.body) == "ok")
        if fields.contains("c: d") { #expect(response.header("x-a") == "b c: d e") }
    }

    @Test func `a line of an answer without a colon is named as malformed`() {
        for line in ["XA", " X: y"] {
            guard case .failed(let problem) = answer("HTTP/1.1 200 OK\r\n\(line)\r\n\r\n") else { return #expect(Bool(false)) }
            #expect(problem == "malformed MIME header line: " + line)
        }
    }

    @Test(arguments: [
        "204 No Content\r\nContent-Length: x\r\n\r\n", "304 Not Modified\r\nContent-Length: x\r\n\r\n",
        "200 OK\r\nContent-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ])
    func `a client does not read a length that says nothing`(answered: String) {
        guard case .response = answer("HTTP/1.1 \(answered)") else { return #expect(Bool(false)) }
        guard case .failed("bad Content-Length \"x\"") = answer("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n") else {
            return #expect(Bool(false))
        }
    }

    /// What the answer to a GET comes to.
    private func answer(_ bytes: String) -> HTTPResponseParser.Event {
        var parser = HTTPResponseParser(bodyLimit: 100)
        parser.expect(method: "GET")
        var at = 0
        return parser.parse(Array(bytes.utf8), at: &at)
    }

    @Test func `a peer that speaks another protocol is told by its first line`() {
        var parser = HTTPResponseParser(bodyLimit: 100)
        parser.expect(method: "GET")
        var at = 0
        guard case .failed(let text) = parser.parse(Array("220 mail.example.com\r\n".utf8), at: &at) else {
            return #expect(Bool(false))
        }
        #expect(text == "malformed HTTP response \"220 mail.example.com\"")
    }

    @Test func `damaged answers never trap`() {
        var random = Random(seed: 10)
        let seed = Array(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n3\r\nabc\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n".utf8)
        for round in 0..<5_000 {
            let bytes = round % 10 == 0 ? randomBytes(upTo: 80, &random) : mutated(seed, &random)
            var parser = HTTPResponseParser(bodyLimit: 100)
            parser.expect(method: "GET")
            var at = 0
            for _ in 0..<4 { _ = parser.parse(bytes, at: &at) }
            _ = parser.end()
        }
    }

    @Test func `a server reads the requests that a client writes`() throws {
        var out: [UInt8] = []
        let request = HTTPRequest(
            method: "PUT", target: Array("/v1/kv/a".utf8), headers: [("host", "x"), ("X-A", "b")], body: Array("v".utf8))
        HTTPSerializer.append(request, to: &out)
        let read = try #require(requests(text(out)).first?.0)
        #expect(read.method == "PUT" && read.header("x-a") == "b" && text(read.body) == "v")
    }
}
