import Core

/// Takes an HTTP/1.x response apart as its bytes arrive. Used by the client of the command line and by HTTP checks.
struct HTTPResponseDecoder {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static let headSizeMax = 1 << 20

    private(set) var status = 0
    /// What follows the number on the status line: `Not Found`.
    private(set) var reason = ""
    private(set) var headers: [HTTPHeader] = []
    private(set) var isComplete = false

    private enum State {
        case head
        case sized(left: Int)
        case chunkSize
        case chunk(left: Int)
        case chunkEnd
        case trailer
        case untilClose
    }
    private var state = State.head
    private var line: [UInt8] = []
    private var headSize = 0
    private let hasNoBody: Bool

    /// `method` is the request's: the answer to HEAD has no body.
    init(method: String) { hasNoBody = method == "HEAD" }

    /// Whether the head has been read, so that `status` and `headers` are final.
    var hasHead: Bool {
        if case .head = state { return false }
        return true
    }

    func header(_ name: String) -> String? {
        let wanted = name.lowercased()
        return headers.first { $0.name.lowercased() == wanted }?.value
    }

    /// Takes bytes from position `at` on, up to and including the next piece of the body, which it returns; nil when all were taken.
    /// Bytes after the end of the response are left.
    mutating func take(_ bytes: UnsafeRawBufferPointer, at: inout Int) throws -> UnsafeRawBufferPointer? {
        while at < bytes.count, !isComplete {
            switch state {
            case .head, .chunkSize, .chunkEnd, .trailer:
                guard let end = bytes[at...].firstIndex(of: 0x0A) else {
                    try keep(bytes[at...])
                    at = bytes.count
                    return nil
                }
                try keep(bytes[at..<end])
                at = end + 1
                if line.last == 0x0D { line.removeLast() }
                try takeLine()
                line.removeAll(keepingCapacity: true)
            case .sized(let left):
                let count = min(left, bytes.count - at)
                state = .sized(left: left - count)
                if left == count { isComplete = true }
                return piece(of: bytes, at: &at, count)
            case .chunk(let left):
                let count = min(left, bytes.count - at)
                state = left == count ? .chunkEnd : .chunk(left: left - count)
                return piece(of: bytes, at: &at, count)
            case .untilClose:
                return piece(of: bytes, at: &at, bytes.count - at)
            }
        }
        return nil
    }

    private func piece(of bytes: UnsafeRawBufferPointer, at: inout Int, _ count: Int) -> UnsafeRawBufferPointer {
        defer { at += count }
        return UnsafeRawBufferPointer(rebasing: bytes[at..<at + count])
    }

    /// The connection has been closed by the server.
    mutating func end() throws {
        if isComplete { return }
        switch state {
        case .untilClose: isComplete = true
        case .head where headSize == 0: throw Failure(description: "EOF")
        default: throw Failure(description: "unexpected EOF")
        }
    }

    private mutating func keep(_ bytes: Slice<UnsafeRawBufferPointer>) throws {
        headSize += bytes.count + 1
        if headSize > Self.headSizeMax {
            throw Failure(description: "net/http: server response headers exceeded \(Self.headSizeMax) bytes; aborted")
        }
        line.append(contentsOf: bytes)
    }

    private mutating func takeLine() throws {
        switch state {
        case .head:
            if status == 0 {
                try takeStatusLine()
            } else if line.isEmpty {
                try takeEndOfHead()
            } else {
                try takeHeader()
            }
        case .chunkSize:
            let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
            guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 16), size >= 0 else {
                throw Failure(description: "invalid byte in chunk length")
            }
            headSize = 0
            state = size == 0 ? .trailer : .chunk(left: size)
        case .chunkEnd:
            guard line.isEmpty else { throw Failure(description: "malformed chunked encoding") }
            state = .chunkSize
        case .trailer:
            if line.isEmpty { isComplete = true }
        case .sized, .chunk, .untilClose: break
        }
    }

    private mutating func takeStatusLine() throws {
        let text = String(decoding: line, as: UTF8.self)
        let parts = text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[0].utf8.starts(with: "HTTP/1.".utf8) else {
            throw Failure(description: "malformed HTTP response \"\(text)\"")
        }
        guard parts[1].utf8.count == 3, let code = Int(parts[1]), code >= 100 else {
            throw Failure(description: "malformed HTTP status code \"\(parts[1])\"")
        }
        status = code
        reason = parts.count == 3 ? String(parts[2]) : ""
    }

    private mutating func takeHeader() throws {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0 else {
            throw Failure(description: "malformed MIME header line: " + String(decoding: line, as: UTF8.self))
        }
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
        var value = line[(colon + 1)...].drop(while: isBlank)
        while let last = value.last, isBlank(last) { value.removeLast() }
        headers.append(HTTPHeader(String(decoding: line[..<colon], as: UTF8.self), String(decoding: value, as: UTF8.self)))
    }

    private mutating func takeEndOfHead() throws {
        if status < 200 && status != 101 {
            // An interim answer: the real one follows.
            status = 0
            headers = []
            return
        }
        headSize = 0
        if hasNoBody || status == 204 || status == 304 {
            isComplete = true
            state = .sized(left: 0)
        } else if header("Transfer-Encoding")?.lowercased() == "chunked" {
            state = .chunkSize
        } else if let text = header("Content-Length") {
            guard let size = Int(text), size >= 0 else { throw Failure(description: "bad Content-Length \"\(text)\"") }
            state = .sized(left: size)
            isComplete = size == 0
        } else {
            state = .untilClose
        }
    }
}
