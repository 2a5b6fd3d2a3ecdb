// The folder `raft` of the data directory: which names in it are this implementation's.

/// Recognises what another implementation left in the folder, so that a server never starts empty beside somebody else's state: a voter
/// that forgets its term, its vote and what it acknowledged can lose writes of the whole cluster (takeover §1).
enum DataFolder {
    /// Files that were left by an editor or an operator beside `peers.json` are nobody's state.
    private static let tolerated = ["raft/peers.", "raft/.peers."]
    /// Another implementation's test of permissions, left by a crash (takeover §2).
    private static let permissionTest = "raft/snapshots/permTest"

    static func isOwn(_ name: String) -> Bool {
        if name == VoteRecord.file || name == permissionTest || SegmentFormat.first(ofFile: name) != nil { return true }
        if name.hasPrefix(SnapshotMeta.root + "/") {
            return name.utf8.count { $0 == UInt8(ascii: "/") } == 3
        }
        return tolerated.contains { name.hasPrefix($0) } && name.utf8.count { $0 == UInt8(ascii: "/") } == 1
    }

    /// Throws if any of the names is not this implementation's. Nothing is changed.
    static func refuseForeign(_ names: [String]) throws(RecoveryError) {
        let foreign = names.filter { !isOwn($0) }
        guard !foreign.isEmpty else { return }
        let shown = foreign.prefix(4).joined(separator: ", ") + (foreign.count > 4 ? " and \(foreign.count - 4) more" : "")
        let isReference = foreign.contains("raft/raft.db")
        let whose = isReference ? "state of Consul's own implementation" : "files that are not this implementation's"
        throw RecoveryError(
            file: "", offset: 0, what: "the folder raft holds \(whose): \(shown); nothing was read or changed",
            remedy: "take a snapshot of the cluster with `consul snapshot save`, start this server with an empty raft folder and bring the "
                + "data with `consul snapshot restore`; or let the server join the cluster with an empty raft folder")
    }
}

/// What the name of a snapshot's folder says: `<term>-<index>-<milliseconds>`.
struct SnapshotName: Hashable {
    var term: UInt64
    var index: UInt64

    /// nil for a name of another form.
    init?(_ id: some StringProtocol) {
        let parts = id.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, let term = UInt64(parts[0]), let index = UInt64(parts[1]), UInt64(parts[2]) != nil else { return nil }
        (self.term, self.index) = (term, index)
    }
}
