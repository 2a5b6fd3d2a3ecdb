// The checksum of `meta.json`: the last key of the object, the CRC-32C of all bytes before it as 8 hexadecimal digits. The reference
// ignores keys that it does not know; files without the key are the reference's or an older version's.

extension SnapshotMeta {
    private static let checksumKey = Array(",\"MetaCRC\":\"".utf8)
    private static let checksumEnd = Array("\"}\n".utf8)

    /// Puts the checksum at the end of an encoded object.
    static func sealed(_ object: [UInt8]) -> [UInt8] {
        var bytes = Array(object.dropLast())
        let checksum = CRC32C.checksum(bytes)
        bytes += checksumKey
        for shift in stride(from: 24, through: 0, by: -8) { bytes.append(hex: UInt8(truncatingIfNeeded: checksum >> UInt32(shift))) }
        return bytes + checksumEnd
    }

    /// Whether the file is as it was written, as far as it can be told; `name` is its folder's.
    static func isIntact(_ bytes: [UInt8], name: String, _ meta: SnapshotMeta) -> Bool {
        if let name = SnapshotName(name), (name.term, name.index) != (meta.term, meta.index) { return false }
        guard bytes.contains(sequence: checksumKey) else { return true }
        let size = checksumKey.count + 8 + checksumEnd.count
        return bytes.count > size && sealed(bytes.dropLast(size) + [UInt8(ascii: "}")]) == bytes
    }
}

extension [UInt8] {
    fileprivate func contains(sequence: [UInt8]) -> Bool {
        guard count >= sequence.count else { return false }
        return (0...(count - sequence.count)).contains { self[$0] == sequence[0] && self[$0..<$0 + sequence.count].elementsEqual(sequence) }
    }
}
