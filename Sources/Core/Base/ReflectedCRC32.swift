/// A 32-bit cyclic redundancy check with the bits of each byte from low to high, initial value and final exclusive-or all ones. Eight
/// table look-ups take eight bytes a step.
struct ReflectedCRC32: Sendable {
    /// Eight tables of 256 entries: `tables[256 * k + b]` is the effect of byte `b` followed by `k` zero bytes.
    private let tables: [UInt32]

    /// `polynomial`: its bits from low to high, too.
    init(polynomial: UInt32) {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var value = UInt32(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ polynomial : value >> 1 }
            tables[byte] = value
        }
        for byte in 0..<256 {
            for slice in 1..<8 {
                let before = tables[256 * (slice - 1) + byte]
                tables[256 * slice + byte] = (before >> 8) ^ tables[Int(before & 0xFF)]
            }
        }
        self.tables = tables
    }

    /// The checksum of `bytes`; O(n).
    func checksum(_ bytes: RawSpan) -> UInt32 { bytes.withUnsafeBytes { checksum($0) } }

    private func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        tables.withUnsafeBufferPointer { table in
            var crc = ~UInt32(0)
            var at = 0
            let whole = bytes.count & ~7
            while at < whole {
                let low = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)) ^ crc
                let high = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self))
                let first = table[1792 + Int(low & 0xFF)] ^ table[1536 + Int((low >> 8) & 0xFF)]
                let second = table[1280 + Int((low >> 16) & 0xFF)] ^ table[1024 + Int(low >> 24)]
                let third = table[768 + Int(high & 0xFF)] ^ table[512 + Int((high >> 8) & 0xFF)]
                let fourth = table[256 + Int((high >> 16) & 0xFF)] ^ table[Int(high >> 24)]
                crc = first ^ second ^ third ^ fourth
                at += 8
            }
            while at < bytes.count {
                crc = (crc >> 8) ^ table[Int((crc ^ UInt32(bytes[at])) & 0xFF)]
                at += 1
            }
            return ~crc
        }
    }
}
