/// An answer as a client receives it.
public struct HTTPClientResponse: Sendable {
    public var status: Int
    /// What follows the number on the status line: `Not Found`.
    public var reason: String
    public var headers: HTTPHeaders
    public var body: [UInt8]
    /// Whether the server keeps the connection open for another request.
    public var keepAlive: Bool

    /// The first header of that lower-case name.
    public func header(_ name: String) -> String? { headers.first(name) }
}

/// Parses the answers on one connection of a client from the bytes as they arrive. Interim answers (1xx) are passed over.
///
/// A body is collected, unless the caller drains it while it arrives: then the answer has the rest of it.
public struct HTTPResponseParser: Sendable {
    public enum Event: Sendable {
        case needsMore
        case response(HTTPClientResponse)
        /// The text is Go's: `malformed HTTP response "x"`.
        case failed(String)
    }

    private let bodyLimit: Int
    private var held: [UInt8] = []
    private var scanned = 0
    /// The answer whose body is arriving, without it; nil before its head is complete, and once the body is.
    public private(set) var head: HTTPClientResponse?
    private var body: HTTPBodyReader?
    /// Methods of the requests that are not answered yet.
    private var methods: [String] = []

    public init(bodyLimit: Int) { self.bodyLimit = bodyLimit }

    /// Call this for every request sent, in order: the answer to HEAD has no body.
    public mutating func expect(method: String) { methods.append(method) }

    public mutating func parse(_ input: [UInt8], at: inout Int) -> Event {
        parse(input.span, at: &at)
    }

    /// Parses from `at` on, which moves behind what was consumed. Call it until it needs more.
    public mutating func parse(_ input: Span<UInt8>, at: inout Int) -> Event {
        held.append(at..<input.count, of: input)
        at = input.count
        let bytes = held
        held = []
        var position = 0
        let event = step(bytes.span, &position)
        if case .response = event {
            // What follows is left to the caller; it came with this input.
            at -= bytes.count - position
        } else if position < bytes.count {
            held = position == 0 ? bytes : Array(bytes[position...])
        }
        return event
    }

    /// Takes away what has arrived of the body of `head`.
    public mutating func drainBody() -> [UInt8] { body?.drain() ?? [] }

    /// The server has closed the connection: an answer that ends so, the failure that this means, or nothing if no answer was due.
    public mutating func end() -> Event {
        if let reader = body, reader.endsWithConnection, let done = finish(reader.body) { return .response(done) }
        if head == nil && held.isEmpty { return methods.isEmpty ? .needsMore : .failed("EOF") }
        return .failed("unexpected EOF")
    }

    private mutating func finish(_ bytes: [UInt8]) -> HTTPClientResponse? {
        guard var done = head else { return nil }
        done.body = bytes
        head = nil
        body = nil
        return done
    }

    private mutating func step(_ input: Span<UInt8>, _ at: inout Int) -> Event {
        while head == nil {
            let bytes = input.extracting(at..<input.count)
            guard let end = HTTPHead.end(bytes, from: &scanned) else {
                if let problem = firstLineProblem(bytes) { return .failed(problem) }
                if bytes.count <= HTTPHead.sizeLimit { return .needsMore }
                return .failed("net/http: server response headers exceeded \(HTTPHead.sizeLimit) bytes; aborted")
            }
            scanned = 0
            at += end
            if let failure = takeHead(bytes.extracting(0..<end)) { return .failed(failure) }
        }
        guard var reader = body else { return .failed("unexpected EOF") }
        body = nil
        switch reader.take(input, &at) {
        case .more:
            body = reader
            return .needsMore
        case .done:
            guard let done = finish(reader.body) else { return .needsMore }
            return .response(done)
        case .malformed(let text): return .failed(text)
        case .tooLarge: return .failed("http: response body too large")
        }
    }

    private struct StatusLine {
        let minorVersion: Int
        let status: Int
        let reason: String
        /// Where the fields begin.
        let end: Int
    }

    private struct Problem: Error {
        let text: String
    }

    /// The first line of a head, whose end may not have come yet.
    private static func statusLine(_ bytes: Span<UInt8>) -> Result<StatusLine, Problem> {
        var at = 0
        let line = HTTPHead.line(bytes, &at)
        let blank = UInt8(ascii: " ")
        var place = 0
        guard let version = ASCII.element(bytes, &place, before: line.upperBound, separator: blank),
            let minor = HTTPHead.minorVersion(bytes.extracting(version)), minor >= 0,
            let code = ASCII.element(bytes, &place, before: line.upperBound, separator: blank)
        else {
            return .failure(Problem(text: "malformed HTTP response \(GoQuote.quote(UTF8Text.repaired(bytes.extracting(line))))"))
        }
        guard code.count == 3, let status = ASCII.decimal(bytes.extracting(code)), status >= 100 else {
            return .failure(Problem(text: "malformed HTTP status code \(GoQuote.quote(UTF8Text.repaired(bytes.extracting(code))))"))
        }
        let reason = place > line.upperBound ? "" : UTF8Text.repaired(bytes.extracting(place..<line.upperBound))
        return .success(StatusLine(minorVersion: minor, status: status, reason: reason, end: at))
    }

    /// What is wrong with the first line as soon as it is complete: a peer that speaks another protocol may send no more.
    private func firstLineProblem(_ bytes: Span<UInt8>) -> String? {
        guard bytes.firstIndex(of: UInt8(ascii: "\n"), in: 0..<bytes.count) != nil, case .failure(let problem) = Self.statusLine(bytes)
        else { return nil }
        return problem.text
    }

    /// The reason if this is no head of an answer.
    private mutating func takeHead(_ bytes: Span<UInt8>) -> String? {
        let statusLine: StatusLine
        switch Self.statusLine(bytes) {
        case .success(let line): statusLine = line
        case .failure(let problem): return problem.text
        }
        let status = statusLine.status
        var headers = HTTPHeaders()
        if let line = HTTPHead.answerFields(bytes, from: statusLine.end, into: &headers) { return "malformed MIME header line: " + line }
        if status < 200 && status != 101 { return nil }
        var length: Int?, isChunked = false, saysClose = false, saysKeepAlive = false, badLength: String?
        headers.forEach { name, value in
            if ASCII.equal(name, "content-length") {
                length = ASCII.decimal(value)
                if length == nil { badLength = UTF8Text.repaired(value) }
            } else if ASCII.equal(name, "transfer-encoding") {
                isChunked = ASCII.equal(value, "chunked")
            } else if ASCII.equal(name, "connection") {
                saysClose = saysClose || ASCII.list(value, contains: "close")
                saysKeepAlive = saysKeepAlive || ASCII.list(value, contains: "keep-alive")
            }
        }
        let isBodiless = status == 204 || status == 304 || status == 101
        // Where the length says nothing, it may say anything.
        if let badLength, !isBodiless, !isChunked { return "bad Content-Length \(GoQuote.quote(badLength))" }
        let hasNoBody = (methods.isEmpty ? "" : methods.removeFirst()) == "HEAD" || isBodiless
        if hasNoBody {
            body = .sized(0, limit: bodyLimit)
        } else if isChunked {
            body = .chunked(limit: bodyLimit)
        } else if let length {
            if length > bodyLimit { return "http: response body too large" }
            body = .sized(length, limit: bodyLimit)
        } else {
            body = .untilClose(limit: bodyLimit)
        }
        let endsWithConnection = !hasNoBody && !isChunked && length == nil
        head = HTTPClientResponse(
            status: status, reason: statusLine.reason, headers: headers, body: [],
            keepAlive: !saysClose && !endsWithConnection && (statusLine.minorVersion > 0 || saysKeepAlive))
        return nil
    }
}
