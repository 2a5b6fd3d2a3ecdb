/// The replicated state of a datacenter. A value: copying it is O(1), changing a copy shares the rest.
///
/// It changes only by applying committed log commands, in order, each at the index of its entry; what that comes to depends on nothing but
/// the state and the command. One command is one transaction: when it fails, nothing changes. Spec: behaviour §1.
///
/// Over 15 stored variables and 500 lines: the tables and their indexes, which one command changes together or not at all; what is done to a
/// table is an extension in its folder.
///
/// Tables are keyed by bytes whose order is the order of answers: names in lower case, each component ended by a zero byte (`TableKey`).
public struct Store: Sendable {
    /// The `index` table (behaviour §1.2).
    var indexes = PersistentMap<ByteString, UInt64>()

    var kvs = KVTable()
    /// Bytes of the session, then the key: the keys that each session holds.
    var kvsBySession = PersistentMap<ByteString, Void>()
    /// The index of the deletion under the deleted key or prefix.
    var tombstones = TombstoneTable()
    /// The keys of the tombstones made at each index, so that reaping finds the old ones. May hold keys whose tombstone is newer by now.
    var tombstonesByIndex = PersistentMap<UInt64, [ByteString]>()

    /// By bytes of the ID.
    var sessions = PersistentMap<ByteString, Row<Session>>()
    /// (node, bytes of the ID)
    var sessionsByNode = PersistentMap<ByteString, Row<Session>>()
    /// (node, check, bytes of the ID)
    var sessionChecks = PersistentMap<ByteString, Row<Session>>()

    var nodes = PersistentMap<ByteString, Row<Node>>()
    /// By bytes of the ID; nodes without one are absent.
    var nodesByID = PersistentMap<ByteString, Row<Node>>()

    /// (node, service ID)
    var services = PersistentMap<ByteString, Row<ServiceInstance>>()
    /// (service name, node, service ID)
    var servicesByName = PersistentMap<ByteString, Row<ServiceInstance>>()
    /// (name of the service that is reached through Connect, node, service ID)
    var servicesByConnect = PersistentMap<ByteString, Row<ServiceInstance>>()
    var serviceTags = ServiceTags()

    /// (node, check ID)
    var checks = PersistentMap<ByteString, Row<HealthCheck>>()
    /// (node, service ID or nothing for checks of the node, check ID)
    var checksByInstance = PersistentMap<ByteString, Row<HealthCheck>>()
    /// (service name, node, check ID)
    var checksByServiceName = PersistentMap<ByteString, Row<HealthCheck>>()
    /// (status, case-sensitive; node, check ID)
    var checksByStatus = PersistentMap<ByteString, Row<HealthCheck>>()

    /// (node, segment)
    var coordinates = PersistentMap<ByteString, Row<NodeCoordinate>>()

    /// Rows that the store keeps as they came, by record type and key (`OpaqueTable`).
    var opaque = PersistentMap<ByteString, OpaqueRow>()

    var chunks = ChunkCollector()

    public init() {}

    /// What to answer when a command could not be applied.
    static func refusal(_ error: any Error) -> TextError {
        switch error {
        case let error as TextError: error
        case let error as MessagePackError: TextError("failed to decode request: \(error.text)")
        default: TextError("failed to apply request")
        }
    }
}
