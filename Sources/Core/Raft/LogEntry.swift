/// What an entry of the log is (rpc-raft-wire §6). The numbers are those of the wire and of the segments.
public enum LogKind: UInt8, Hashable, Sendable {
    /// Data is a command of the state machine, or a piece of one (then `extensions` holds a `ChunkInfo`).
    case command = 0
    /// The first entry of every term. No data.
    case noop = 1
    /// Deprecated: the full set of peers, as voters.
    case addPeer = 2
    /// Deprecated; carries the full resulting set as `addPeer` does.
    case removePeer = 3
    /// Changes nothing; once it is applied everything before it is. No data.
    case barrier = 4
    /// A `RaftConfiguration`.
    case configuration = 5

    /// Whether data of this kind replaces the cluster's configuration.
    @inlinable public var changesConfiguration: Bool { self == .configuration || self == .addPeer || self == .removePeer }
}

/// One entry of the replicated log.
public struct LogEntry: Hashable, Sendable {
    public var index: UInt64
    public var term: UInt64
    public var kind: LogKind
    public var data: [UInt8]
    /// Empty means none (nil on the wire).
    public var extensions: [UInt8]
    /// Of the proposal that this node made the entry from, 0 for none. Not replicated and not stored.
    public var token: UInt64

    @inlinable public init(
        index: UInt64, term: UInt64, kind: LogKind = .command, data: [UInt8] = [], extensions: [UInt8] = [], token: UInt64 = 0
    ) {
        self.index = index
        self.term = term
        self.kind = kind
        self.data = data
        self.extensions = extensions
        self.token = token
    }

    /// What the entry costs in memory, in bytes: its payload and about as much as the allocations around it.
    @inlinable var weight: Int { data.count + extensions.count + 96 }
}

/// Something to be put into the log. `token` (not 0) comes back with the committed entry or with the refusal, exactly once.
public struct Proposal: Hashable, Sendable {
    public var token: UInt64
    public var kind: LogKind
    public var data: [UInt8]
    public var extensions: [UInt8]

    @inlinable public init(token: UInt64, kind: LogKind = .command, data: [UInt8], extensions: [UInt8] = []) {
        self.token = token
        self.kind = kind
        self.data = data
        self.extensions = extensions
    }
}
