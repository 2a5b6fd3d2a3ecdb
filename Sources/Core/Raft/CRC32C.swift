/// CRC-32C (Castagnoli), the checksum of log and metadata records.
enum CRC32C {
    private static let check = ReflectedCRC32(polynomial: 0x82F6_3B78)

    /// The checksum of `bytes`; O(n).
    static func checksum(_ bytes: RawSpan) -> UInt32 { check.checksum(bytes) }

    static func checksum(_ bytes: [UInt8]) -> UInt32 { checksum(bytes.span.bytes) }
}
