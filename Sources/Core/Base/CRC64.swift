/// CRC-64 of snapshots as the reference writes it into `meta.json`: ECMA polynomial, reflected (0xC96C5795D7870F42), initial value
/// and final exclusive-or all ones (rpc-raft-wire §8.1). Fed piece by piece.
public struct CRC64: Hashable, Sendable {
    private var state = ~UInt64(0)

    public init() {}

    /// The checksum of everything fed so far.
    public var value: UInt64 { ~state }

    private static let tables: [UInt64] = {
        var tables = [UInt64](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var value = UInt64(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ 0xC96C_5795_D787_0F42 : value >> 1 }
            tables[byte] = value
        }
        for byte in 0..<256 {
            for slice in 1..<8 {
                let before = tables[256 * (slice - 1) + byte]
                tables[256 * slice + byte] = (before >> 8) ^ tables[Int(before & 0xFF)]
            }
        }
        return tables
    }()

    /// O(n), eight bytes a step.
    public mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    private mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var crc = state
        Self.tables.withUnsafeBufferPointer { table in
            var at = 0
            let whole = bytes.count & ~7
            while at < whole {
                crc ^= UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
                let first = table[1792 + Int(crc & 0xFF)] ^ table[1536 + Int((crc >> 8) & 0xFF)]
                let second = table[1280 + Int((crc >> 16) & 0xFF)] ^ table[1024 + Int((crc >> 24) & 0xFF)]
                let third = table[768 + Int((crc >> 32) & 0xFF)] ^ table[512 + Int((crc >> 40) & 0xFF)]
                let fourth = table[256 + Int((crc >> 48) & 0xFF)] ^ table[Int(crc >> 56)]
                crc = first ^ second ^ third ^ fourth
                at += 8
            }
            while at < bytes.count {
                crc = (crc >> 8) ^ table[Int((crc ^ UInt64(bytes[at])) & 0xFF)]
                at += 1
            }
        }
        state = crc
    }
}
