/// A row that the store keeps as it came: the encoded struct with its indexes filled in.
struct OpaqueRow: Sendable {
    var encoded: [UInt8]
    var index: RaftIndex
}

/// Tables whose rows nothing in this project interprets yet. They take part in the log and in snapshots like all others.
/// The raw value is the type of the table's snapshot records (rpc-raft-wire §8.2).
enum OpaqueTable: UInt8 {
    case preparedQueries = 7
    case autopilot = 9
    case intentions = 12
    case caRoots = 13
    case caProviderState = 14
    case caConfig = 15
    case aclTokens = 17
    case aclPolicies = 19
    case configEntries = 22
    case aclRoles = 23
    case aclBindingRules = 25
    case aclAuthMethods = 27
    case federationStates = 30

    var indexName: ByteString? {
        switch self {
        case .preparedQueries: IndexName.preparedQueries
        case .intentions: "connect-intentions"
        case .caRoots: "connect-ca-roots"
        case .caProviderState: "connect-ca-builtin"
        case .aclTokens: "acl-tokens"
        case .aclPolicies: "acl-policies"
        case .configEntries: "config-entries"
        case .aclRoles: "acl-roles"
        case .aclBindingRules: "acl-binding-rules"
        case .aclAuthMethods: "acl-auth-methods"
        case .federationStates: "federation-states"
        case .autopilot, .caConfig: nil
        }
    }

    var watched: StoreTable {
        switch self {
        case .preparedQueries: .preparedQueries
        case .autopilot: .autopilot
        case .intentions: .intentions
        case .caRoots: .caRoots
        case .caProviderState: .caProviderState
        case .caConfig: .caConfig
        case .aclTokens: .aclTokens
        case .aclPolicies: .aclPolicies
        case .configEntries: .configEntries
        case .aclRoles: .aclRoles
        case .aclBindingRules: .aclBindingRules
        case .aclAuthMethods: .aclAuthMethods
        case .federationStates: .federationStates
        }
    }

    /// The key of a row within its table. Config entries have compound keys.
    func key(of row: EncodedStruct) throws(MessagePackError) -> ByteString {
        switch self {
        case .autopilot, .caConfig: return ByteString([])
        case .configEntries: return TableKey.of(try row.text("Kind"), try row.text("Name"))
        case .aclTokens: return ByteString(try row.text("SecretID"))
        case .aclAuthMethods: return TableKey.of(try row.text("Name"))
        case .federationStates: return TableKey.of(try row.text("Datacenter"))
        case .caRoots, .caProviderState: return ByteString(try row.text("ID"))
        case .preparedQueries, .intentions, .aclPolicies, .aclRoles, .aclBindingRules: return Self.key(ofID: try row.text("ID"))
        }
    }

    /// IDs are looked up by their bytes; what is no UUID stands for itself.
    static func key(ofID id: String) -> ByteString { (try? UUIDText.parse(id)).map { ByteString($0) } ?? ByteString(id) }

    /// The key in `Store.opaque`.
    func fullKey(_ key: ByteString) -> ByteString { TableKey.join(ByteString([rawValue]), key) }

    var prefix: ByteString { ByteString([rawValue]) }
}

extension Store {
    func row(_ table: OpaqueTable, _ key: ByteString) -> OpaqueRow? { opaque[table.fullKey(key)] }

    func rows(_ table: OpaqueTable) -> [OpaqueRow] { opaque.values(withPrefix: table.prefix) }

    /// Keys within the table, in order.
    func keys(_ table: OpaqueTable) -> [ByteString] {
        var keys: [ByteString] = []
        opaque.scan(prefix: table.prefix) { key, _ in
            keys.append(ByteString(Array(key.bytes[1...])))
            return true
        }
        return keys
    }

    /// Writes a row with its indexes: created now unless it exists.
    mutating func put(
        _ table: OpaqueTable, _ row: EncodedStruct, _ index: UInt64, _ changes: inout ChangeSet
    ) throws(MessagePackError) {
        let key = try table.key(of: row)
        var row = row
        let indexes = RaftIndex(create: self.row(table, key)?.index.create ?? index, modify: index)
        row.set(indexes)
        opaque[table.fullKey(key)] = OpaqueRow(encoded: row.encoded, index: indexes)
        touch(table, index, &changes)
    }

    /// Whether there was such a row.
    @discardableResult
    mutating func delete(_ table: OpaqueTable, _ key: ByteString, _ index: UInt64, _ changes: inout ChangeSet) -> Bool {
        guard opaque.removeValue(forKey: table.fullKey(key)) != nil else { return false }
        touch(table, index, &changes)
        return true
    }

    mutating func touch(_ table: OpaqueTable, _ index: UInt64, _ changes: inout ChangeSet) {
        if let name = table.indexName { raise(name, to: index) }
        changes.add(.table(table.watched))
    }

    mutating func deletePreparedQueries(ofSession session: ByteString, _ index: UInt64, _ changes: inout ChangeSet) {
        for key in keys(.preparedQueries) {
            guard let query = try? EncodedStruct(row(.preparedQueries, key)!.encoded), let holder = try? query.text("Session") else {
                continue
            }
            if Self.sessionKey(holder) == session { delete(.preparedQueries, key, index, &changes) }
        }
    }
}
