/// Where a message on a TCP stream of memberlist ends (gossip §6). Both sides of a connection send one message each, at most.
public enum GossipStream {
    /// Of an encrypted message, by the reference.
    public static let sizeLimit = 20 << 20
    /// Of a message after decompression.
    static let decompressedLimit = 64 << 20

    public enum Progress: Hashable, Sendable {
        case complete
        case needsMore
        /// Will never be a message: hand over what there is, the machine knows the answer.
        case malformed
    }

    /// Whether `bytes` hold a whole message from its first byte on. More may follow it.
    ///
    /// An encrypted message has its length in front, and of a compressed one only three headers are looked at, so it is cheap to ask
    /// again with every part that comes in.
    public static func isComplete(_ bytes: [UInt8]) -> Progress {
        guard let first = bytes.first else { return .needsMore }
        guard let type = MessageType(rawValue: first) else { return .malformed }
        switch type {
        case .encrypt:
            guard let length = sealedLength(bytes[...]) else { return .needsMore }
            if length > sizeLimit { return .malformed }
            return bytes.count - 5 >= length ? .complete : .needsMore
        case .compress, .ping, .ack, .error, .pushPull, .user:
            do {
                try skipMessage(type, bytes[1...])
                return .complete
            } catch .truncated {
                return bytes.count > sizeLimit ? .malformed : .needsMore
            } catch {
                return .malformed
            }
        case .indirectPing, .suspect, .alive, .dead, .compound, .nack, .checksum:
            return .malformed
        }
    }

    /// The length that follows the type byte of an encrypted message.
    static func sealedLength(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= 5 else { return nil }
        return bytes.dropFirst().prefix(4).reduce(0) { $0 << 8 | Int($1) }
    }

    private static func skipMessage(_ type: MessageType, _ body: ArraySlice<UInt8>) throws(MessagePackError) {
        var reader = MessagePackReader(body)
        let following: Int
        switch type {
        case .pushPull:
            let header = try PushPullHeader(from: &reader)
            guard 0...MemberTable.limit ~= header.nodes else { throw .outOfRange }
            for _ in 0..<header.nodes { try reader.skip() }
            following = header.userStateLength
        case .user:
            following = try UserHeader(from: &reader).length
        default:
            try reader.skip()
            following = 0
        }
        guard following >= 0 else { throw .outOfRange }
        guard following <= reader.rest.count else { throw .truncated }
    }
}
