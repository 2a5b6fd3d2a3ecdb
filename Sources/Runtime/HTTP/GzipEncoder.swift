import CZlib
import Core

/// Compresses bodies with zlib, one after the other, with one stream that is made when it is first needed.
///
/// For one thread at a time; each I/O loop has its own.
public final class GzipEncoder: Compressor {
    /// A pointer, because the structure must not move: zlib remembers where it was.
    private var kept: UnsafeMutablePointer<z_stream>?

    /// The fastest. Answers are made for one reader each, most of them in the same data center: what is short is the processor.
    static let level: Int32 = 1

    public init() {}

    deinit {
        guard let stream = kept else { return }
        deflateEnd(stream)
        stream.deallocate()
    }

    public func gzip(_ bytes: [UInt8], into out: inout [UInt8]) {
        let stream = begin()
        let bound = Int(deflateBound(stream, UInt(bytes.count)))
        precondition(bound < Int(UInt32.max), "bodies are smaller than 4 GiB")
        let start = out.count
        out.append(contentsOf: repeatElement(0, count: bound))
        let written = bytes.withUnsafeBufferPointer { source in
            out.withUnsafeMutableBufferPointer { target -> Int in
                stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
                stream.pointee.avail_in = UInt32(source.count)
                stream.pointee.next_out = target.baseAddress! + start
                stream.pointee.avail_out = UInt32(bound)
                let code = deflate(stream, Z_FINISH)
                precondition(code == Z_STREAM_END, "deflateBound is enough for one call")
                return bound - Int(stream.pointee.avail_out)
            }
        }
        out.removeLast(bound - written)
    }

    public func stream() -> any CompressionStream { BodyCompression() }

    private func begin() -> UnsafeMutablePointer<z_stream> {
        if let kept {
            deflateReset(kept)
            return kept
        }
        let new = Self.make()
        kept = new
        return new
    }

    fileprivate static func make() -> UnsafeMutablePointer<z_stream> {
        let new = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        new.initialize(to: z_stream())
        precondition(czlib_gzip_begin(new, Self.level) == Z_OK, "zlib has memory for a stream")
        return new
    }
}

/// One long body, compressed slice by slice.
final class BodyCompression: CompressionStream {
    private let stream = GzipEncoder.make()

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    func append(_ bytes: [UInt8], isLast: Bool, to out: inout [UInt8]) {
        precondition(bytes.count < Int(UInt32.max), "slices are smaller than 4 GiB")
        bytes.withUnsafeBufferPointer { source in
            stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
            stream.pointee.avail_in = UInt32(source.count)
            var room = 0
            repeat {
                room = max(4_096, Int(stream.pointee.avail_in) / 2)
                let start = out.count
                out.append(contentsOf: repeatElement(0, count: room))
                out.withUnsafeMutableBufferPointer { target in
                    stream.pointee.next_out = target.baseAddress! + start
                    stream.pointee.avail_out = UInt32(room)
                    let code = deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
                    precondition(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR, "zlib goes on")
                }
                out.removeLast(Int(stream.pointee.avail_out))
                // Room left over: all input is taken.
            } while stream.pointee.avail_out == 0
            stream.pointee.next_in = nil
        }
    }
}
