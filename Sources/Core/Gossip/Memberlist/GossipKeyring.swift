/// The keys of an encrypted pool (gossip §7): the first encrypts, all are tried for decryption.
public struct GossipKeyring: Hashable, Sendable {
    public enum Failure: Error, Hashable, Sendable {
        case badLength
        case unknownKey
        case removesPrimary

        public var text: String {
            switch self {
            case .badLength: "key size must be 16, 24 or 32 bytes"
            case .unknownKey: "Requested key is not in the keyring"
            case .removesPrimary: "Removing the primary key is not allowed"
            }
        }
    }

    /// The primary key first.
    public private(set) var keys: [[UInt8]] = []

    /// No encryption.
    public init() {}

    /// With `primary` first whether or not it is among `keys`.
    public init(_ keys: [[UInt8]], primary: [UInt8]) throws(Failure) {
        try add(primary)
        for key in keys { try add(key) }
    }

    public var isEmpty: Bool { keys.isEmpty }
    public var primary: [UInt8]? { keys.first }

    /// Adding a key again changes nothing.
    public mutating func add(_ key: [UInt8]) throws(Failure) {
        guard key.count == 16 || key.count == 24 || key.count == 32 else { throw .badLength }
        if !keys.contains(key) { keys.append(key) }
    }

    /// Makes a key of the ring the primary one; the others keep their order.
    public mutating func use(_ key: [UInt8]) throws(Failure) {
        guard let at = keys.firstIndex(of: key) else { throw .unknownKey }
        keys.remove(at: at)
        keys.insert(key, at: planted(.primaryKeyNotMoved) ? keys.count : 0)
    }

    /// Removing an unknown key changes nothing.
    public mutating func remove(_ key: [UInt8]) throws(Failure) {
        if key == primary, !planted(.primaryKeyRemoved) { throw .removesPrimary }
        if let at = keys.firstIndex(of: key) { keys.remove(at: at) }
    }
}
