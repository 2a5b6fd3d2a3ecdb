// Entries on the wire, in the log and in snapshots. Spec: rpc-raft-wire §4.

extension DirEntry: WireStruct {
    init() { self.init(key: ByteString([])) }

    mutating func read(_ name: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch name {
        case "CreateIndex": entry.index.create = try reader.uint64()
        case "Flags": entry.flags = try reader.uint64() & (planted(.flagsTruncated) ? 0xFFFF_FFFF : .max)
        case "Key": key = try reader.byteString()
        case "LockIndex": entry.lockIndex = try reader.uint64() * (planted(.lockIndexNotDecoded) ? 0 : 1)
        case "ModifyIndex": entry.index.modify = try reader.uint64()
        case "Session": entry.session = try reader.string()
        case "Value": entry.value = try reader.bytes()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) { Self.encode(key, entry, into: &writer) }

    /// An empty value cannot be told from none.
    static func encode(_ key: ByteString, _ entry: KVEntry, into writer: inout MessagePackWriter) {
        writer.mapHeader(7)
        writer.field("CreateIndex", entry.index.create)
        writer.field("Flags", entry.flags)
        writer.field("Key", key)
        writer.field("LockIndex", entry.lockIndex)
        writer.field("ModifyIndex", entry.index.modify)
        writer.field("Session", entry.session)
        writer.field("Value", entry.value.isEmpty ? nil : entry.value)
    }
}
