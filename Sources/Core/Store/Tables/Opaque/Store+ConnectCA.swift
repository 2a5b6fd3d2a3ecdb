// The certificate authority's tables: kept, not interpreted. Spec: rpc-raft-wire §7, type 13.
extension Store {
    private static let serialName: ByteString = "connect-ca-builtin-serial"

    mutating func applyCA(_ request: EncodedStruct, _ index: UInt64, _ changes: inout ChangeSet) throws -> ApplyResult {
        let op = try request.text("Op")
        switch op {
        case "set-config":
            let config = try request.nested("Config")
            let expected = try config.index.modify
            if expected != 0 && row(.caConfig, ByteString([]))?.index.modify != expected { return .bool(false) }
            try setCAConfig(config, index, &changes)
            return expected == 0 ? .none : .bool(true)
        case "set-roots": return .bool(try setCARoots(request, index, &changes))
        case "set-roots-config":
            let config = try request.nested("Config")
            guard try setCARoots(request, index, &changes) else { return .bool(false) }
            let expected = try config.index.modify
            if row(.caConfig, ByteString([]))?.index.modify ?? 0 != expected { return .bool(false) }
            try setCAConfig(config, index &+ 1, &changes)
            return .bool(true)
        case "set-provider-state":
            try put(.caProviderState, try request.nested("ProviderState"), index, &changes)
            return .bool(true)
        case "delete-provider-state":
            delete(.caProviderState, ByteString(try request.nested("ProviderState").text("ID")), index, &changes)
            return .bool(true)
        case "increment-provider-serial":
            let next = self.index(Self.serialName) &+ 1
            indexes[Self.serialName] = next
            return .index(next)
        default: throw TextError("Invalid CA operation '\(op)'")
        }
    }

    private mutating func setCAConfig(_ config: EncodedStruct, _ index: UInt64, _ changes: inout ChangeSet) throws {
        var config = config
        if let stored = row(.caConfig, ByteString([])), try config.text("ClusterID").isEmpty {
            config.set("ClusterID", try EncodedStruct(stored.encoded).text("ClusterID"))
        }
        try put(.caConfig, config, index, &changes)
    }

    /// Replaces all roots, of which exactly one must be active; false when the table is not at the index that the request names.
    private mutating func setCARoots(_ request: EncodedStruct, _ index: UInt64, _ changes: inout ChangeSet) throws -> Bool {
        let roots = try request.list("Roots")
        var active = 0
        for root in roots where try root.bool("Active") { active += 1 }
        if active != 1 { throw TextError("there must be exactly one active CA root") }
        guard self.index("connect-ca-roots") == (try request.uint("Index")) else { return false }
        let before = keys(.caRoots)
        var kept: [ByteString] = []
        for root in roots {
            kept.append(try OpaqueTable.caRoots.key(of: root))
            try put(.caRoots, root, index, &changes)
        }
        for key in before where !kept.contains(key) { delete(.caRoots, key, index, &changes) }
        return true
    }
}
