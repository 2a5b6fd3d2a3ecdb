/// The versions that a node understands and speaks, of memberlist and of what rides on it (gossip §3.6, §3.10).
public struct MemberVersions: Hashable, Sendable {
    public var protocolMin: UInt8 = 0
    public var protocolMax: UInt8 = 0
    public var protocolCurrent: UInt8 = 0
    public var delegateMin: UInt8 = 0
    public var delegateMax: UInt8 = 0
    public var delegateCurrent: UInt8 = 0

    public init() {}

    public init(
        protocolMin: UInt8, protocolMax: UInt8, protocolCurrent: UInt8, delegateMin: UInt8, delegateMax: UInt8, delegateCurrent: UInt8
    ) {
        self.protocolMin = protocolMin
        self.protocolMax = protocolMax
        self.protocolCurrent = protocolCurrent
        self.delegateMin = delegateMin
        self.delegateMax = delegateMax
        self.delegateCurrent = delegateCurrent
    }

    /// nil unless all six are there.
    init?(_ bytes: ArraySlice<UInt8>) {
        guard bytes.count >= 6 else { return nil }
        let at = bytes.startIndex
        self.init(
            protocolMin: bytes[at], protocolMax: bytes[at + 1], protocolCurrent: bytes[at + 2], delegateMin: bytes[at + 3],
            delegateMax: bytes[at + 4], delegateCurrent: bytes[at + 5])
    }

    var bytes: [UInt8] { [protocolMin, protocolMax, protocolCurrent, delegateMin, delegateMax, delegateCurrent] }
}

/// What memberlist believes of a node (gossip §8). The raw values are those of the push/pull.
public enum NodeState: UInt8, Hashable, Sendable {
    case alive = 0
    case suspect = 1
    case dead = 2
    case left = 3

    var isGone: Bool { self == .dead || self == .left }
}

/// A node as memberlist shows it to its delegate.
public struct MemberlistNode: Hashable, Sendable {
    public var name: String
    public var address: NodeAddress
    /// What the node says of itself; Serf's tags.
    public var meta: [UInt8]
    public var versions: MemberVersions
    public var state: NodeState
    public var incarnation: UInt32

    public init(
        name: String, address: NodeAddress, meta: [UInt8], versions: MemberVersions, state: NodeState = .alive, incarnation: UInt32 = 0
    ) {
        self.name = name
        self.address = address
        self.meta = meta
        self.versions = versions
        self.state = state
        self.incarnation = incarnation
    }
}

/// What rides on a memberlist. It is called in the midst of an event and cannot call back: what it wants to send it keeps until the
/// memberlist's owner has control again. Everything has a default that does nothing.
public protocol MemberlistDelegate {
    /// What this node says of itself, at most `limit` bytes; asked at the start and at each update.
    func nodeMeta(limit: Int) -> [UInt8]
    /// A user message, by packet or stream, without memberlist's framing.
    mutating func received(_ message: ArraySlice<UInt8>, at now: Instant)

    /// Whether `appendBroadcasts` may have something.
    var hasBroadcasts: Bool { get }
    /// User messages to ride in one packet: each costs `overhead` more than its length, all of them `limit` at most.
    mutating func appendBroadcasts(overhead: Int, limit: Int, to messages: inout [[UInt8]])

    /// The user's part of a push/pull.
    func localState(join: Bool) -> [UInt8]
    mutating func merge(remoteState: ArraySlice<UInt8>, join: Bool, at now: Instant)

    /// This node joins too, first of all.
    mutating func joined(_ node: MemberlistNode, at now: Instant)
    /// Dead or left: memberlist's word is in `state`.
    mutating func left(_ node: MemberlistNode, at now: Instant)
    mutating func updated(_ node: MemberlistNode, at now: Instant)
    /// Another node claims the name of a known one.
    mutating func conflict(existing: MemberlistNode, other: MemberlistNode, at now: Instant)

    /// Why the other side's nodes (and so this join) are not acceptable; nil: they are.
    mutating func mergeVeto(_ peers: [MemberlistNode]) -> String?
    /// Why a node may not become known or change; nil: it may.
    mutating func aliveVeto(_ peer: MemberlistNode) -> String?

    /// Rides in each answer to a ping by packet.
    func ackPayload() -> [UInt8]
    /// A ping was answered by its target itself.
    mutating func pingCompleted(_ node: MemberlistNode, roundTrip: Duration, payload: ArraySlice<UInt8>, at now: Instant)

    /// `contacted` is how many targets exchanged states with us; the text is there only if none did (gossip §18.4).
    mutating func joinFinished(token: UInt64, contacted: Int, error: String?, at now: Instant)
    /// This node's departure was told, or not within its time.
    mutating func leaveFinished(error: String?, at now: Instant)
    /// This node's change was told, or not within its time.
    mutating func updateFinished(token: UInt64, error: String?, at now: Instant)
}

extension MemberlistDelegate {
    public func nodeMeta(limit: Int) -> [UInt8] { [] }
    public mutating func received(_ message: ArraySlice<UInt8>, at now: Instant) {}
    public var hasBroadcasts: Bool { false }
    public mutating func appendBroadcasts(overhead: Int, limit: Int, to messages: inout [[UInt8]]) {}
    public func localState(join: Bool) -> [UInt8] { [] }
    public mutating func merge(remoteState: ArraySlice<UInt8>, join: Bool, at now: Instant) {}
    public mutating func joined(_ node: MemberlistNode, at now: Instant) {}
    public mutating func left(_ node: MemberlistNode, at now: Instant) {}
    public mutating func updated(_ node: MemberlistNode, at now: Instant) {}
    public mutating func conflict(existing: MemberlistNode, other: MemberlistNode, at now: Instant) {}
    public mutating func mergeVeto(_ peers: [MemberlistNode]) -> String? { nil }
    public mutating func aliveVeto(_ peer: MemberlistNode) -> String? { nil }
    public func ackPayload() -> [UInt8] { [] }
    public mutating func pingCompleted(_ node: MemberlistNode, roundTrip: Duration, payload: ArraySlice<UInt8>, at now: Instant) {}
    public mutating func joinFinished(token: UInt64, contacted: Int, error: String?, at now: Instant) {}
    public mutating func leaveFinished(error: String?, at now: Instant) {}
    public mutating func updateFinished(token: UInt64, error: String?, at now: Instant) {}
}
