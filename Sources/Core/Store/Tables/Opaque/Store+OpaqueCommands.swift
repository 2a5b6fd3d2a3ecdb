// Commands on tables that are kept without being interpreted: enough of each to keep rows, indexes and results as in the reference
// (rpc-raft-wire §7), without the validation that needs to understand the rows.
extension Store {
    /// nil for a type that does not exist.
    mutating func applyOpaque(
        _ type: UInt8, _ body: ArraySlice<UInt8>, _ index: UInt64, _ changes: inout ChangeSet
    ) throws -> ApplyResult? {
        switch type {
        case 4: return try applyLegacyACL(EncodedStruct(body), index, &changes)
        case 7: return try applyPreparedQuery(EncodedStruct(body), index, &changes)
        case 11: return try applyBootstrap(EncodedStruct(body), index, &changes)
        case 12:
            try applyIntention(EncodedStruct(body), index, &changes)
            return ApplyResult.none
        case 13: return try applyCA(EncodedStruct(body), index, &changes)
        case 21: return .index(index)
        case 22: return try applyConfigEntry(body, index, &changes)
        case 30: return try applyFederationState(EncodedStruct(body), index, &changes)
        case 17...20, 23...28: return try applyBatch(type, EncodedStruct(body), index, &changes)
        default: return nil
        }
    }

    private mutating func applyPreparedQuery(
        _ request: EncodedStruct, _ index: UInt64, _ changes: inout ChangeSet
    ) throws -> ApplyResult {
        let query = try request.nested("Query"), op = try request.text("Op")
        switch op {
        case "create", "update":
            let id = try query.text("Session")
            if !id.isEmpty, try session(id) == nil {
                throw TextError("invalid session \(GoQuote.quote(id))")
            }
            try put(.preparedQueries, query, index, &changes)
        case "delete": delete(.preparedQueries, OpaqueTable.key(ofID: try query.text("ID")), index, &changes)
        default: throw TextError("Invalid PreparedQuery operation '\(op)'")
        }
        return .none
    }

    mutating func applyIntention(_ request: EncodedStruct, _ index: UInt64, _ changes: inout ChangeSet) throws {
        var intention = try request.nested("Intention")
        let op = try request.text("Op")
        switch op {
        case "create", "update":
            if intention.isNull("Meta") { intention["Meta"] = [0x80] }
            try put(.intentions, intention, index, &changes)
        case "delete": delete(.intentions, OpaqueTable.key(ofID: try intention.text("ID")), index, &changes)
        default: throw TextError("Invalid Intention operation '\(op)'")
        }
    }

    private mutating func applyFederationState(
        _ request: EncodedStruct, _ index: UInt64, _ changes: inout ChangeSet
    ) throws -> ApplyResult {
        var state = try request.nested("State")
        let op = try request.text("Op")
        switch op {
        case "upsert":
            // Only replication from the primary datacenter brings the primary's index along.
            if try state.uint("PrimaryModifyIndex") == 0 { state.set("PrimaryModifyIndex", index) }
            try put(.federationStates, state, index, &changes)
            return .bool(true)
        case "delete":
            delete(.federationStates, TableKey.of(try state.text("Datacenter")), index, &changes)
            return .none
        default: throw TextError("invalid federation state operation type: \(op)")
        }
    }

    // MARK: Config entries

    private mutating func applyConfigEntry(
        _ body: ArraySlice<UInt8>, _ index: UInt64, _ changes: inout ChangeSet
    ) throws -> ApplyResult {
        let request = try ConfigEntryEnvelope(body)
        let stored = row(.configEntries, request.key)
        switch request.op {
        case "upsert": break
        case "upsert-cas":
            guard stored?.index.modify ?? 0 == (try request.entry.index.modify) else { return .bool(false) }
        case "delete":
            delete(.configEntries, request.key, index, &changes)
            return .none
        default: throw TextError("invalid config entry operation type: \(request.op)")
        }
        var entry = request.entry
        let indexes = RaftIndex(create: stored?.index.create ?? index, modify: index)
        entry.set(indexes)
        let row = OpaqueRow(encoded: ConfigEntryEnvelope.encode(kind: request.kind, entry), index: indexes)
        opaque[OpaqueTable.configEntries.fullKey(request.key)] = row
        touch(.configEntries, index, &changes)
        return .bool(true)
    }

    // MARK: Access control

    private mutating func applyBatch(
        _ type: UInt8, _ request: EncodedStruct, _ index: UInt64, _ changes: inout ChangeSet
    ) throws -> ApplyResult {
        switch type {
        case 17:
            let isCAS = try request.bool("CAS")
            for token in try request.list("Tokens") {
                let stored = row(.aclTokens, ByteString(try token.text("SecretID")))?.index.modify ?? 0
                if isCAS, stored != (try token.index.modify) { continue }
                try put(.aclTokens, token, index, &changes)
            }
        case 18: for id in try request.texts("TokenIDs") { try deleteToken(accessor: id, index, &changes) }
        case 19: for policy in try request.list("Policies") { try put(.aclPolicies, policy, index, &changes) }
        case 20: for id in try request.texts("PolicyIDs") { try deletePolicy(id, index, &changes) }
        case 23: for role in try request.list("Roles") { try put(.aclRoles, role, index, &changes) }
        case 24: for id in try request.texts("RoleIDs") { delete(.aclRoles, OpaqueTable.key(ofID: id), index, &changes) }
        case 25: for rule in try request.list("BindingRules") { try put(.aclBindingRules, rule, index, &changes) }
        case 26: for id in try request.texts("BindingRuleIDs") { delete(.aclBindingRules, OpaqueTable.key(ofID: id), index, &changes) }
        case 27: for method in try request.list("AuthMethods") { try put(.aclAuthMethods, method, index, &changes) }
        default: for name in try request.texts("AuthMethodNames") { try deleteAuthMethod(name, index, &changes) }
        }
        return .none
    }

    private mutating func deleteToken(accessor id: String, _ index: UInt64, _ changes: inout ChangeSet) throws {
        if id == "00000000-0000-0000-0000-000000000002" { throw TextError("Deletion of the builtin anonymous token is not permitted") }
        let accessor = OpaqueTable.key(ofID: id)
        for key in keys(.aclTokens) {
            let token = try EncodedStruct(row(.aclTokens, key)!.encoded)
            if OpaqueTable.key(ofID: try token.text("AccessorID")) == accessor { delete(.aclTokens, key, index, &changes) }
        }
    }

    private mutating func deletePolicy(_ id: String, _ index: UInt64, _ changes: inout ChangeSet) throws {
        if id == "00000000-0000-0000-0000-000000000001" {
            throw TextError("Deletion of the builtin global-management policy is not permitted")
        }
        delete(.aclPolicies, OpaqueTable.key(ofID: id), index, &changes)
    }

    /// With its binding rules and the tokens that it gave out.
    private mutating func deleteAuthMethod(_ name: String, _ index: UInt64, _ changes: inout ChangeSet) throws {
        guard delete(.aclAuthMethods, TableKey.of(name), index, &changes) else { return }
        for table in [OpaqueTable.aclBindingRules, .aclTokens] {
            for key in keys(table) {
                let method = try EncodedStruct(row(table, key)!.encoded).text("AuthMethod")
                if TableKey.of(method) == TableKey.of(name) { delete(table, key, index, &changes) }
            }
        }
    }

    private static let bootstrapIndexName: ByteString = "acl-token-bootstrap"

    private mutating func applyBootstrap(
        _ request: EncodedStruct, _ index: UInt64, _ changes: inout ChangeSet
    ) throws -> ApplyResult {
        try bootstrap(try request.nested("Token"), resetIndex: try request.uint("ResetIndex"), index, &changes)
        return .none
    }

    private mutating func bootstrap(
        _ token: EncodedStruct, resetIndex: UInt64, _ index: UInt64, _ changes: inout ChangeSet
    ) throws {
        if let done = indexes[Self.bootstrapIndexName] {
            if resetIndex == 0 { throw TextError("ACL bootstrap no longer allowed") }
            if resetIndex != done { throw TextError("Invalid ACL bootstrap reset index") }
        }
        try put(.aclTokens, token, index, &changes)
        indexes[Self.bootstrapIndexName] = index
    }

    /// Tokens from before 1.4 are kept as tokens of today.
    private mutating func applyLegacyACL(
        _ request: EncodedStruct, _ index: UInt64, _ changes: inout ChangeSet
    ) throws -> ApplyResult {
        let acl = try request.nested("ACL"), op = try request.text("Op")
        let id = try acl.text("ID")
        switch op {
        case "set", "force-set":
            try put(.aclTokens, try LegacyACL.token(acl), index, &changes)
            return .string(id)
        case "delete":
            delete(.aclTokens, ByteString(id), index, &changes)
            return .none
        case "bootstrap-init": return .bool(!indexes.contains(Self.bootstrapIndexName))
        case "bootstrap-now":
            try bootstrap(try LegacyACL.token(acl), resetIndex: 0, index, &changes)
            return .string(id)
        default: throw TextError("Invalid ACL operation '\(op)'")
        }
    }
}

/// The body of a config-entry command and record: one raw of a kind and a request, whose entry may be a raw again (rpc-raft-wire §2.3).
struct ConfigEntryEnvelope {
    var kind: String
    var op: String
    var entry: EncodedStruct

    init(_ body: ArraySlice<UInt8>) throws(MessagePackError) {
        var outer = MessagePackReader(body)
        var reader = MessagePackReader(try outer.rawSlice() ?? [])
        kind = try reader.string()
        let request = try EncodedStruct(try reader.encodedValue())
        op = try request.text("Op")
        let encoded = request["Entry"] ?? [0xC0]
        if Self.isWrapped(kind) {
            var entry = MessagePackReader(encoded)
            self.entry = try EncodedStruct(try entry.rawSlice() ?? [0xC0])
        } else {
            entry = try EncodedStruct(encoded)
        }
        if try entry.text("Kind") != kind { throw .invalid("invalid config entry kind: \(kind)") }
        _ = try entry.text("Name")
    }

    var key: ByteString { TableKey.of(kind, (try? entry.text("Name")) ?? "") }

    private static func isWrapped(_ kind: String) -> Bool { kind == "proxy-defaults" }

    /// As snapshots hold it: only the entry says anything.
    static func encode(kind: String, _ entry: EncodedStruct) -> [UInt8] {
        var inner = MessagePackWriter()
        inner.string(kind)
        inner.mapHeader(4)
        inner.field("Datacenter", "")
        inner.key("Entry")
        if isWrapped(kind) { inner.raw(entry.encoded) } else { inner.encoded(entry.encoded) }
        inner.field("Op", "")
        inner.field("Token", "")
        var outer = MessagePackWriter()
        outer.raw(inner.bytes)
        return outer.bytes
    }
}

enum LegacyACL {
    /// A token that stands for an ACL of the system before 1.4 (rpc-raft-wire §8.2).
    static func token(_ acl: EncodedStruct) throws(MessagePackError) -> EncodedStruct {
        var writer = MessagePackWriter()
        writer.mapHeader(17)
        writer.field("AccessorID", "")
        writer.field("AuthMethod", "")
        let index = try acl.index
        writer.field("CreateIndex", index.create)
        writer.field("CreateTime", GoTime.zero)
        writer.field("Description", try acl.text("Name"))
        writer.field("ExpirationTTL", 0)
        writer.nullField("ExpirationTime")
        writer.nullField("Hash")
        writer.field("Local", false)
        writer.field("ModifyIndex", index.modify)
        writer.nullField("NodeIdentities")
        writer.nullField("Policies")
        writer.nullField("Roles")
        writer.field("Rules", try acl.text("Rules"))
        writer.field("SecretID", try acl.text("ID"))
        writer.nullField("ServiceIdentities")
        writer.field("Type", try acl.text("Type"))
        return try EncodedStruct(writer.bytes)
    }
}
