/// CRC-32 as in zlib and Ethernet.
enum CRC32 {
    private static let check = ReflectedCRC32(polynomial: 0xEDB8_8320)

    static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 { check.checksum(bytes.span.bytes) }
}
