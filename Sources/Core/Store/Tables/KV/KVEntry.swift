/// One entry of the key/value store without its key, which is the key of its table. Spec: http-2 §2.1.
public struct KVEntry: Hashable, Sendable {
    public var value: [UInt8] = []
    /// The session that holds the lock, in the spelling of the request that acquired it; empty when unlocked.
    public var session = ""
    public var flags: UInt64 = 0
    public var lockIndex: UInt64 = 0
    public var index = RaftIndex()
    public init() {}
}

/// An entry with its key: what requests and answers carry (`DirEntry` on the wire).
public struct DirEntry: Hashable, Sendable {
    public var key: ByteString
    public var entry: KVEntry
    public init(key: ByteString = ByteString([]), entry: KVEntry = KVEntry()) {
        self.key = key
        self.entry = entry
    }
}
