/// Compresses the bodies of answers; Runtime supplies one made of zlib.
public protocol Compressor {
    /// A whole gzip stream (RFC 1952) of `bytes`, appended to `out`.
    mutating func gzip(_ bytes: [UInt8], into out: inout [UInt8])
    /// A stream of its own, for a body that is made in slices.
    func stream() -> any CompressionStream
}

/// A gzip stream (RFC 1952) that grows as bytes come.
public protocol CompressionStream: AnyObject {
    /// Appends what the bytes come to, perhaps nothing yet; the last ones end the stream.
    func append(_ bytes: [UInt8], isLast: Bool, to out: inout [UInt8])
}

/// Turns answers and requests into bytes (http-1 §1.4).
public enum HTTPSerializer {
    /// Bodies up to this size, in bytes, are announced by their length; longer ones are sent in one chunk.
    public static let sizedBodyLimit = 2_048

    /// Appends the whole answer, however long. `date` is the value of the `Date` header. Close the connection after it unless this returns true.
    @discardableResult
    public static func append(
        _ response: HTTPResponse, framing: HTTPFraming, date: [UInt8], to out: inout [UInt8], compressor: inout some Compressor
    ) -> Bool {
        if framing.acceptsGzip && response.wrapped && (!response.body.isEmpty || response.hasEmptyBody) {
            var response = response
            response.body = response.wholeBody
            if response.hasEmptyBody {
                response.headers.append(("Content-Type", "text/plain; charset=utf-8"))
                response.headers.sort { $0.name < $1.name }
            }
            var compressed: [UInt8] = []
            compressor.gzip(response.body, into: &compressed)
            return append(response, body: compressed, isCompressed: true, framing, date, &out)
        }
        return append(response, body: response.wholeBody, isCompressed: false, framing, date, &out)
    }

    /// Appends the whole answer, never compressed.
    @discardableResult
    public static func append(_ response: HTTPResponse, framing: HTTPFraming, date: [UInt8], to out: inout [UInt8]) -> Bool {
        append(response, body: response.wholeBody, isCompressed: false, framing, date, &out)
    }

    private static func append(
        _ response: HTTPResponse, body: [UInt8], isCompressed: Bool, _ framing: HTTPFraming, _ date: [UInt8], _ out: inout [UInt8]
    ) -> Bool {
        let isSized = body.count <= sizedBodyLimit || (response.isSized && !isCompressed)
        let isChunked = !isSized && !framing.isHTTP10 && !framing.isHead
        out.reserveCapacity(out.count + 512 + body.count)
        let open = appendFields(response, framing, date, isCompressed: isCompressed, to: &out)
        if isChunked {
            appendConnection(open, framing, &out)
            out.append(text: "Transfer-Encoding: chunked\r\n\r\n")
            appendChunk(body, to: &out)
            appendLastChunk(to: &out)
        } else {
            if response.status != 204 && response.status != 304 {
                out.append(text: "Content-Length: ")
                out.append(decimal: body.count)
                out.append(text: "\r\n")
            }
            appendConnection(open, framing, &out)
            out.append(text: "\r\n")
            if !framing.isHead { out.append(contentsOf: body) }
        }
        return open
    }

    /// Appends the head of an answer whose body follows in pieces, each by `appendChunk`, the end by `appendLastChunk`. To a client of
    /// HTTP/1.0 the pieces are sent as they are, and the end of the connection is the end of the body.
    @discardableResult
    public static func appendStreamHead(
        _ response: HTTPResponse, framing: HTTPFraming, date: [UInt8], to out: inout [UInt8]
    ) -> Bool {
        appendHead(response, framing, date, length: nil, isCompressed: false, to: &out)
    }

    /// `length` as announced; nil for a body that ends with its last chunk, or with the connection.
    static func appendHead(
        _ response: HTTPResponse, _ framing: HTTPFraming, _ date: [UInt8], length: Int?, isCompressed: Bool, to out: inout [UInt8]
    ) -> Bool {
        var response = response
        response.close = response.close || (framing.isHTTP10 && length == nil)
        let open = appendFields(response, framing, date, isCompressed: isCompressed, to: &out)
        if let length {
            out.append(text: "Content-Length: ")
            out.append(decimal: length)
            out.append(text: "\r\n")
        }
        appendConnection(open, framing, &out)
        out.append(text: length != nil || framing.isHTTP10 ? "\r\n" : "Transfer-Encoding: chunked\r\n\r\n")
        return open
    }

    /// One chunk; nothing for no bytes, since an empty chunk would end the body.
    public static func appendChunk(_ bytes: [UInt8], to out: inout [UInt8]) {
        if bytes.isEmpty { return }
        var started = false
        for place in stride(from: 60, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: bytes.count >> place & 15)
            started = started || digit > 0
            if started { out.append(hexDigit(digit)) }
        }
        out.append(text: "\r\n")
        out.append(contentsOf: bytes)
        out.append(text: "\r\n")
    }

    public static func appendLastChunk(to out: inout [UInt8]) { out.append(text: "0\r\n\r\n") }

    /// Status line, the answer's own fields and the date. Returns whether the connection stays open.
    private static func appendFields(
        _ response: HTTPResponse, _ framing: HTTPFraming, _ date: [UInt8], isCompressed: Bool, to out: inout [UInt8]
    ) -> Bool {
        out.append(text: framing.isHTTP10 ? "HTTP/1.0 " : "HTTP/1.1 ")
        if response.status == 200 {
            out.append(text: "200 OK\r\n")
        } else {
            out.append(decimal: response.status)
            out.append(UInt8(ascii: " "))
            let name = HTTPStatus.text(response.status)
            if name.isEmpty {
                out.append(text: "status code ")
                out.append(decimal: response.status)
            } else {
                out.append(text: name)
            }
            out.append(text: "\r\n")
        }
        var needsEncoding = isCompressed
        for (name, value) in response.headers {
            if needsEncoding && name > "Content-Encoding" {
                out.append(text: "Content-Encoding: gzip\r\n")
                needsEncoding = false
            }
            appendField(name, value, to: &out)
        }
        if needsEncoding { out.append(text: "Content-Encoding: gzip\r\n") }
        out.append(text: "Date: ")
        out.append(contentsOf: date)
        out.append(text: "\r\n")
        return framing.keepAlive && !response.close
    }

    private static func appendConnection(_ open: Bool, _ framing: HTTPFraming, _ out: inout [UInt8]) {
        if framing.isHTTP10 {
            if open { out.append(text: "Connection: keep-alive\r\n") }
        } else if !open {
            out.append(text: "Connection: close\r\n")
        }
    }

    /// Line ends inside a value become blanks, so that no value can forge a field.
    private static func appendField(_ name: String, _ value: String, to out: inout [UInt8]) {
        out.append(text: name)
        out.append(text: ": ")
        let start = out.count
        out.append(text: value)
        for at in start..<out.count where out[at] == UInt8(ascii: "\r") || out[at] == UInt8(ascii: "\n") { out[at] = UInt8(ascii: " ") }
        out.append(text: "\r\n")
    }

    /// A client's request. `Host` comes from the caller's headers; the length is announced for every request with a body and for PUT and POST.
    public static func append(_ request: HTTPRequest, to out: inout [UInt8]) {
        out.append(text: request.method)
        out.append(UInt8(ascii: " "))
        out.append(contentsOf: request.target)
        out.append(text: " HTTP/1.1\r\n")
        for (name, value) in request.headers { appendField(name, value, to: &out) }
        if !request.body.isEmpty || request.method == "PUT" || request.method == "POST" {
            out.append(text: "content-length: ")
            out.append(decimal: request.body.count)
            out.append(text: "\r\n")
        }
        out.append(text: "\r\n")
        out.append(contentsOf: request.body)
    }
}
