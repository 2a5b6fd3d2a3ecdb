/// A part of the state that a blocked query waits for, or that a change touched. Names inside are keys of tables.
public enum WatchTopic: Hashable, Sendable {
    /// Any row of a table.
    case table(StoreTable)
    case kvKey(ByteString)
    /// Every key that starts so; the empty prefix stands for the whole key/value store.
    case kvPrefix(ByteString)
    case session(ByteString)
    case nodeSessions(ByteString)
    case node(ByteString)
    case nodeServices(ByteString)
    case nodeChecks(ByteString)
    /// The index entry of a service: its instances, their nodes and their checks.
    case serviceIndex(ByteString)
    /// The instances through which a service is reached by Connect.
    case connect(ByteString)
    case serviceChecks(ByteString)
    case checksInState(ByteString)
    /// The last instance of some service disappeared.
    case extinction
}

/// Tables that can be watched as a whole.
public enum StoreTable: UInt8, Hashable, Sendable {
    case nodes, services, checks, sessions, coordinates, gatewayServices
    case preparedQueries, intentions, caRoots, caConfig, caProviderState, configEntries, federationStates, autopilot
    case aclTokens, aclPolicies, aclRoles, aclBindingRules, aclAuthMethods
}

/// What applying commands changed: for blocked readers, and for the leader's duties that follow from it.
public struct ChangeSet: Sendable {
    public enum SessionChange: Sendable {
        case created(Row<Session>)
        case ended(Row<Session>)
    }

    /// May hold a topic more than once.
    public private(set) var topics: [WatchTopic] = []
    /// In order; the leader keeps timers of sessions with a TTL.
    public private(set) var sessions: [SessionChange] = []
    /// Keys that may not be locked for a while from now on (behaviour §1.10).
    public private(set) var lockDelays: [(key: ByteString, delay: Duration)] = []
    /// The highest index at which a tombstone was made, for its reaping; 0 if none was.
    public private(set) var tombstoneIndex: UInt64 = 0

    public init() {}

    public var isEmpty: Bool { topics.isEmpty && sessions.isEmpty && lockDelays.isEmpty && tombstoneIndex == 0 }

    /// Keeps the memory for the next batch.
    public mutating func removeAll() {
        topics.removeAll(keepingCapacity: true)
        sessions.removeAll(keepingCapacity: true)
        lockDelays.removeAll(keepingCapacity: true)
        tombstoneIndex = 0
    }

    mutating func add(_ topic: WatchTopic) { topics.append(topic) }
    mutating func add(_ change: SessionChange) { sessions.append(change) }
    mutating func addLockDelay(_ key: ByteString, _ delay: Duration) { lockDelays.append((key, delay)) }
    mutating func addTombstone(at index: UInt64) { tombstoneIndex = max(tombstoneIndex, index) }

    struct Mark {
        var topics: Int, sessions: Int, lockDelays: Int
        var tombstoneIndex: UInt64
    }

    var mark: Mark {
        Mark(topics: topics.count, sessions: sessions.count, lockDelays: lockDelays.count, tombstoneIndex: tombstoneIndex)
    }

    /// Forgets what was added since: the transaction failed.
    mutating func rollBack(to mark: Mark) {
        topics.removeSubrange(mark.topics...)
        sessions.removeSubrange(mark.sessions...)
        lockDelays.removeSubrange(mark.lockDelays...)
        tombstoneIndex = mark.tombstoneIndex
    }
}
