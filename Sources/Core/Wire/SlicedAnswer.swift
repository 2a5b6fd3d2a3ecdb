/// What makes a body, or the rest of one, while it is sent.
///
/// A value: whoever copies it gets the same bytes again. What it reads from must not change meanwhile (arrays and persistent maps do not).
public protocol BodySource: Sendable {
    /// Appends the next bytes: about `size` of them, more by at most one row, fewer (even none) when much was passed over. Whether there is
    /// more; not to be called again once there is not.
    mutating func append(_ size: Int, to out: inout [UInt8]) -> Bool
}

/// A source as answers carry it: one word, shared by all copies of the answer.
public final class BodyRest: Sendable {
    public let source: any BodySource
    public init(_ source: any BodySource) { self.source = source }
}

extension HTTPResponse {
    /// All bytes of the body, made at once.
    public var wholeBody: [UInt8] {
        var bytes = body
        guard var source = rest?.source else { return bytes }
        while source.append(1 << 20, to: &bytes) {}
        return bytes
    }
}

/// An answer under way: its head is written, its body follows in slices as the peer takes them.
///
/// Not a value once it compresses: the stream behind it moves on with every slice.
public struct SlicedAnswer {
    /// What is made and not sent yet, from `at` on.
    private var body: [UInt8]
    private var at = 0
    private var rest: (any BodySource)?
    private let gzip: (any CompressionStream)?
    private let isChunked: Bool
    /// Bytes of memory that are not given back before all is sent (`HTTPResponse.retained`).
    public let retained: Int

    /// Bytes of the body in a slice, before compression: some 0.1 ms of work.
    public static let sliceSize = 64 << 10
    /// Bodies up to this size are written at once.
    public static let wholeMax = 128 << 10

    fileprivate init(_ response: HTTPResponse, _ gzip: (any CompressionStream)?, isChunked: Bool) {
        body = response.body
        rest = response.rest?.source
        retained = response.retained ?? (response.rest == nil ? response.body.count : 0)
        self.gzip = gzip
        self.isChunked = isChunked
    }

    /// Bytes that sending the answer takes besides what is to be sent: the stream's tables.
    public var heldBytes: Int { gzip == nil ? 0 : 256 << 10 }

    /// Appends the next slice; whether there is more.
    public mutating func append(_ size: Int = SlicedAnswer.sliceSize, to out: inout [UInt8]) -> Bool {
        if gzip == nil && !isChunked { return appendBody(size, to: &out) }
        var slice: [UInt8] = []
        let isMore = appendBody(size, to: &slice)
        if let gzip {
            var compressed: [UInt8] = []
            gzip.append(slice, isLast: !isMore, to: &compressed)
            slice = compressed
        }
        if isChunked {
            HTTPSerializer.appendChunk(slice, to: &out)
            if !isMore { HTTPSerializer.appendLastChunk(to: &out) }
        } else {
            out.append(contentsOf: slice)
        }
        return isMore
    }

    private mutating func appendBody(_ size: Int, to out: inout [UInt8]) -> Bool {
        if at < body.count {
            let end = min(body.count, at + max(1, size))
            out.append(contentsOf: body[at..<end])
            at = end
            if at < body.count { return true }
            body = []
            at = 0
            return rest != nil
        }
        guard rest != nil else { return false }
        return rest!.append(size, to: &out)
    }
}

extension HTTPSerializer {
    /// Appends a short answer whole, of a long one the head; `rest` is what follows then. Close the connection after it unless `isOpen`.
    public static func begin(
        _ response: HTTPResponse, framing: HTTPFraming, date: [UInt8], to out: inout [UInt8], compressor: inout some Compressor
    ) -> (isOpen: Bool, rest: SlicedAnswer?) {
        if response.rest == nil && (response.body.count <= SlicedAnswer.wholeMax || framing.isHead) {
            return (append(response, framing: framing, date: date, to: &out, compressor: &compressor), nil)
        }
        let gzip = framing.acceptsGzip && response.wrapped ? compressor.stream() : nil
        let length = response.isSized && gzip == nil && response.rest == nil ? response.body.count : nil
        let isOpen = appendHead(response, framing, date, length: length, isCompressed: gzip != nil, to: &out)
        if framing.isHead { return (isOpen, nil) }
        return (isOpen, SlicedAnswer(response, gzip, isChunked: length == nil && !framing.isHTTP10))
    }
}
