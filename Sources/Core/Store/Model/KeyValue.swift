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

public struct SessionServiceCheck: Hashable, Sendable {
    public var id = ""
    public var namespace = ""
    public init() {}
}

/// Spec: http-2 §3.
public struct Session: Hashable, Sendable {
    public var id = ""
    public var name = ""
    public var node = ""
    public var lockDelay: Duration = .zero
    /// `release` or `delete`.
    public var behavior = ""
    /// The text as the client gave it; empty for none.
    public var ttl = ""
    public var nodeChecks: [String]?
    public var serviceChecks: [SessionServiceCheck]?
    /// Deprecated, before 1.7.
    public var checks: [String]?
    public var index = RaftIndex()
    public init() {}
}
