/// Where a member of a pool stands, as Serf counts it (gossip §12.2). The raw values are those of the HTTP API.
public enum MemberStatus: UInt8, Hashable, Sendable {
    case none = 0
    case alive = 1
    case leaving = 2
    case left = 3
    case failed = 4

    /// As `consul members` prints it.
    public var text: String {
        switch self {
        case .none: "none"
        case .alive: "alive"
        case .leaving: "leaving"
        case .left: "left"
        case .failed: "failed"
        }
    }
}

/// One member of a gossip pool (gossip §12.2, §18.2).
public struct Member: Hashable, Sendable {
    public var name: String
    /// 4 or 16 bytes.
    public var address: [UInt8]
    public var port: UInt16
    public var tags: StringMap
    public var status: MemberStatus
    public var protocolMin: UInt8
    public var protocolMax: UInt8
    public var protocolCurrent: UInt8
    public var delegateMin: UInt8
    public var delegateMax: UInt8
    public var delegateCurrent: UInt8

    public init(
        name: String, address: [UInt8], port: UInt16, tags: StringMap = [:], status: MemberStatus = .alive,
        protocolMin: UInt8 = 1, protocolMax: UInt8 = 5, protocolCurrent: UInt8 = 2,
        delegateMin: UInt8 = 2, delegateMax: UInt8 = 5, delegateCurrent: UInt8 = 4
    ) {
        self.name = name
        self.address = address
        self.port = port
        self.tags = tags
        self.status = status
        self.protocolMin = protocolMin
        self.protocolMax = protocolMax
        self.protocolCurrent = protocolCurrent
        self.delegateMin = delegateMin
        self.delegateMax = delegateMax
        self.delegateCurrent = delegateCurrent
    }
}

/// The two pools that an agent may be in. Clients are in the first only.
public enum GossipPool: UInt8, Hashable, Sendable {
    case lan = 0
    case wan = 1
}

/// Seals and opens gossip messages with AES-GCM (gossip §7). The keys are 16, 24 or 32 bytes; a nonce is 12, a tag 16 bytes.
///
/// Runtime brings the system's cryptography; the simulator a stand-in.
public protocol GossipCipher: Sendable {
    /// The ciphertext followed by the tag.
    func seal(_ plaintext: [UInt8], key: [UInt8], nonce: [UInt8], additionalData: [UInt8]) -> [UInt8]
    /// nil when the tag does not fit: another key, or bytes that were tampered with.
    func open(_ sealed: ArraySlice<UInt8>, key: [UInt8], nonce: ArraySlice<UInt8>, additionalData: [UInt8]) -> [UInt8]?
}

/// What happened to members of a pool, as Serf tells it (gossip §12.2).
public enum MemberEventKind: UInt8, Hashable, Sendable {
    case joined, left, failed, updated, reaped
}
