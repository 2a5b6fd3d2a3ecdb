import CSystem
import Core
import Glibc

/// Sends one request over a new connection, following redirects, and keeps the end of the body. Spec: behaviour §7.4.
final class HTTPProbe: DialingProbe {
    private var url: String
    private var method: String
    private let headers: [HTTPHeader]
    private var body: [UInt8]
    private let outputLimit: Int
    private var target = ProbeURL()
    private var request: [UInt8] = []
    private var sent = 0
    private var parser = HTTPResponseParser(bodyLimit: .max)
    /// Of the answer, once its head is complete.
    private var answer: HTTPClientResponse?
    private var isComplete = false
    private var output: OutputTail
    private var redirects = 0

    static let redirectsMax = 10

    init(
        id: UInt64, url: String, method: String, headers: [HTTPHeader], body: [UInt8], outputLimit: Int, runner: ProbeRunner
    ) {
        self.url = url
        self.method = method.isEmpty ? "GET" : method
        self.headers = headers
        self.body = body
        self.outputLimit = outputLimit
        output = OutputTail(limit: outputLimit)
        super.init(id: id, runner: runner)
    }

    override func start() {
        switch ProbeURL.parse(url) {
        case .failure(let failure): finish(.failed(failure.description))
        case .success(let parsed): begin(parsed)
        }
    }

    private func begin(_ parsed: ProbeURL) {
        target = parsed
        parser = HTTPResponseParser(bodyLimit: .max)
        parser.expect(method: method)
        answer = nil
        isComplete = false
        output = OutputTail(limit: outputLimit)
        request = encode()
        sent = 0
        dial(host: target.host, port: target.port)
    }

    private func encode() -> [UInt8] {
        func given(_ name: String) -> Bool { headers.contains { $0.name.lowercased() == name } }
        let host = redirects == 0 ? headers.first { $0.name.lowercased() == "host" }?.value : nil
        var text = "\(method) \(target.path) HTTP/1.1\r\nHost: \(host ?? target.authority)\r\n"
        if !given("user-agent") { text += "User-Agent: Consul Health Check\r\n" }
        if !body.isEmpty || method == "PUT" || method == "POST" || method == "PATCH" { text += "Content-Length: \(body.count)\r\n" }
        if !given("accept") { text += "Accept: text/plain, text/*, */*\r\n" }
        if let credentials = target.credentials, !given("authorization") { text += "Authorization: Basic \(credentials)\r\n" }
        for header in headers where header.name.lowercased() != "host" { text += "\(header.name): \(header.value)\r\n" }
        text += "Connection: close\r\n\r\n"
        return Array(text.utf8) + body
    }

    override func connected() { happened(.writable) }

    override func happened(_ events: UInt32) {
        while sent < request.count {
            let count = request.withUnsafeBytes { bytes in
                retrying { send(fd, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL)) }
            }
            if count < 0, errno == EAGAIN { break }
            // The server may have answered without reading everything: the answer counts.
            if count <= 0 { sent = request.count } else { sent += count }
        }
        receive()
    }

    private func receive() {
        // A server that never stops sending must not keep the loop; edge-triggered, so the rest needs a reason to come back: it is given
        // up after this many bytes, which no health check needs.
        while fd >= 0 {
            let count: Int
            do {
                count = try withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 1) { try take(UnsafeMutableRawBufferPointer($0)) }
            } catch {
                return finish(.failed("\(error)"))
            }
            if count < 0 {
                if errno == EAGAIN { return }
                return finish(.failed("read tcp: \(SystemError.current)"))
            }
            if isComplete || output.total > Self.bodySizeMax { return complete() }
        }
    }

    static let bodySizeMax = 16 << 20

    private func take(_ buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = retrying { recv(fd, buffer.baseAddress!, buffer.count, 0) }
        if count < 0 { return count }
        var at = 0
        let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]).assumingMemoryBound(to: UInt8.self)
        switch count == 0 ? parser.end() : parser.parse(bytes.span, at: &at) {
        case .failed(let text): throw ProbeFailure(description: text)
        case .needsMore:
            answer = answer ?? parser.head
            parser.drainBody().withUnsafeBytes { output.append($0) }
        case .response(let done):
            answer = done
            isComplete = true
            done.body.withUnsafeBytes { output.append($0) }
        }
        return count
    }

    private func complete() {
        guard let answer else { return finish(.failed("unexpected EOF")) }
        if let location = answer.header("location"), !location.isEmpty, [301, 302, 303, 307, 308].contains(answer.status) {
            return follow(location, after: answer.status)
        }
        finish(.http(status: answer.status, reason: answer.reason, body: output.kept))
    }

    private func follow(_ location: String, after status: Int) {
        if redirects == Self.redirectsMax { return finish(.failed("stopped after \(Self.redirectsMax) redirects")) }
        redirects += 1
        if status < 304, method != "GET", method != "HEAD" {
            method = "GET"
            body = []
        }
        disconnect()
        switch ProbeURL.parse(target.resolve(location)) {
        case .failure(let failure): finish(.failed(failure.description))
        case .success(let parsed): begin(parsed)
        }
    }
}

/// An `http` URL in the parts that a request needs.
struct ProbeURL {
    /// Without brackets.
    var host = ""
    var port = 80
    /// Host and port as the URL has them.
    var authority = ""
    /// Path and query; never empty.
    var path = "/"
    /// `user:password` in Base64.
    var credentials: String?

    static func parse(_ url: String) -> Result<ProbeURL, ProbeFailure> {
        func failure(_ text: String) -> Result<ProbeURL, ProbeFailure> { .failure(ProbeFailure(description: text)) }
        let url = url.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).first.map(String.init) ?? ""
        if url.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
            return failure("parse \(GoQuote.quote(url)): net/url: invalid control character in URL")
        }
        if url.utf8.first == UInt8(ascii: ":") { return failure("parse \(GoQuote.quote(url)): missing protocol scheme") }
        let schemeEnd = url.utf8.firstIndex(of: UInt8(ascii: ":"))
        let scheme = schemeEnd.map { url[..<$0].lowercased() } ?? ""
        if scheme == "https" { return failure("https checks are not supported by this agent: it was built without TLS for checks") }
        guard scheme == "http", let schemeEnd, url[schemeEnd...].utf8.starts(with: "://".utf8) else {
            return failure("unsupported protocol scheme \"\(scheme.allSatisfy { $0.isLetter } ? scheme : "")\"")
        }
        let rest = url.utf8[schemeEnd...].dropFirst(3)
        let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
        var parsed = ProbeURL()
        var authority = rest[..<end]
        if let at = authority.lastIndex(of: UInt8(ascii: "@")) {
            let userInfo = String(Substring(authority[..<at]))
            parsed.credentials = Base64.encode(Array((userInfo.utf8.contains(UInt8(ascii: ":")) ? userInfo : userInfo + ":").utf8))
            authority = authority[authority.index(after: at)...]
        }
        parsed.authority = String(Substring(authority))
        let path = String(Substring(rest[end...]))
        parsed.path = path.utf8.first == UInt8(ascii: "/") ? path : "/" + path
        guard !authority.isEmpty else { return failure("http: no Host in request URL") }
        let hasPort = authority.last != UInt8(ascii: "]") && authority.contains(UInt8(ascii: ":"))
        switch DialingProbe.split(hasPort ? parsed.authority : parsed.authority + ":80") {
        case .failure(let failure): return .failure(failure)
        case .success(let target): (parsed.host, parsed.port) = target
        }
        return .success(parsed)
    }

    /// The URL that a `Location` means, seen from here (RFC 3986 §5.2, without dot segments).
    func resolve(_ location: String) -> String {
        if location.utf8.starts(with: "//".utf8) { return "http:" + location }
        let prefix = location.utf8.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
        if prefix.contains(UInt8(ascii: ":")) { return location }
        let base = "http://" + authority
        if location.utf8.first == UInt8(ascii: "/") { return base + location }
        let pathOnly = path.utf8.prefix { $0 != UInt8(ascii: "?") }
        if location.utf8.first == UInt8(ascii: "?") { return base + String(Substring(pathOnly)) + location }
        let folder = pathOnly.lastIndex(of: UInt8(ascii: "/")).map { pathOnly[...$0] } ?? pathOnly
        return base + String(Substring(folder)) + location
    }
}
