/// Bytes on their way to a connection: small pieces share a buffer, so that many of them go out in one write; large ones are kept as
/// they came, without a copy.
public struct OutputQueue: Sendable {
    /// Pieces larger than this are not copied.
    static let copyMax = 16 << 10
    /// A shared buffer that has grown to this is followed by another one.
    static let bufferSize = 64 << 10
    /// What an idle connection may hold on to.
    static let idleCapacityMax = 4 << 10

    private var chunks: [[UInt8]] = []
    /// How much of the first chunk is sent.
    private var sent = 0
    /// The last chunk takes more pieces.
    private var isOpen = false
    /// Bytes that are not sent yet.
    public private(set) var count = 0

    public init() {}

    public var isEmpty: Bool { count == 0 }

    public mutating func append(_ bytes: [UInt8]) {
        if bytes.count > Self.copyMax {
            if count == 0 { chunks.removeAll() }
            chunks.append(bytes)
            isOpen = false
            count += bytes.count
        } else {
            write(bytes.count) { $0.append(contentsOf: bytes) }
        }
    }

    /// Lets `body` append about `size` bytes to a shared buffer.
    @inline(__always)
    mutating func write(_ size: Int, _ body: (inout [UInt8]) -> Void) {
        if !isOpen || (chunks[chunks.count - 1].count > 0 && chunks[chunks.count - 1].count + size > Self.bufferSize) {
            if count == 0 { chunks.removeAll() }
            chunks.append([])
            isOpen = true
        }
        let last = chunks.count - 1
        let before = chunks[last].count
        body(&chunks[last])
        count += chunks[last].count - before
    }

    /// The bytes that are next, nil when there are none.
    @inline(__always)
    public func withFirst<R>(_ body: (Span<UInt8>) -> R) -> R? {
        if count == 0 { return nil }
        let chunk = chunks[0]
        return body(chunk.span.extracting(sent..<chunk.count))
    }

    /// These many of the first bytes are sent; at most as many as `withFirst` showed.
    public mutating func removeFirst(_ size: Int) {
        precondition(size <= count && sent + size <= chunks[0].count, "no more is sent than there was")
        sent += size
        count -= size
        guard sent == chunks[0].count else { return }
        sent = 0
        if chunks.count == 1, isOpen, chunks[0].capacity <= Self.idleCapacityMax {
            chunks[0].removeAll(keepingCapacity: true)
        } else {
            chunks.removeFirst()
            if chunks.isEmpty { isOpen = false }
        }
    }

    public mutating func removeAll() { self = OutputQueue() }

    /// All that is waiting, in one piece; the queue is empty afterwards.
    public mutating func take() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while withFirst({ bytes.append(0..<$0.count, of: $0) }) != nil { removeFirst(chunks[0].count - sent) }
        return bytes
    }
}
