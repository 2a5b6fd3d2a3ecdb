// Archives of the replicated state: made for operators, and brought by them (rpc-raft-wire §1.6, §8.3; http-2 §12).
//
// Packing and unpacking take as long as the state is large, so they are done a slice at a time, between other events. The state itself is
// a copy of the store, which costs nothing and does not change any more.

/// Owns the archives that a server is working on, and when to go on with them.
struct SnapshotWork {
    enum Job {
        case save(SnapshotSave)
        case restore(SnapshotRestore)
    }

    /// nil where there are no archives.
    let tools: (any ArchiveTools)?
    private(set) var jobs: [(requester: Requester, job: Job)] = []
    private var nextAt: Instant?

    /// Each holds an archive in memory.
    static let jobsMax = 4

    init(_ tools: (any ArchiveTools)?) { self.tools = tools }

    var deadline: Instant? { jobs.isEmpty ? nil : nextAt }
    var isFull: Bool { jobs.count >= Self.jobsMax }

    mutating func add(_ job: Job, for requester: Requester, at now: Instant) {
        jobs.append((requester, job))
        nextAt = now
    }

    /// Nobody waits for the archive any more. What is being restored goes on. Returns whether there was one in the making.
    mutating func cancel(_ requester: Requester) -> Bool {
        let count = jobs.count
        jobs.removeAll { job in if case .save = job.job { job.requester == requester } else { false } }
        return jobs.count < count
    }

    /// The job whose turn it is, taken out.
    mutating func take(at now: Instant) -> (requester: Requester, job: Job)? {
        guard let nextAt, nextAt <= now, !jobs.isEmpty else { return nil }
        return jobs.removeFirst()
    }
}

/// An archive in the making: the state is encoded twice, since its size precedes it.
final class SnapshotSave {
    private let store: Store
    private let tools: any ArchiveTools
    private let unixSeconds: Int64
    private var meta: SnapshotMeta
    private var answer: QueryMeta
    private var encoder: SnapshotEncoder
    private var writer: ArchiveWriter?

    static let sliceSize = 256 << 10

    init(_ store: Store, _ meta: SnapshotMeta, _ answer: QueryMeta, tools: any ArchiveTools, unixSeconds: Int64) {
        self.store = store
        self.meta = meta
        self.answer = answer
        self.answer.index = meta.index
        self.tools = tools
        self.unixSeconds = unixSeconds
        encoder = SnapshotEncoder(store)
    }

    /// Goes on a little; the result when all is done.
    func step() -> ServerOperationResult? {
        let piece = encoder.next(maxBytes: Self.sliceSize)
        // Taken out, so that what it has written is not copied.
        guard var writer else {
            if let piece {
                meta.size += piece.count
            } else {
                writer = ArchiveWriter(meta, tools: tools, unixSeconds: unixSeconds)
                encoder = SnapshotEncoder(store)
            }
            return nil
        }
        self.writer = nil
        if let piece {
            writer.add(piece)
            self.writer = writer
            return nil
        }
        return .snapshot(writer.finish(), answer)
    }
}

/// An archive that is being read. Nothing changes before all of it is found to be whole.
final class SnapshotRestore {
    private var reader: ArchiveReader
    private var decoder = SnapshotDecoder()
    private var damage: TextError?

    init(_ archive: [UInt8], tools: any ArchiveTools) { reader = ArchiveReader(archive, tools: tools) }

    /// Goes on a little; the state and its index when all is read.
    func step() throws(ServerError) -> (state: Store, index: UInt64)? {
        let progress: ArchiveReader.Progress
        do throws(TextError) { progress = try reader.next() } catch { throw ServerError(error.text) }
        switch progress {
        case .working: return nil
        case .state(let piece):
            // A wrong sum explains a state that cannot be read, and is found later.
            if damage == nil { do throws(TextError) { try decoder.feed(piece) } catch { damage = error } }
            return nil
        case .done(let description): return try finish(description)
        }
    }

    private func finish(_ description: ArchiveDescription) throws(ServerError) -> (state: Store, index: UInt64) {
        func refusal(_ text: String) -> ServerError { ServerError("Raft error when restoring snapshot: " + text) }
        if description.version > 1 { throw refusal("unsupported snapshot version \(description.version)") }
        if description.size != Int64(description.stateSize) {
            throw refusal("failed to write snapshot, size didn't match (\(description.stateSize) != \(description.size))")
        }
        do throws(TextError) {
            if let damage { throw damage }
            return (try decoder.finish(), description.index)
        } catch {
            throw refusal("failed to restore snapshot: \(error)")
        }
    }
}

extension Server {
    /// A request over the stream protocol of snapshots, with the archive behind it.
    func snapshotArrived(_ id: CallID, from address: Address, _ bytes: [UInt8], at now: Instant) {
        var reader = MessagePackReader(bytes)
        guard let request = try? SnapshotRequest(from: &reader) else { return effects.append(.refuse(id)) }
        func refuse(_ text: String) { effects.append(.reply(id, SnapshotResponse(error: text).encoded)) }
        if request.datacenter != settings.identity.datacenter { return refuse(ServerError.noPath.text) }
        var options = QueryOptions()
        options.datacenter = request.datacenter
        options.allowStale = request.allowStale
        options.token = request.token
        let operation: ServerOperation
        switch request.operation {
        case SnapshotRequest.save: operation = .saveSnapshot
        case SnapshotRequest.restore: operation = .restoreSnapshot(Array(reader.rest))
        default: return refuse(request.unknownOperation)
        }
        let work = ServerWork.operation(operation, options)
        let call = CallRouter.Incoming(sequence: 0, method: "", work: work, source: CallRouter.source(of: address))
        guard calls.arrived(id, call) else { return refuse(ServerError.rateLimited.text) }
        route(work, settings.access.context(token: request.token, source: address), for: .peer(id), giveUpAt: nil, at: now)
    }

    func replyToSnapshot(_ id: CallID, _ result: Result<ServerOperationResult, ServerError>) {
        let bytes =
            switch result {
            case .success(.snapshot(let archive, let meta)): SnapshotResponse(meta: meta).encoded + archive
            case .success: SnapshotResponse(meta: QueryMeta()).encoded
            case .failure(let error): SnapshotResponse(error: error.text).encoded
            }
        effects.append(.reply(id, bytes))
    }

    // MARK: Saving

    /// This server leads, as far as it knows.
    func saveSnapshot(for requester: Requester, at now: Instant) {
        if raft.isSoleVoter { return beginSaving(for: requester, at: now) }
        let token = consensus.makeToken(for: .saving(requester))
        drive(.verifyLeader(token: token), at: now)
    }

    /// Begins an archive of the present state.
    func beginSaving(for requester: Requester, at now: Instant) {
        func refuse(_ text: String) {
            finishOperation(requester, .failure(ServerError("Raft error when taking snapshot: " + text)), at: now)
        }
        guard let archives = snapshots.tools else { return refuse("there are no archives here") }
        if snapshots.isFull { return refuse("other snapshots are in progress") }
        let lastCommand = state.lastCommand
        guard lastCommand.index > 0, let configuration = raft.configurations.last(where: { $0.index <= raft.commitIndex }) else {
            return refuse("nothing new to snapshot")
        }
        let meta = SnapshotMeta(
            id: raft.snapshotName(term: lastCommand.term, index: lastCommand.index), index: lastCommand.index, term: lastCommand.term,
            configuration: configuration.configuration, configurationIndex: configuration.index)
        let seconds = (now.nanoseconds &+ raft.wallClockOffset) / 1_000_000_000
        let save = SnapshotSave(store, meta, self.meta(index: meta.index, at: now), tools: archives, unixSeconds: seconds)
        snapshots.add(.save(save), for: requester, at: now)
    }

    // MARK: Restoring

    /// This server leads.
    func restoreSnapshot(_ archive: [UInt8], for requester: Requester, at now: Instant) {
        func refuse(_ text: String) {
            finishOperation(requester, .failure(ServerError("Raft error when restoring snapshot: " + text)), at: now)
        }
        guard let archives = snapshots.tools else { return refuse("there are no archives here") }
        if snapshots.isFull { return refuse("other snapshots are in progress") }
        snapshots.add(.restore(SnapshotRestore(archive, tools: archives)), for: requester, at: now)
    }

    /// Does a slice of the work on one archive.
    func workOnSnapshots(at now: Instant) {
        guard let (requester, job) = snapshots.take(at: now) else { return }
        switch job {
        case .save(let save):
            if let result = save.step() {
                finishOperation(requester, .success(result), at: now)
            } else {
                snapshots.add(.save(save), for: requester, at: now)
            }
        case .restore(let restoring):
            do throws(ServerError) {
                if let (state, index) = try restoring.step() {
                    restore(state, index: index, for: requester, at: now)
                } else {
                    snapshots.add(.restore(restoring), for: requester, at: now)
                }
            } catch {
                finishOperation(requester, .failure(error), at: now)
            }
        }
    }
}
