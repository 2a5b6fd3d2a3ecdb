// Taking snapshots and compacting the log behind them (§7), and restoring one that a user brings (rpc-raft-wire §8.3).
//
// The state itself is the owner's. It comes in pieces, one asked for when the one before is written, so a snapshot of any size
// needs the memory of one piece.

/// A snapshot that is being written.
final class SnapshotSink {
    enum Purpose {
        /// Of this node's own state; the tokens are those of users who asked.
        case local(tokens: [UInt64])
        /// Brought by a user.
        case restore(token: UInt64)
        /// Sent by the leader.
        case install(SnapshotReceipt)
    }

    enum Phase {
        /// Pieces come in and are written.
        case writing
        /// The state is durable and is being given to the owner for decoding (only of a leader's snapshot).
        case decoding(offset: Int)
        /// The description is being written.
        case sealing
        /// The description is given its name.
        case publishing
    }

    let id: SnapshotID
    var meta: SnapshotMeta
    var purpose: Purpose
    var phase = Phase.writing
    var checksum = CRC64()
    /// A disk batch is under way.
    var isBusy = false

    init(id: SnapshotID, meta: SnapshotMeta, purpose: Purpose) {
        self.id = id
        self.meta = meta
        self.purpose = purpose
    }
}

extension RaftNode {
    func newSnapshotID() -> SnapshotID {
        nextSnapshot += 1
        return SnapshotID(nextSnapshot)
    }

    func snapshotName(term: UInt64, index: UInt64) -> String {
        let milliseconds = (now.nanoseconds &+ wallClockOffset) / 1_000_000
        return SnapshotStorage.name(term: term, index: index, milliseconds: milliseconds, taken: snapshots)
    }

    // MARK: Taking one

    func considerSnapshot(_ out: inout [RaftEffect]) {
        snapshotCheckAt = now + random.duration(in: config.snapshotInterval..<config.snapshotInterval * 2)
        guard log.lastIndex - min(log.lastIndex, snapshots.last?.index ?? 0) >= config.snapshotThreshold, sink == nil else { return }
        if lastCommand.index == snapshots.last?.index { return }
        if let problem = snapshotProblem { return out.append(.log(.debug, "no snapshot: \(problem)")) }
        beginSnapshot(tokens: [], &out)
    }

    func takeSnapshot(_ token: UInt64, _ out: inout [RaftEffect]) {
        applyCommitted(&out)
        if let sink, case .local(let tokens) = sink.purpose, sink.meta.index == lastCommand.index {
            sink.purpose = .local(tokens: tokens + [token])
            return
        }
        // There may be one of this very state.
        if sink == nil, let last = snapshots.last, last.index == lastCommand.index {
            return out.append(.snapshotTaken(token: token, .success(last)))
        }
        if let problem = sink == nil ? snapshotProblem : "another snapshot is in progress" {
            return out.append(.snapshotTaken(token: token, .failure(.snapshot(problem))))
        }
        beginSnapshot(tokens: [token], &out)
    }

    /// Why no snapshot can be taken now, in the reference's words.
    private var snapshotProblem: String? {
        if lastCommand.index == 0 { return "nothing new to snapshot" }
        guard let committed = configurations.last(where: { $0.index <= commitIndex }) else { return "nothing new to snapshot" }
        if lastCommand.index < committed.index {
            return "cannot take snapshot now, wait until the configuration entry at \(committed.index) has been applied "
                + "(have applied \(lastCommand.index))"
        }
        return nil
    }

    private func beginSnapshot(tokens: [UInt64], _ out: inout [RaftEffect]) {
        guard let committed = configurations.last(where: { $0.index <= commitIndex }) else { return }
        var (index, term) = lastCommand
        if planted(.snapshotIndexOff), index < commitIndex, log.term(at: index + 1) == term { index += 1 }
        let meta = SnapshotMeta(
            id: snapshotName(term: term, index: index), index: index, term: term,
            configuration: planted(.snapshotOldConfiguration) ? configuration : committed.configuration,
            configurationIndex: committed.index)
        let sink = SnapshotSink(id: newSnapshotID(), meta: meta, purpose: .local(tokens: tokens))
        self.sink = sink
        out.append(.log(.info, "starting snapshot up to: index=\(index)"))
        out.append(.captureSnapshot(sink.id, index: index, term: term))
        out.append(.provideSnapshot(sink.id, count: config.snapshotChunkSize))
    }

    // MARK: The owner's answers

    /// The sink of that id while it takes pieces from the owner.
    private func openSink(_ id: SnapshotID) -> SnapshotSink? {
        guard let sink, sink.id == id, !sink.isBusy, case .writing = sink.phase else { return nil }
        return sink
    }

    func snapshotChunk(_ id: SnapshotID, _ bytes: [UInt8], _ out: inout [RaftEffect]) {
        guard let sink = openSink(id) else { return }
        write(bytes, to: sink, &out)
    }

    func write(_ bytes: [UInt8], to sink: SnapshotSink, _ out: inout [RaftEffect]) {
        let offset = sink.meta.size
        sink.checksum.update(bytes)
        sink.meta.size += bytes.count
        sink.isBusy = true
        perform([.write(file: sink.meta.stateFile, offset: offset, bytes: bytes)], .sink(sink.id), &out)
    }

    func snapshotFinished(_ id: SnapshotID, _ out: inout [RaftEffect]) {
        guard let sink = openSink(id) else { return }
        seal(sink, &out)
    }

    func snapshotFailed(_ id: SnapshotID, _ text: String, _ out: inout [RaftEffect]) {
        guard openSink(id) != nil else { return }
        abandonSink(.snapshot(text), &out)
    }

    func seal(_ sink: SnapshotSink, _ out: inout [RaftEffect]) {
        sink.phase = .sealing
        sink.isBusy = true
        sink.meta.checksum = sink.checksum.value
        let creation: [DiskOperation] = sink.meta.size == 0 ? [.write(file: sink.meta.stateFile, offset: 0, bytes: [])] : []
        perform(creation + SnapshotStorage.seal(sink.meta), .sink(sink.id), &out)
    }

    // MARK: The disk's answers

    func sinkAdvanced(_ id: SnapshotID, _ result: Result<[[UInt8]], DiskError>, _ out: inout [RaftEffect]) {
        guard let sink, sink.id == id else { return }
        sink.isBusy = false
        let found: [[UInt8]]
        switch result {
        case .success(let reads): found = reads
        case .failure(let error):
            out.append(.log(.error, "failed to write snapshot \(sink.meta.id): \(text(error))"))
            return abandonSink(.snapshot("failed to write snapshot: \(text(error))"), &out)
        }
        switch sink.phase {
        case .writing:
            switch sink.purpose {
            case .local, .restore: out.append(.provideSnapshot(id, count: config.snapshotChunkSize))
            case .install(let receipt): pieceWritten(sink, receipt, &out)
            }
        case .decoding(let offset):
            decode(sink, found.first ?? [], at: offset, &out)
        case .sealing:
            sink.phase = .publishing
            sink.isBusy = true
            perform(SnapshotStorage.publish(sink.meta), .sink(id), &out)
        case .publishing:
            self.sink = nil
            published(sink, &out)
        }
    }

    /// The snapshot is durable.
    private func published(_ sink: SnapshotSink, _ out: inout [RaftEffect]) {
        switch sink.purpose {
        case .local(let tokens):
            keep(sink.meta, &out)
            out.append(.releaseSnapshot(sink.id))
            out.append(.log(.info, "snapshot complete up to: index=\(sink.meta.index)"))
            for token in tokens { out.append(.snapshotTaken(token: token, .success(sink.meta))) }
        case .restore(let token): finishRestore(sink, token, &out)
        case .install(let receipt): finishInstall(sink, receipt, &out)
        }
    }

    /// Adds a durable snapshot, removes those that are too many, and compacts the log.
    func keep(_ meta: SnapshotMeta, _ out: inout [RaftEffect]) {
        snapshots.append(meta)
        snapshots.sort(by: SnapshotMeta.precedes)
        var surplus = snapshots.count - max(1, config.snapshotsRetained)
        var operations: [DiskOperation] = []
        snapshots.removeAll { old in
            guard surplus > 0, old != meta, !isBeingSent(old) || planted(.snapshotBeingSentRemoved) else { return false }
            surplus -= 1
            operations += SnapshotStorage.remove(old)
            return true
        }
        let trailing = min(config.trailingLogs, meta.index)
        operations += storage.compact(through: planted(.compactedTooMuch) ? lastApplied : meta.index - trailing, &log)
        if !operations.isEmpty { perform(operations, .housekeeping, &out) }
    }

    private func isBeingSent(_ meta: SnapshotMeta) -> Bool {
        guard case .leader(let leadership) = state else { return false }
        return leadership.peers.contains { peer in
            if case .snapshot(let install) = peer.mode { install.meta.id == meta.id } else { false }
        }
    }

    /// Gives up the snapshot that is being written.
    func abandonSink(_ error: RaftError, _ out: inout [RaftEffect]) {
        guard let sink else { return }
        self.sink = nil
        // Recovery removes what cannot be removed now. The name may be given already, and must be taken back before the state goes.
        if case .publishing = sink.phase {
            perform(SnapshotStorage.remove(sink.meta), .housekeeping, &out)
        } else {
            perform([.remove(file: sink.meta.stateFile)], .housekeeping, &out)
        }
        switch sink.purpose {
        case .local(let tokens):
            out.append(.releaseSnapshot(sink.id))
            for token in tokens { out.append(.snapshotTaken(token: token, .failure(error))) }
        case .restore(let token):
            if case .leader(let leadership) = state { leadership.isRestoring = false }
            out.append(.restored(token: token, .failure(error)))
        case .install(let receipt):
            out.append(.discardSnapshot(sink.id))
            refuseInstall(receipt, error.text, &out)
        }
    }

    // MARK: A user's snapshot

    func restore(_ token: UInt64, _ index: UInt64, _ out: inout [RaftEffect]) {
        func refuse(_ error: RaftError) { out.append(.restored(token: token, .failure(error))) }
        guard case .leader(let leadership) = state else { return refuse(.notLeader) }
        guard leadership.transfer == nil else { return refuse(.leadershipTransferInProgress) }
        guard leadership.pendingRestore == nil else { return refuse(.snapshot("another snapshot is in progress")) }
        guard configurationIndex <= commitIndex else {
            let what = "cannot restore snapshot now, wait until the configuration entry at \(configurationIndex) has been applied "
            return refuse(.snapshot(what + "(have applied \(lastApplied))"))
        }
        if let sink {
            guard case .local = sink.purpose else { return refuse(.snapshot("another snapshot is in progress")) }
            abandonSink(.snapshot("a snapshot is being restored"), &out)
        }
        guard index <= RaftLimits.archiveIndexMax else { return refuse(.snapshot(RaftLimits.beyond("index", index))) }
        leadership.isRestoring = true
        // One index is left out of the log: followers lack it, so they are sent the snapshot.
        let last = max(log.lastIndex, index) + 1
        var meta = SnapshotMeta(
            id: snapshotName(term: term, index: last), index: last, term: term, configuration: configuration,
            configurationIndex: configurationIndex)
        meta.isRestored = true
        let sink = SnapshotSink(id: newSnapshotID(), meta: meta, purpose: .restore(token: token))
        self.sink = sink
        out.append(.provideSnapshot(sink.id, count: config.snapshotChunkSize))
    }

    private func finishRestore(_ sink: SnapshotSink, _ token: UInt64, _ out: inout [RaftEffect]) {
        guard case .leader(let leadership) = state else { return }
        applyCommitted(&out)
        rejectUncommitted(.abortedByRestore, &out)
        leadership.uncommittedBytes = 0
        leadership.isRestoring = false
        replaceLog(by: sink.meta, &out)
        out.append(.log(.info, "restored user snapshot: index=\(sink.meta.index)"))
        out.append(.installSnapshot(sink.id, index: sink.meta.index, term: sink.meta.term))
        leadership.pendingRestore = (token, sink.meta.index, log.lastIndex + 1)
        if planted(.restoreNotCommitted) { out.append(.restored(token: token, .success(sink.meta.index))) }
        append(LogEntry(index: log.lastIndex + 1, term: term, kind: .noop))
    }

    /// All that this server knows to be committed is a snapshot that a user brought, or may have brought: it may come to nothing. It is
    /// committed once an entry behind it is, or a leader that has it says so.
    public var isProvisional: Bool {
        guard confirmedCommit < commitIndex, let last = snapshots.last else { return false }
        return last.isRestored && last.index == commitIndex
    }

    /// What followers are told: a snapshot that may come to nothing is not committed, as far as they are concerned.
    var certainCommit: UInt64 { isProvisional ? commitIndex - 1 : commitIndex }

    /// A newer leader does not have the snapshot that this server restored, or took over: it was never committed. What is left is
    /// nothing; the leader sends everything again.
    func startOver(_ out: inout [RaftEffect]) {
        guard isProvisional, let last = snapshots.last, !planted(.provisionalKept) else { return }
        out.append(.log(.warn, "the restored snapshot \(last.id) was never committed; starting over without it"))
        abandonSink(.snapshot("the snapshot before it was never committed"), &out)
        storage.setForgotten(in: term)
        storage.reset(toIndex: 0, term: 0, &log)
        for snapshot in snapshots.reversed() { storage.voidSnapshot(snapshot) }
        snapshots = []
        configurations = []
        commitIndex = 0
        confirmedCommit = 0
        lastApplied = 0
        lastCommand = (0, 0)
        out.append(.configurationChanged(configuration))
        out.append(.resetState)
    }

    /// A durable snapshot takes the place of the log up to its index, and of all of it if it went another way.
    func replaceLog(by meta: SnapshotMeta, _ out: inout [RaftEffect]) {
        let goesOn = (log.term(at: meta.index) == meta.term || planted(.installKeepsConflict)) && meta.index <= log.lastIndex
        if !goesOn || planted(.installDropsTail) { storage.reset(toIndex: meta.index, term: meta.term, &log) }
        var kept = configurations.filter { goesOn && $0.index > meta.index }
        kept.insert(
            ConfigurationPoint(
                index: meta.configurationIndex, configuration: planted(.installForgetsConfiguration) ? configuration : meta.configuration),
            at: 0)
        let isNews = kept.last?.configuration != configuration
        configurations = kept
        if isNews { out.append(.configurationChanged(configuration)) }
        if let leader, leader.id.isEmpty { setLeader(server(at: Array(leader.address.utf8)), &out) }
        commitIndex = max(commitIndex, meta.index)
        lastApplied = meta.index
        lastCommand = (meta.index, meta.term)
        keep(meta, &out)
        commitAdvanced(&out)
    }
}
