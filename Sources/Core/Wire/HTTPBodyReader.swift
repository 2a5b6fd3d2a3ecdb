/// Collects a body as its bytes arrive, by length, in chunks or until the connection closes (RFC 7230 §3.3.3).
struct HTTPBodyReader: Sendable {
    enum Progress {
        case more
        case done
        /// The text is Go's.
        case malformed(String)
        case tooLarge
    }

    /// Bytes of chunk framing that are tolerated beyond 16 for each chunk plus twice its data, as in Go.
    static let framingSlack = 16 * 1_024
    static let lineLimit = 4_096

    private enum Place {
        case sized(left: Int)
        case chunkSize(ChunkSize)
        case chunk(left: Int)
        /// The line end after a chunk's data; how many of its two bytes were seen.
        case chunkEnd(seen: Int)
        case trailer(lineLength: Int)
        case untilClose
        case done
    }

    private struct ChunkSize {
        var value = 0
        var digits = 0
        /// Behind the digits: an extension or blanks, which are ignored.
        var afterDigits = false
        var lineLength = 0
    }

    private(set) var body: [UInt8] = []
    private var place: Place
    private var excess = 0
    private let limit: Int

    static func sized(_ length: Int, limit: Int) -> HTTPBodyReader {
        var reader = HTTPBodyReader(place: length == 0 ? .done : .sized(left: length), limit: limit)
        // The announced length is not trusted with more memory than a read or two would fill.
        reader.body.reserveCapacity(min(length, 1 << 18))
        return reader
    }

    static func chunked(limit: Int) -> HTTPBodyReader { HTTPBodyReader(place: .chunkSize(ChunkSize()), limit: limit) }
    static func untilClose(limit: Int) -> HTTPBodyReader { HTTPBodyReader(place: .untilClose, limit: limit) }

    private init(place: Place, limit: Int) {
        self.place = place
        self.limit = limit
    }

    /// Whether the body may end with the connection.
    var endsWithConnection: Bool {
        if case .untilClose = place { return true }
        return false
    }

    mutating func take(_ input: Span<UInt8>, _ at: inout Int) -> Progress {
        while true {
            switch place {
            case .done: return .done
            case .sized(let left):
                guard let count = copy(input, &at, left) else { return .tooLarge }
                place = count == left ? .done : .sized(left: left - count)
            case .chunk(let left):
                guard let count = copy(input, &at, left) else { return .tooLarge }
                place = count == left ? .chunkEnd(seen: 0) : .chunk(left: left - count)
            case .untilClose:
                if copy(input, &at, input.count - at) == nil { return .tooLarge }
                return .more
            case .chunkSize, .chunkEnd, .trailer:
                if at == input.count { return .more }
                let byte = input[at]
                at += 1
                if !takeFraming(byte) { return .malformed(problem) }
            }
            if case .done = place { return .done }
            if at == input.count { return .more }
        }
    }

    /// What is wrong where the byte that does not fit stands.
    private var problem: String {
        if case .chunkSize = place { "invalid byte in chunk length" } else { "malformed chunked encoding" }
    }

    /// The bytes that have arrived since the last call; they count no more against the limit.
    mutating func drain() -> [UInt8] {
        if body.isEmpty { return [] }
        defer { body = [] }
        return body
    }

    /// How many bytes there were to copy, nil if they exceed the limit.
    private mutating func copy(_ input: Span<UInt8>, _ at: inout Int, _ wanted: Int) -> Int? {
        let count = min(wanted, input.count - at)
        if body.count + count > limit { return nil }
        body.append(at..<at + count, of: input)
        at += count
        return count
    }

    /// One byte between the data of chunks; false if it is out of place.
    private mutating func takeFraming(_ byte: UInt8) -> Bool {
        switch place {
        case .chunkSize(var size):
            size.lineLength += 1
            if size.lineLength > Self.lineLimit { return false }
            if byte == UInt8(ascii: "\n") { return endChunkSize(size) }
            if size.afterDigits || byte == UInt8(ascii: "\r") || ASCII.isBlank(byte) || byte == UInt8(ascii: ";") {
                size.afterDigits = true
            } else {
                // 15 digits fit an Int, and no body is that long.
                guard let digit = hexValue(byte), size.digits < 15 else { return false }
                size.value = size.value << 4 | Int(digit)
                size.digits += 1
            }
            place = .chunkSize(size)
            return true
        case .chunkEnd(let seen):
            if byte != (seen == 0 ? UInt8(ascii: "\r") : UInt8(ascii: "\n")) { return false }
            place = seen == 0 ? .chunkEnd(seen: 1) : .chunkSize(ChunkSize())
            return true
        case .trailer(let lineLength):
            excess += 1
            if excess > Self.framingSlack { return false }
            if byte == UInt8(ascii: "\n") {
                place = lineLength == 0 ? .done : .trailer(lineLength: 0)
            } else if byte != UInt8(ascii: "\r") {
                place = .trailer(lineLength: lineLength + 1)
            }
            return true
        case .sized, .chunk, .untilClose, .done: return false
        }
    }

    private mutating func endChunkSize(_ size: ChunkSize) -> Bool {
        if size.digits == 0 { return false }
        excess = max(0, excess + size.lineLength + 2 - 16 - 2 * min(size.value, 1 << 40))
        if excess > Self.framingSlack { return false }
        place = size.value == 0 ? .trailer(lineLength: 0) : .chunk(left: size.value)
        return true
    }
}
