/// Keeps the replicated state. Owns the store and how far the log is applied to it, the snapshots that are being read from it or decoded
/// into another, and the states that are to take its place: one that consensus has installed and that is not certain to stay, and one that
/// an operator has brought.
struct StateKeeper {
    /// What readers are shown.
    private(set) var store: Store
    private(set) var applied: LogPosition
    /// The last entry in the state: what a snapshot of it is named after.
    private(set) var lastCommand: LogPosition

    private var captured = LookupTable<SnapshotID, SnapshotEncoder>()
    private var decoding = LookupTable<SnapshotID, SnapshotDecoder>()
    private var decoded = LookupTable<SnapshotID, Store>()
    private var provisional: ProvisionalState?
    private var brought: Store?

    /// A state that consensus has put in place, and that may still come to nothing: nobody is shown it before a quorum has it.
    private struct ProvisionalState {
        var store: Store
        var position: LogPosition
    }

    /// - Parameters:
    ///   - store: The state of `snapshot`; empty without one.
    ///   - snapshot: What the disk held. One that an operator had brought is not shown before it is certain to stay.
    init(_ store: Store, of snapshot: SnapshotMeta?) {
        let position = snapshot.map { LogPosition(term: $0.term, index: $0.index) } ?? LogPosition()
        if let snapshot, snapshot.isRestored {
            self.store = Store()
            applied = LogPosition()
            provisional = ProvisionalState(store: store, position: position)
        } else {
            self.store = store
            applied = position
        }
        lastCommand = applied
    }

    /// Whether there is a state to show: after a start there may be none but a provisional one.
    var isReadable: Bool { provisional == nil || applied.index > 0 }
    /// Whether `settle` has something to do.
    var isProvisional: Bool { provisional != nil }
    /// Whether a state that an operator has brought is taking the place of the present one.
    var isBringing: Bool { brought != nil }

    // MARK: Entries

    /// Applies the next committed entry. A command that does not decode is an error as any other: all servers answer it alike.
    mutating func apply(_ entry: LogEntry, changes: inout ChangeSet) -> ApplyResult {
        precondition(entry.index == applied.index + 1, "entries are applied in the order of their indexes")
        applied = LogPosition(term: entry.term, index: entry.index)
        if entry.kind == .command || entry.kind == .barrier { lastCommand = applied }
        guard entry.kind == .command else { return .none }
        if entry.extensions.isEmpty { return store.apply(entry.data, index: entry.index, changes: &changes) }
        let whole = store.applyChunk(entry.extensions, entry.data, term: entry.term, index: entry.index, changes: &changes)
        return whole ?? .error("please resubmit call for rechunking")
    }

    // MARK: Snapshots that are taken

    /// Part of a state that is being read.
    enum Piece {
        case bytes([UInt8])
        case end
        /// There is no such state, or not any more.
        case missing
    }

    mutating func capture(_ id: SnapshotID) { captured[id] = SnapshotEncoder(store) }

    /// The next bytes of what was captured under that id, or else of the state that an operator has brought.
    mutating func nextPiece(of id: SnapshotID, maxBytes: Int) -> Piece {
        guard var encoder = captured[id] ?? brought.map({ SnapshotEncoder($0) }) else { return .missing }
        let bytes = encoder.next(maxBytes: maxBytes)
        captured[id] = encoder
        return bytes.map { .bytes($0) } ?? .end
    }

    mutating func release(_ id: SnapshotID) { captured.removeValue(forKey: id) }

    // MARK: Snapshots that are installed

    /// Feeds the next bytes of another server's state. Returns whether it is whole now.
    mutating func decode(_ id: SnapshotID, _ bytes: [UInt8], last: Bool) throws(TextError) -> Bool {
        var decoder = decoding.removeValue(forKey: id) ?? SnapshotDecoder()
        try decoder.feed(bytes)
        if last {
            decoded[id] = try decoder.finish()
        } else {
            decoding[id] = decoder
        }
        return last
    }

    mutating func discard(_ id: SnapshotID) {
        decoding.removeValue(forKey: id)
        decoded.removeValue(forKey: id)
    }

    /// Consensus replaces the state by what was decoded under that id, or was brought. Returns whether readers see it now: not while it is
    /// provisional.
    mutating func install(_ id: SnapshotID, at position: LogPosition, isProvisional: Bool) -> Bool {
        captured.removeValue(forKey: id)
        guard let new = decoded.removeValue(forKey: id) ?? brought else {
            preconditionFailure("a snapshot is installed only after it was decoded, or brought")
        }
        if isProvisional {
            provisional = ProvisionalState(store: new, position: position)
            return false
        }
        provisional = nil
        replace(by: new, at: position)
        return true
    }

    /// Consensus begins anew.
    mutating func reset() {
        provisional = nil
        replace(by: Store(), at: LogPosition())
    }

    /// Shows the provisional state if it is certain to stay: what an operator has restored is not shown, here or at a follower, before that.
    /// Returns whether readers see another state now.
    mutating func settle(commitIndex: UInt64) -> Bool {
        guard let state = provisional, commitIndex >= state.position.index else { return false }
        provisional = nil
        replace(by: state.store, at: state.position)
        return true
    }

    private mutating func replace(by new: Store, at position: LogPosition) {
        store = new
        (applied, lastCommand) = (position, position)
    }

    // MARK: An operator's state

    /// Whether `new` may take the place of the state: one at a time.
    mutating func bring(_ new: Store) -> Bool {
        guard brought == nil else { return false }
        brought = new
        return true
    }

    mutating func forgetBrought() { brought = nil }
}

/// A place in the log; zero before its beginning.
struct LogPosition: Hashable, Sendable {
    var term: UInt64 = 0
    var index: UInt64 = 0
}
