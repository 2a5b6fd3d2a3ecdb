/// Who a node is: with Raft protocol 3 the id is the node's UUID. The address is what peers dial and what votes name.
public struct RaftIdentity: Hashable, Sendable {
    public var id: String
    public var address: Address

    public init(id: String, address: Address) {
        self.id = id
        self.address = address
    }
}

/// The settings of a `RaftNode`, hence over 15 stored variables. Defaults are the reference's at `raft_multiplier` 1; see `scaled(by:)`. Spec: rpc-raft-wire §5.5.
public struct RaftConfig: Sendable {
    /// A follower that hears nothing for a random time in [t, 2t) asks for votes.
    public var heartbeatTimeout: Duration = .milliseconds(1000)
    /// A candidate tries again after a random time in [t, 2t).
    public var electionTimeout: Duration = .milliseconds(1000)
    /// A leader that does not hear from a quorum for this long steps down. At most the heartbeat timeout.
    public var leaderLeaseTimeout: Duration = .milliseconds(500)
    /// A follower that is sent no entries learns of a new commit index after a random time in [t, 2t).
    public var commitTimeout: Duration = .milliseconds(50)

    /// How often it is considered to take a snapshot: every random [t, 2t).
    public var snapshotInterval: Duration = .seconds(30)
    /// A snapshot is taken once this many entries were applied since the last one.
    public var snapshotThreshold: UInt64 = 16_384
    /// Entries kept behind a snapshot, so that slow followers need no InstallSnapshot.
    public var trailingLogs: UInt64 = 10_240
    public var snapshotsRetained = 2

    /// Entries in one AppendEntries, as many as the reference sends.
    public var appendEntriesMax = 64
    /// The same towards peers that are known to be of our kind.
    public var appendEntriesMaxExtended = 512
    /// Payload of one AppendEntries, in bytes; a single larger entry still goes.
    public var appendBytesMax = 512 << 10
    /// Unanswered AppendEntries per follower.
    public var inflightMax = 128
    /// Payload of the unanswered AppendEntries per follower, in bytes.
    public var inflightBytesMax = 8 << 20

    /// Recent entries kept in memory, in bytes; older ones are read from disk when a follower needs them.
    public var cacheBytesMax = 8 << 20
    /// Payload of entries that are proposed but not committed, in bytes; proposals beyond it are refused.
    public var uncommittedBytesMax = 64 << 20
    /// A segment of the log is followed by the next once it is this long, in bytes.
    public var segmentSize = 16 << 20
    /// Bytes read from the log at once, for followers that lag behind and for replay.
    public var readSize = 1 << 20
    /// Bytes of a snapshot that are read, written or sent at once.
    public var snapshotChunkSize = 256 << 10

    /// How long a write waits before it is tried again when the disk is full.
    public var diskFullRetry: Duration = .seconds(1)
    /// Added to an `Instant` to get nanoseconds since 1970: names of snapshots hold a time.
    public var wallClockOffset: Int64 = 0

    public init() {}

    /// The pace of heartbeats, about: at most a tenth of the time after which a silent leader is lost, and less than the 200 ms that
    /// autopilot allows a healthy follower to have heard nothing.
    var heartbeatInterval: Duration { min(heartbeatTimeout / 10, .milliseconds(100)) }

    /// A follower to which nothing has to be replicated gets an AppendEntries without entries this often, besides its heartbeats: one that
    /// has started again learns of the commit index from it, and one whose disk has lost entries is noticed.
    var idleAppendInterval: Duration { .seconds(1) }

    /// How long an AppendEntries or a vote may stay unanswered before it is given up: the reference's 10 s, less where elections are quick.
    var callTimeout: Duration { min(.seconds(10), max(.seconds(1), heartbeatTimeout)) }

    /// The reference's limit for sending `size` bytes of a snapshot.
    func snapshotTimeout(size: Int) -> Duration { max(.seconds(10), .seconds(10) * (size / 262_144)) }
}
