/// What an `HTTPParser` made of the bytes it got.
public enum HTTPEvent: Sendable {
    /// All input is consumed.
    case needsMore
    /// The client waits for leave to send the body: send `HTTPParser.continueResponse` and parse on.
    case expectsContinue
    case request(HTTPRequest, HTTPFraming)
    /// Send the failure's bytes and close.
    case failed(HTTPFailure)
}

/// Parses the requests of one connection (HTTP/1.0 and 1.1) from the bytes as they arrive.
///
/// Call `parse` until it needs more:
///
///     var at = 0
///     loop: while true {
///         switch parser.parse(input, at: &at) { case .needsMore: break loop ... }
///     }
///
/// Requests that come in one piece are parsed where they lie. Between calls the parser holds only an incomplete head or body, so an idle
/// connection holds nothing. A client may send requests before it has the answers; to hold it back, keep the rest of the input with `keep`
/// and stop reading. The errors are those of Go's server.
public struct HTTPParser: Sendable {
    public static let continueResponse = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    private struct Head {
        var request: HTTPRequest
        var framing: HTTPFraming
    }

    private let remoteAddress: String
    private let bodyLimit: Int
    private let archiveLimit: Int
    /// What came of an incomplete head, or was kept by the caller, from `heldAt` on.
    private var held: [UInt8] = []
    private var heldAt = 0
    /// Where in the held bytes to look on for the end of the head.
    private var scanned = 0
    /// The first line of an incomplete head is one.
    private var hasLine = false
    private var head: Head?
    private var body: HTTPBodyReader?
    private var failed = false

    /// `bodyLimit` in bytes; what is longer is answered with 413. Archives of snapshots may have `archiveLimit`, if it is more.
    public init(remoteAddress: String, bodyLimit: Int, archiveLimit: Int = 0) {
        self.remoteAddress = remoteAddress
        self.bodyLimit = bodyLimit
        self.archiveLimit = max(bodyLimit, archiveLimit)
    }

    /// Whether `parse` may find something without more input.
    public var hasInput: Bool { heldAt < held.count }

    /// Whether a request has begun and is not complete.
    public var isInsideRequest: Bool { head != nil || hasInput }

    /// Keeps input for later calls of `parse`.
    public mutating func keep(_ input: Span<UInt8>) { held.append(0..<input.count, of: input) }

    /// Parses from `at` on, which moves behind what was consumed.
    public mutating func parse(_ input: Span<UInt8>, at: inout Int) -> HTTPEvent {
        if failed {
            at = input.count
            return .needsMore
        }
        let event: HTTPEvent
        if held.isEmpty {
            event = step(input, &at)
            if case .needsMore = event, at < input.count {
                held.append(at..<input.count, of: input)
                at = input.count
            }
        } else {
            held.append(at..<input.count, of: input)
            at = input.count
            // Out of `self` while it is read, so that the step may change the rest.
            var bytes = held
            held = []
            var position = heldAt
            event = step(bytes.span, &position)
            if position == bytes.count {
                bytes = []
                position = 0
            } else if position >= 4_096 && position >= bytes.count / 2 {
                bytes.removeSubrange(..<position)
                position = 0
            }
            held = bytes
            heldAt = position
        }
        if case .failed = event { failed = true }
        return event
    }

    public mutating func parse(_ input: [UInt8], at: inout Int) -> HTTPEvent {
        parse(input.span, at: &at)
    }

    private mutating func step(_ input: Span<UInt8>, _ at: inout Int) -> HTTPEvent {
        if head != nil { return takeBody(input, &at) }
        // Empty lines before a request are ignored (RFC 7230 §3.5).
        while at < input.count && (input[at] == UInt8(ascii: "\r") || input[at] == UInt8(ascii: "\n")) { at += 1 }
        let bytes = input.extracting(at..<input.count)
        let seen = scanned
        guard let end = HTTPHead.end(bytes, from: &scanned) else {
            if bytes.count > HTTPHead.sizeLimit { return .failed(HTTPFailure(431)) }
            if hasLine || bytes.isEmpty { return .needsMore }
            // The beginning was looked at before, and the line goes on.
            if seen >= RequestLine.beginningSize, bytes.firstIndex(of: UInt8(ascii: "\n"), in: min(seen, bytes.count)..<bytes.count) == nil
            {
                return .needsMore
            }
            // What speaks another protocol is told so at once, not only when its idea of a head ends.
            var position = 0
            let line = HTTPHead.line(bytes, &position)
            let isWhole = bytes[position - 1] == UInt8(ascii: "\n")
            if isWhole ? RequestLine(bytes.extracting(line)) == nil : !RequestLine.mayBegin(bytes) { return .failed(HTTPFailure(400)) }
            hasLine = isWhole
            return .needsMore
        }
        scanned = 0
        hasLine = false
        if end > HTTPHead.sizeLimit { return .failed(HTTPFailure(431)) }
        at += end
        return takeHead(bytes.extracting(0..<end), input, &at)
    }

    private mutating func takeBody(_ input: Span<UInt8>, _ at: inout Int) -> HTTPEvent {
        guard var reader = body, var head else { return .failed(HTTPFailure(400)) }
        body = nil
        switch reader.take(input, &at) {
        case .more:
            body = reader
            return .needsMore
        case .done:
            self.head = nil
            head.request.body = reader.body
            return .request(head.request, head.framing)
        case .malformed: return .failed(HTTPFailure(400))
        case .tooLarge: return .failed(HTTPFailure(413))
        }
    }

    private mutating func takeHead(_ bytes: Span<UInt8>, _ input: Span<UInt8>, _ at: inout Int) -> HTTPEvent {
        var position = 0
        let text = bytes.extracting(HTTPHead.line(bytes, &position))
        guard let line = RequestLine(text) else { return .failed(HTTPFailure(400)) }
        let minor = line.minor
        var headers = HTTPHeaders()
        switch HTTPHead.fields(bytes, from: position, into: &headers) {
        case nil: break
        case .malformed: return .failed(HTTPFailure(400))
        case .invalidName: return .failed(HTTPFailure(400, "invalid header name"))
        case .invalidValue: return .failed(HTTPFailure(400, "invalid header value"))
        case .tooMany: return .failed(HTTPFailure(431))
        }
        var meaning = FieldMeaning(isHTTP10: minor == 0)
        headers.forEach { meaning.note($0, $1) }
        let method = UTF8Text.repaired(text.extracting(line.method))
        let request = HTTPRequest(
            method: method, target: Array(copying: text.extracting(line.target).bytes), fields: headers, body: [],
            contentLength: meaning.announcedLength,
            remoteAddress: remoteAddress)
        if let failure = meaning.failure(minor: minor, isConnect: method == "CONNECT") { return .failed(failure) }
        var framing = HTTPFraming()
        framing.isHead = method == "HEAD"
        framing.isHTTP10 = minor == 0
        framing.keepAlive = minor == 0 ? meaning.saysKeepAlive && !meaning.saysClose : !meaning.saysClose
        framing.acceptsGzip = meaning.acceptsGzip
        let length = meaning.announcedLength ?? 0
        if !meaning.isChunked && length == 0 { return .request(request, framing) }
        let limit = request.method == "PUT" && request.target.starts(with: "/v1/snapshot".utf8) ? archiveLimit : bodyLimit
        if length > limit { return .failed(HTTPFailure(413)) }
        body = meaning.isChunked ? .chunked(limit: limit) : .sized(length, limit: limit)
        head = Head(request: request, framing: framing)
        return meaning.expectsContinue ? .expectsContinue : takeBody(input, &at)
    }
}

/// The parts of `GET /v1/status/leader HTTP/1.1`.
private struct RequestLine {
    let method: Range<Int>
    let target: Range<Int>
    /// -1 for another major version than 1.
    let minor: Int

    /// nil for a line that is no request.
    @inline(__always)
    init?(_ line: Span<UInt8>) {
        guard let first = line.firstIndex(of: UInt8(ascii: " "), in: 0..<line.count),
            let second = line.firstIndex(of: UInt8(ascii: " "), in: (first + 1)..<line.count),
            let minor = HTTPHead.minorVersion(line.extracting((second + 1)..<line.count)),
            first > 0, second > first + 1
        else { return nil }
        for at in 0..<first where !ASCII.isToken(line[at]) { return nil }
        method = 0..<first
        target = (first + 1)..<second
        self.minor = minor
    }

    /// How much of a line is looked at to find its method: methods are short.
    static let beginningSize = 64

    /// Whether an incomplete line has a method, as far as it has come.
    static func mayBegin(_ bytes: Span<UInt8>) -> Bool {
        for at in 0..<min(beginningSize, bytes.count) {
            let byte = bytes[at]
            if byte == UInt8(ascii: " ") { return true }
            if !ASCII.isToken(byte) { return byte == UInt8(ascii: "\r") && bytes.count == 1 }
        }
        return true
    }
}

/// What the fields of a request say about its body and its connection.
private struct FieldMeaning {
    let isHTTP10: Bool
    var hosts = 0
    var hostIsValid = true
    var contentLength: Int?
    var lengthIsValid = true
    var transferEncodings = 0
    var isChunkedName = false
    var saysClose = false
    var saysKeepAlive = false
    var acceptsGzip = false
    var expectsContinue = false
    var expectsOther = false

    init(isHTTP10: Bool) { self.isHTTP10 = isHTTP10 }

    var isChunked: Bool { transferEncodings == 1 && isChunkedName }
    /// A chunked body has no length, whatever the header says.
    var announcedLength: Int? { transferEncodings > 0 ? nil : contentLength }

    @inline(__always)
    mutating func note(_ name: Span<UInt8>, _ value: Span<UInt8>) {
        switch name.count {
        case 4 where ASCII.equal(name, "host"):
            hosts += 1
            hostIsValid = Self.isHost(value)
        case 6 where ASCII.equal(name, "expect"):
            if ASCII.equal(value, "100-continue") { expectsContinue = !isHTTP10 } else { expectsOther = !value.isEmpty }
        case 10 where ASCII.equal(name, "connection"):
            saysClose = saysClose || ASCII.list(value, contains: "close")
            saysKeepAlive = saysKeepAlive || ASCII.list(value, contains: "keep-alive")
        case 14 where ASCII.equal(name, "content-length"):
            let length = ASCII.decimal(value)
            lengthIsValid = lengthIsValid && length != nil && (contentLength == nil || contentLength == length)
            contentLength = length
        case 15 where ASCII.equal(name, "accept-encoding"): acceptsGzip = acceptsGzip || Self.acceptsGzip(value)
        case 17 where ASCII.equal(name, "transfer-encoding") && !isHTTP10:
            transferEncodings += 1
            isChunkedName = ASCII.equal(value, "chunked")
        default: break
        }
    }

    private static func isHost(_ value: Span<UInt8>) -> Bool {
        for at in 0..<value.count where value[at] <= 0x20 || value[at] == 0x7F { return false }
        return true
    }

    /// `gzip` with a weight that is not zero.
    private static func acceptsGzip(_ value: Span<UInt8>) -> Bool {
        var at = 0
        while let element = ASCII.element(value, &at, before: value.count, separator: UInt8(ascii: ",")) {
            var place = element.lowerBound
            let semicolon = UInt8(ascii: ";")
            guard let coding = ASCII.element(value, &place, before: element.upperBound, separator: semicolon),
                ASCII.equal(value.extracting(ASCII.trimmed(value, coding)), "gzip")
            else { continue }
            while let parameter = ASCII.element(value, &place, before: element.upperBound, separator: semicolon) {
                let text = ASCII.trimmed(value, parameter)
                guard text.count >= 2, ASCII.equal(value.extracting(text.prefix(2)), "q=") else { continue }
                guard let weight = Double(UTF8Text.repaired(value.extracting(text.dropFirst(2)))) else { return false }
                return weight > 0
            }
            return true
        }
        return false
    }

    func failure(minor: Int, isConnect: Bool) -> HTTPFailure? {
        if transferEncodings > 0 && !isChunked { return HTTPFailure(501) }
        if !lengthIsValid { return HTTPFailure(400) }
        if minor < 0 { return HTTPFailure(505, "unsupported protocol version") }
        if hosts > 1 { return HTTPFailure(400, "too many Host headers") }
        if hosts == 0 && minor >= 1 && !isConnect { return HTTPFailure(400, "missing required Host header") }
        if !hostIsValid { return HTTPFailure(400, "malformed Host header") }
        if expectsOther { return HTTPFailure(417) }
        return nil
    }
}
