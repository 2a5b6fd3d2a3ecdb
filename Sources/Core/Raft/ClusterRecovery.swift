// Bringing a cluster back that has lost its quorum for good: `peers.json` (rpc-raft-wire §9).
//
// All of the log is applied, committed or not, and becomes a snapshot with the given configuration; the log is emptied. Every remaining
// server does the same on its own: their snapshots need not agree, since whoever is elected replaces the others'.

extension RaftRecovery {
    /// Whether recovery with `peers.json` may go ahead; the reference's words if not.
    public static func checkRecoverable(_ state: RecoveredRaftState) throws(RaftError) {
        if state.isPristine {
            throw .configuration("recovery failed: refused to recover cluster with no initial state, this is probably an operator error")
        }
    }

    /// Hands over the entries after the snapshot, in order.
    public static func replay(_ state: RecoveredRaftState, _ disk: some Disk, _ body: (LogEntry) -> Void) throws(RecoveryError) {
        let disk = RecoveryDisk(disk)
        var next = (state.snapshot?.index ?? 0) + 1
        while next <= state.log.lastIndex {
            guard let location = state.log.location(of: next, upTo: state.log.lastIndex, size: 1 << 20) else {
                throw RecoveryError(file: SegmentFormat.folder, offset: 0, what: "entry \(next) is lost", remedy: RecoveryError.rejoin)
            }
            let bytes = try disk.read(location.file, offset: location.offset, count: location.size)
            guard let entries = SegmentFormat.entries(bytes, first: location.first, last: location.last, salt: location.salt) else {
                throw RecoveryError(file: location.file, offset: location.offset, what: "a record is damaged", remedy: RecoveryError.rejoin)
            }
            for entry in entries { body(entry) }
            next = location.last + 1
        }
    }

    /// Puts a snapshot with `configuration` in place of everything. `next` gives the state with all of the log applied, piece by piece,
    /// and nil after the last one. Can be interrupted and repeated. Returns what a node starts from then.
    public static func replaceConfiguration(
        of state: RecoveredRaftState, on disk: some Disk, by configuration: RaftConfiguration, milliseconds: Int64,
        state next: () -> [UInt8]?
    ) throws(RecoveryError) -> RecoveredRaftState {
        let raw = disk
        let disk = RecoveryDisk(raw)
        let (index, term) = (max(state.log.lastIndex, state.snapshot?.index ?? 0), max(state.log.lastTerm, state.snapshot?.term ?? 0))
        let name = SnapshotStorage.name(term: term, index: index, milliseconds: milliseconds, taken: state.snapshots)
        var meta = SnapshotMeta(id: name, index: index, term: term, configuration: configuration, configurationIndex: 1)
        var checksum = CRC64()
        try disk.perform([.write(file: meta.stateFile, offset: 0, bytes: [])])
        while let piece = next() {
            try disk.perform([.write(file: meta.stateFile, offset: meta.size, bytes: piece)])
            checksum.update(piece)
            meta.size += piece.count
        }
        meta.checksum = checksum.value
        try disk.perform(SnapshotStorage.seal(meta))
        try disk.perform(SnapshotStorage.publish(meta))
        for segment in state.log.segments.reversed() {
            try disk.perform([
                .truncate(file: segment.file, size: 0), .sync(file: segment.file), .remove(file: segment.file),
                .syncDirectory(SegmentFormat.folder),
            ])
        }
        return try recover(raw)
    }
}
