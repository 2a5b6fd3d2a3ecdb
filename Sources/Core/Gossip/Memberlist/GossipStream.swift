/// The sizes of messages on TCP streams of memberlist (gossip §6).
enum GossipStream {
    /// Of an encrypted message, by the reference.
    static let sizeLimit = 20 << 20
    /// Of a message after decompression.
    static let decompressedLimit = 64 << 20

    /// The length that follows the type byte of an encrypted message.
    static func sealedLength(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.count >= 5 else { return nil }
        return bytes.dropFirst().prefix(4).reduce(0) { $0 << 8 | Int($1) }
    }
}
