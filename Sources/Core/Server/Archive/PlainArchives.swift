/// Archives that are not compressed, with sums that nobody could trust: what simulations and tests use in place of Runtime's.
///
/// A stream is a header like gzip's and pieces, each a length of two bytes and as many bytes; the last one is empty.
public struct PlainArchives: ArchiveTools {
    public init() {}
    public func makeGzip() -> any GzipStream { Gzip() }
    public func makeGunzip() -> any GunzipStream { Gunzip() }
    public func makeDigest() -> any DigestStream { Digest() }

    static func packed(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        Gzip().compress(bytes, isLast: true, into: &out)
        return out
    }

    static func unpacked(_ archive: [UInt8]) throws -> [UInt8] {
        var out: [UInt8] = []
        _ = try Gunzip().decompress(archive[...], limit: .max, into: &out)
        return out
    }

    private final class Gzip: GzipStream {
        private var hasBegun = false

        func compress(_ bytes: [UInt8], isLast: Bool, into out: inout [UInt8]) {
            if !hasBegun { out += [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF] }
            hasBegun = true
            for start in stride(from: 0, to: bytes.count, by: 0xFFFF) {
                let piece = bytes[start..<min(bytes.count, start + 0xFFFF)]
                out += [UInt8(piece.count >> 8), UInt8(piece.count & 0xFF)] + piece
            }
            if isLast { out += [0, 0] }
        }
    }

    private final class Gunzip: GunzipStream {
        private var header = 10
        private var length: [UInt8] = []
        private var left = 0
        private(set) var isAtEnd = false

        func decompress(_ input: ArraySlice<UInt8>, limit: Int, into out: inout [UInt8]) throws(TextError) -> Int {
            var room = limit
            for (taken, byte) in input.enumerated() {
                if header > 0 {
                    header -= 1
                } else if isAtEnd {
                    throw TextError("gzip: invalid header")
                } else if left == 0 {
                    length.append(byte)
                    if length.count < 2 { continue }
                    left = Int(length[0]) << 8 | Int(length[1])
                    length = []
                    isAtEnd = left == 0
                } else {
                    if room == 0 { return taken }
                    room -= 1
                    left -= 1
                    out.append(byte)
                }
            }
            return input.count
        }
    }

    private final class Digest: DigestStream {
        private var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ bytes: ArraySlice<UInt8>) { for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 } }
        func finish() -> [UInt8] { (0..<32).map { UInt8(truncatingIfNeeded: hash >> UInt64($0 % 8 * 8)) } }
    }
}
