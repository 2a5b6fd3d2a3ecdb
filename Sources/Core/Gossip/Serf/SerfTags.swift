/// The tags of a member as memberlist carries them, in the `Meta` of its node (gossip §11.2).
public enum SerfTags {
    /// What tags begin with; anything else is the value of the tag `role`, as before Serf had tags.
    static let magic: UInt8 = 0xFF

    /// Of the encoded form.
    public static let limit = 512

    public static func encode(_ tags: StringMap) -> [UInt8] {
        var writer = MessagePackWriter(reservingCapacity: 256)
        writer.bytes.append(magic)
        writer.stringMap(tags)
        return writer.bytes
    }

    /// Of a map that breaks off, the tags before that.
    public static func decode(_ meta: [UInt8]) -> StringMap {
        guard meta.first == magic else { return ["role": String(repairing: meta)] }
        var tags: [(String, String)] = []
        var reader = MessagePackReader(meta[1...])
        do throws(MessagePackError) {
            for _ in 0..<(try reader.mapHeader() ?? 0) {
                let name = try reader.gossipString()
                tags.append((name, try reader.gossipString()))
            }
        } catch {
            // The reference logs it and goes on with what it has.
        }
        return StringMap(tags)
    }
}
