/// A 64-bit FNV-1a over everything that happened, taken eight bytes at a time; high bits are folded down after each step, since
/// multiplication alone never carries them there.
///
/// Two runs with the same digest took the same course. It is no defence against anybody who wants a collision.
struct EventDigest: Equatable {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    @inline(__always) mutating func mix(_ word: UInt64) {
        value = (value ^ word) &* 0x0000_0100_0000_01B3
        value ^= value >> 32
    }

    mutating func mix(_ bytes: [UInt8]) {
        mix(UInt64(bytes.count))
        bytes.withUnsafeBytes { raw in
            var at = 0
            while at + 8 <= raw.count {
                mix(UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: at, as: UInt64.self)))
                at += 8
            }
            guard at < raw.count else { return }
            var tail: UInt64 = 0
            var shift: UInt64 = 0
            while at < raw.count {
                tail |= UInt64(raw[at]) << shift
                shift += 8
                at += 1
            }
            mix(tail)
        }
    }

    mutating func mix(_ text: String) {
        mix(Array(text.utf8))
    }
}
