import COpenSSL
import CZlib
import Core

/// What archives of snapshots are made with: zlib and OpenSSL.
public struct SystemArchiveTools: ArchiveTools {
    public init() {}
    public func makeGzip() -> any GzipStream { ZlibGzip() }
    public func makeGunzip() -> any GunzipStream { ZlibGunzip() }
    public func makeDigest() -> any DigestStream { SHA256Stream() }
}

/// Compresses to one gzip stream.
final class ZlibGzip: GzipStream {
    /// A pointer, because the structure must not move: zlib remembers where it was.
    private let stream: UnsafeMutablePointer<z_stream>

    /// As fast as it gets: the core loop does it, between other things.
    private static let level: Int32 = 1
    private static let roomMin = 16 << 10

    init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        precondition(czlib_gzip_begin(stream, Self.level) == Z_OK, "zlib has memory for a stream")
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
    }

    func compress(_ bytes: [UInt8], isLast: Bool, into out: inout [UInt8]) {
        precondition(bytes.count < Int(UInt32.max), "pieces are smaller than 4 GiB")
        bytes.withUnsafeBufferPointer { source in
            stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
            stream.pointee.avail_in = UInt32(source.count)
            repeat {
                out.append(room: max(Self.roomMin, source.count / 2)) { target in
                    stream.pointee.next_out = target.baseAddress
                    stream.pointee.avail_out = UInt32(target.count)
                    let code = deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
                    precondition(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR, "zlib compresses whatever it is given")
                    return target.count - Int(stream.pointee.avail_out)
                }
            } while stream.pointee.avail_out == 0
            stream.pointee.next_in = nil
        }
    }
}

/// Reads gzip streams, which may follow each other.
final class ZlibGunzip: GunzipStream {
    private let stream: UnsafeMutablePointer<z_stream>
    private(set) var isAtEnd = false

    init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        precondition(czlib_gunzip_begin(stream) == Z_OK, "zlib has memory for a stream")
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    func decompress(_ input: ArraySlice<UInt8>, limit: Int, into out: inout [UInt8]) throws(TextError) -> Int {
        precondition(input.count < Int(UInt32.max) && limit < Int(UInt32.max), "pieces are smaller than 4 GiB")
        var failure: TextError?
        var taken = 0
        input.withUnsafeBufferPointer { source in
            out.append(room: limit) { target in
                stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
                stream.pointee.avail_in = UInt32(source.count)
                stream.pointee.next_out = target.baseAddress
                stream.pointee.avail_out = UInt32(target.count)
                failure = inflateAll()
                taken = source.count - Int(stream.pointee.avail_in)
                stream.pointee.next_in = nil
                return target.count - Int(stream.pointee.avail_out)
            }
        }
        if let failure { throw failure }
        return taken
    }

    /// Until there is no more input, or no more room.
    private func inflateAll() -> TextError? {
        while true {
            if isAtEnd {
                if stream.pointee.avail_in == 0 { return nil }
                inflateReset(stream)
                isAtEnd = false
            }
            switch inflate(stream, Z_NO_FLUSH) {
            case Z_OK: if stream.pointee.avail_in == 0 || stream.pointee.avail_out == 0 { return nil }
            case Z_STREAM_END: isAtEnd = true
            case Z_BUF_ERROR: return nil
            case Z_NEED_DICT: return TextError("flate: a dictionary is needed")
            default: return damage
            }
        }
    }

    /// In Go's words, as far as zlib tells.
    private var damage: TextError {
        let text = stream.pointee.msg.map { String(cString: $0) } ?? ""
        switch text {
        case "incorrect header check", "unknown compression method", "unknown header flags set", "header crc mismatch":
            return TextError("gzip: invalid header")
        case "incorrect data check", "incorrect length check": return TextError("gzip: invalid checksum")
        default: return TextError("flate: corrupt input before offset \(stream.pointee.total_in)")
        }
    }
}

/// A SHA-256 of bytes that come in pieces.
final class SHA256Stream: DigestStream {
    private let context: OpaquePointer

    init() {
        context = EVP_MD_CTX_new()
        precondition(EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1, "OpenSSL provides this digest")
    }

    deinit { EVP_MD_CTX_free(context) }

    func add(_ bytes: ArraySlice<UInt8>) {
        let code = bytes.withUnsafeBytes { EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
        precondition(code == 1, "a digest takes whatever it is given")
    }

    func finish() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        precondition(EVP_DigestFinal_ex(context, &digest, nil) == 1, "a digest can be finished once")
        return digest
    }
}

extension [UInt8] {
    /// Appends as many bytes as `body` says that it has written to the room that it is given.
    fileprivate mutating func append(room: Int, _ body: (UnsafeMutableBufferPointer<UInt8>) -> Int) {
        let start = count
        append(contentsOf: repeatElement(0, count: room))
        let written = withUnsafeMutableBufferPointer { body(UnsafeMutableBufferPointer(rebasing: $0[start...])) }
        removeLast(room - written)
    }
}
