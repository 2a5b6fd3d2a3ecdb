// What passes between a Serf and its owner. Tokens of what the owner asks for are the owner's; calls, batches and their numbers are the
// machine's own.

/// What a Serf asks for, and what it tells.
public enum SerfEffect: Sendable {
    /// Packets, streams and the log.
    case gossip(GossipEffect)
    /// Something happened to members. Their statuses are those after it.
    case members(MemberEventKind, [Member])
    case userEvent(UserEvent)
    /// Somebody asks; answer with `respond`, or not at all.
    case query(ReceivedQuery)
    /// A member received a query of ours that wants acks.
    case queryAck(token: UInt64, from: String)
    case queryResponse(token: UInt64, from: String, payload: [UInt8])
    /// Nothing more comes.
    case queryDone(token: UInt64)
    /// How many of the addresses were reached, or why none.
    case joined(token: UInt64, Result<Int, TextError>)
    /// The own departure was told to the others, or why not: `timeout while waiting for graceful leave`.
    case left(TextError?)
    /// The departure of another member was told: `timed out broadcasting node removal`.
    case removed(token: UInt64, TextError?)
    case tagsUpdated(token: UInt64, TextError?)
    case keys(token: UInt64, KeyResponse)
    /// For the snapshot and the keyring; answered by `diskFinished`.
    case disk(DiskBatch)
    /// Most members know another by our name: the owner must stop.
    case conflictLost
}

/// A user event, delivered once.
public struct UserEvent: Hashable, Sendable {
    public var ltime: UInt64
    public var name: String
    public var payload: [UInt8]
    public var coalesce: Bool

    public init(ltime: UInt64, name: String, payload: [UInt8], coalesce: Bool = false) {
        self.ltime = ltime
        self.name = name
        self.payload = payload
        self.coalesce = coalesce
    }
}

/// A query that matched this member, delivered once.
public struct ReceivedQuery: Sendable {
    public var ltime: UInt64
    public var name: String
    public var payload: [UInt8]
    /// The member that asks.
    public var from: String
    /// Answers after it are not sent.
    public var deadline: Instant
    let id: UInt32
    let address: NodeAddress?
    let relayFactor: UInt8

    init(_ query: QueryMessage, at now: Instant) {
        ltime = query.ltime
        name = query.name
        payload = query.payload ?? []
        from = query.sourceNode
        deadline = now + query.timeout
        id = query.id
        address = NodeAddress(query.address, port: query.port)
        relayFactor = query.relayFactor
    }
}

/// How a query is asked.
public struct SerfQueryParameters: Sendable {
    /// All must match.
    public var filters: [QueryFilter] = []
    /// Whether receivers tell that they got it.
    public var wantsAcks = false
    /// Over how many members each answer goes as well.
    public var relayFactor: UInt8 = 0
    /// nil: as long as the pool's size asks for.
    public var timeout: Duration?

    public init() {}
}

/// What is done to the keys of all members (gossip §13.6).
public enum KeyOperation: Hashable, Sendable {
    case list
    /// Keys are in base64.
    case install(String)
    case use(String)
    case remove(String)

    var queryName: String {
        switch self {
        case .list: "_serf_list-keys"
        case .install: "_serf_install-key"
        case .use: "_serf_use-key"
        case .remove: "_serf_remove-key"
        }
    }
}

/// What all members together answered to a `KeyOperation`.
public struct KeyResponse: Hashable, Sendable {
    /// Complaints and warnings by the names of members.
    public var messages: StringMap = [:]
    /// Alive or suspected ones.
    public var nodes = 0
    public var responses = 0
    public var failures = 0
    /// How many members have a key, by its base64.
    public var keys: SortedMap<String, Int> = [:]
    public var primaryKeys: SortedMap<String, Int> = [:]
    /// `1/2 nodes reported success`; nil: all went well.
    public var error: String?

    public init() {}
}

/// What a Serf counts (gossip §18.3), since the start.
public struct SerfCounters: Hashable, Sendable {
    public var joined: UInt64 = 0
    public var left: UInt64 = 0
    public var failed: UInt64 = 0
    public var updated: UInt64 = 0
    public var flaps: UInt64 = 0
    public var events: UInt64 = 0
    public var queries: UInt64 = 0
    public var queryAcks: UInt64 = 0
    public var queryResponses: UInt64 = 0
    public var queryDuplicateAcks: UInt64 = 0
    public var queryDuplicateResponses: UInt64 = 0
    public var coordinatesRejected: UInt64 = 0
    public var zeroRoundTrips: UInt64 = 0

    public init() {}
}
