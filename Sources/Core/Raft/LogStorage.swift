/// Turns changes of the log and of the vote into batches of disk operations, one batch in flight at a time: everything that comes up while
/// one syncs goes into the next, so one sync covers all that waits (group commit).
///
/// Order is what makes recovery possible, so each of these is durable before the next begins: the vote; the end of a segment before
/// the one that follows it exists; a truncation before what replaces the entries.
///
/// When a batch fails for want of space it is performed again, whole, once there may be some: all of its operations can be repeated, and
/// after a failed sync rewriting everything since the last good one is the only way to know what the file holds. Any other
/// failure leaves the file in an unknown state and ends the process.
///
/// Over 15 stored variables: what is collected for the next batch, how far batches have come, and what is on the disk, which one change
/// touches together.
struct LogStorage {
    struct Batch {
        var token: UInt64
        var sequence: UInt64
        var operations: [DiskOperation]
        /// The last entry that is durable once the batch is.
        var lastIndex: UInt64
        /// Files without contents, to be removed afterwards.
        var garbage: [String]
    }

    /// Draws the salts of segments.
    private var random: Random
    private let segmentSize: Int

    // What the next batch will hold.
    private var operations: [DiskOperation] = []
    private var buffer: [UInt8] = []
    private var bufferFile = ""
    private var bufferOffset = 0
    private var unsyncedFile: String?
    private var createsFile = false
    private var garbage: [String] = []
    private var pendingVote: VoteRecord?

    /// The slot of `raft/meta` that is written first.
    private var voteSlot: Int
    private var hasVoteFile: Bool
    private(set) var vote: VoteRecord

    private(set) var inFlight: Batch?
    /// The batch in flight failed for want of space and is to be repeated.
    private(set) var isFull = false

    /// Batches are numbered from 1; this is the number of the next one.
    private var nextSequence: UInt64 = 1
    private(set) var durableSequence: UInt64 = 0
    /// The batch that holds, or will hold, the newest vote.
    private(set) var voteSequence: UInt64 = 0
    /// The last entry that is durable with all before it.
    private(set) var durableIndex: UInt64

    init(vote: VoteRecord, voteSlot: Int, hasVoteFile: Bool, durableIndex: UInt64, segmentSize: Int, random: Random) {
        self.vote = vote
        self.voteSlot = voteSlot
        self.hasVoteFile = hasVoteFile
        self.durableIndex = durableIndex
        self.segmentSize = segmentSize
        self.random = random
    }

    var hasPending: Bool { !operations.isEmpty || !buffer.isEmpty || pendingVote != nil || unsyncedFile != nil }

    /// The batch that must be durable for everything written so far to be.
    var writeSequence: UInt64 { hasPending ? nextSequence : nextSequence - 1 }

    func isDurable(_ sequence: UInt64) -> Bool { durableSequence >= sequence }

    // MARK: Changes

    /// Term and vote as they are from now on.
    mutating func setVote(term: UInt64, votedTerm: UInt64, candidate: [UInt8]) {
        vote.term = term
        vote.votedTerm = votedTerm
        vote.candidate = candidate
        vote.sequence += 1
        if planted(.termNotStored), votedTerm < term { return }
        pendingVote = vote
        voteSequence = nextSequence
    }

    /// Takes down that entries acknowledged before `term` were thrown away.
    mutating func setForgotten(in term: UInt64) {
        vote.forgotIn = term
        setVote(term: vote.term, votedTerm: vote.votedTerm, candidate: vote.candidate)
    }

    mutating func append(_ entry: LogEntry, to log: inout RaftLog) {
        let size = SegmentFormat.size(entry)
        if let last = log.segments.last, last.end + size <= segmentSize || last.offsets.isEmpty {
            if buffer.isEmpty {
                bufferFile = last.file
                bufferOffset = last.end
            }
        } else {
            beginSegment(first: entry.index, &log)
        }
        let offset = bufferOffset + buffer.count
        let salt = log.segments[log.segments.count - 1].salt
        SegmentFormat.append(entry, salt: salt, synced: bufferOffset, to: &buffer)
        log.append(entry, offset: offset, end: bufferOffset + buffer.count)
    }

    private mutating func beginSegment(first: UInt64, _ log: inout RaftLog) {
        closeBuffer()
        syncBuffer()
        // The name of the segment before must be durable too.
        if createsFile { operations.append(.syncDirectory(SegmentFormat.folder)) }
        let salt = UInt32(truncatingIfNeeded: random.next())
        let segment = RaftLog.Segment(first: first, previousTerm: log.lastTerm, salt: salt, end: SegmentFormat.headerSize)
        log.segments.append(segment)
        bufferFile = segment.file
        bufferOffset = 0
        SegmentFormat.append(SegmentFormat.Header(first: first, previousTerm: log.lastTerm, salt: salt), to: &buffer)
        createsFile = true
        garbage.removeAll { $0 == segment.file }
        inFlight?.garbage.removeAll { $0 == segment.file }
    }

    /// Removes the entries from `index` on, durably before anything appended later. Later segments are emptied first, so that a crash
    /// never leaves a segment whose predecessor is short.
    mutating func truncate(from index: UInt64, _ log: inout RaftLog) {
        closeBuffer()
        syncBuffer()
        while let last = log.segments.last, last.first > index || last.first == index && log.segments.count > 1 {
            empty(last)
            log.segments.removeLast()
        }
        if !log.segments.isEmpty {
            let at = log.segments.count - 1
            let keep = Int(index - log.segments[at].first)
            if keep < log.segments[at].offsets.count {
                let end = Int(log.segments[at].offsets[keep])
                log.segments[at].offsets.removeLast(log.segments[at].offsets.count - keep)
                log.segments[at].end = end
                if !planted(.truncationSkipped) { operations.append(.truncate(file: log.segments[at].file, size: end)) }
                if !planted(.truncationNotSynced) { operations.append(.sync(file: log.segments[at].file)) }
            }
        }
        log.truncateEntries(from: index)
        if !planted(.durableNotLowered) { lowerDurableIndex(to: index - 1) }
    }

    /// Empties the log; the next entry follows (`index`, `term`), which a durable snapshot covers.
    mutating func reset(toIndex index: UInt64, term: UInt64, _ log: inout RaftLog) {
        closeBuffer()
        syncBuffer()
        while let last = log.segments.popLast() { empty(last) }
        log = RaftLog(baseIndex: index, baseTerm: term)
        lowerDurableIndex(to: 0)
        durableIndex = index
        inFlight?.lastIndex = index
    }

    /// Makes a snapshot none, durably before anything appended later. An empty `meta.json` counts as no snapshot.
    mutating func voidSnapshot(_ meta: SnapshotMeta) {
        operations.append(.truncate(file: meta.metaFile, size: 0))
        operations.append(.sync(file: meta.metaFile))
    }

    private mutating func empty(_ segment: RaftLog.Segment) {
        operations.append(.truncate(file: segment.file, size: 0))
        operations.append(.sync(file: segment.file))
        garbage.append(segment.file)
    }

    private mutating func lowerDurableIndex(to index: UInt64) {
        durableIndex = min(durableIndex, index)
        if let last = inFlight?.lastIndex, !planted(.inFlightNotLowered) { inFlight?.lastIndex = min(last, index) }
    }

    /// Drops the segments that hold nothing after `index`, which a durable snapshot covers. Returns what removes their files.
    mutating func compact(through index: UInt64, _ log: inout RaftLog) -> [DiskOperation] {
        var removals: [DiskOperation] = []
        while log.segments.count > 1, log.segments[0].next <= min(index, durableIndex) + 1 {
            let last = log.segments[0].next - 1
            let term = log.segments[1].previousTerm
            removals.append(.remove(file: log.segments[0].file))
            log.segments.removeFirst()
            if last > log.baseIndex { log.dropPrefix(through: last, term: term) }
        }
        if !removals.isEmpty { removals.append(.syncDirectory(SegmentFormat.folder)) }
        return removals
    }

    private mutating func closeBuffer() {
        guard !buffer.isEmpty else { return }
        operations.append(.write(file: bufferFile, offset: bufferOffset, bytes: buffer))
        buffer = []
        unsyncedFile = bufferFile
    }

    private mutating func syncBuffer() {
        guard let file = unsyncedFile else { return }
        if !planted(.logWithoutSync) { operations.append(.sync(file: file)) }
        unsyncedFile = nil
    }

    // MARK: Batches

    /// The batch with everything that waits; nil if nothing does or one is in flight.
    mutating func nextBatch(token: UInt64, lastIndex: UInt64) -> DiskBatch? {
        guard inFlight == nil, hasPending else { return nil }
        var all: [DiskOperation] = []
        if let vote = pendingVote {
            all = vote.operations(first: voteSlot)
            if !hasVoteFile, !planted(.voteFolderNotSynced) { all += [.syncDirectory("raft"), .syncDirectory("")] }
            hasVoteFile = true
            voteSlot = 1 - voteSlot
            pendingVote = nil
        }
        closeBuffer()
        syncBuffer()
        all += operations
        if createsFile, !planted(.segmentFolderNotSynced) {
            all += [.syncDirectory(SegmentFormat.folder), .syncDirectory("raft"), .syncDirectory("")]
        }
        operations = []
        createsFile = false
        inFlight = Batch(token: token, sequence: nextSequence, operations: all, lastIndex: lastIndex, garbage: garbage)
        garbage = []
        nextSequence += 1
        return DiskBatch(of: .raft, token: token, operations: all)
    }

    /// The batch in flight is durable. Returns the files that became empty and can be removed, before any later batch.
    mutating func complete() -> [String] {
        guard let batch = inFlight else { return [] }
        inFlight = nil
        isFull = false
        durableSequence = batch.sequence
        durableIndex = max(durableIndex, batch.lastIndex)
        return batch.garbage
    }

    /// The batch in flight found no space.
    mutating func failForSpace() { isFull = true }

    /// The batch in flight once more, under another token.
    mutating func retry(token: UInt64) -> DiskBatch? {
        guard isFull, inFlight != nil else { return nil }
        inFlight?.token = token
        return DiskBatch(of: .raft, token: token, operations: planted(.fullDiskForgets) ? [] : inFlight?.operations ?? [])
    }
}
