// What a node starts from: term and vote, the newest good snapshot, the log.
//
// A crash leaves any part of what was not synced; all of that is unacknowledged and is cut off or removed. What was synced and is bad
// all the same is damage: an acknowledged entry would be lost, so recovery refuses and says where and what to do. The two are told
// apart thus:
//
//   raft/meta          both slots are written and synced in turn, so a crash spoils at most one. Both bad beside a log: damage.
//   snapshots          `meta.json` gets its name after everything else is durable. A folder without it is removed. One whose state is
//                      bad is damaged; an older snapshot serves if the log reaches back to it.
//   all segments but   the next one is created after they are synced: anything bad in them that is not covered by a snapshot is damage.
//   the last
//   the last segment   records up to the first bad one count. If an intact record behind it says that it was durable
//                      (`synced`, see SegmentFormat), it is damage, else the torn end of the last write.
//   empty files, bad   a segment that was being created, or one emptied by a truncation: removed if the others join without it,
//   headers            else damage.

/// Why a node cannot start, and what to do about it.
public struct RecoveryError: Error, Hashable, Sendable, CustomStringConvertible {
    public var file: String
    public var offset: Int
    public var what: String
    public var remedy: String

    public init(file: String, offset: Int, what: String, remedy: String) {
        self.file = file
        self.offset = offset
        self.what = what
        self.remedy = remedy
    }

    init(_ error: DiskError) {
        switch error {
        case .noSpace: self.init(file: "", offset: 0, what: "no space left on device", remedy: "free some space")
        case .notFound(let name): self.init(file: name, offset: 0, what: "file not found", remedy: RecoveryError.rejoin)
        case .failed(let text): self.init(file: "", offset: 0, what: text, remedy: "check the disk")
        }
    }

    public var description: String {
        file.isEmpty ? "\(what); remedy: \(remedy)" : "\(file) at byte \(offset): \(what); remedy: \(remedy)"
    }

    static let rejoin = "restore the file from a copy, or remove the server's raft folder and let it join again"
}

/// The state that `RaftRecovery` found. `RaftNode` begins with it; the owner first loads `snapshot` into its own state.
public struct RecoveredRaftState: Sendable {
    var vote = VoteRecord()
    var voteSlot = 0
    var hasVoteFile = false
    var log = RaftLog()
    /// Those of the snapshot and of the log, in order; the first may have index 0 and be empty.
    var configurations: [ConfigurationPoint] = []
    /// All that have a `meta.json`, oldest first, up to `snapshot`.
    var snapshots: [SnapshotMeta] = []
    /// Those that cannot be read, by the names of their folders.
    var damagedSnapshots: [(name: String, error: RecoveryError)] = []

    /// The newest good snapshot: the state that the log goes on from.
    public internal(set) var snapshot: SnapshotMeta?
    /// What was found and repaired, for the log file.
    public internal(set) var notes: [String] = []

    /// Nothing was ever written.
    public init() {}

    /// Whether nothing was ever acknowledged: no log, no snapshot, no vote. Only then a cluster may be bootstrapped.
    public var isPristine: Bool { vote.isPristine && log.lastIndex == 0 && snapshot == nil }
    public var term: UInt64 { vote.term }
    public var lastIndex: UInt64 { log.lastIndex }
    /// The latest configuration, committed or not.
    public var configuration: RaftConfiguration { configurations.last?.configuration ?? RaftConfiguration() }
}

/// A configuration and the index of the entry that set it.
struct ConfigurationPoint: Hashable, Sendable {
    var index: UInt64
    var configuration: RaftConfiguration
}

/// Reads what a node left on its disk. Runs before the node does, synchronously.
public enum RaftRecovery {
    /// Finds the state, cutting off what a crash left unfinished. Can be interrupted and repeated.
    public static func recover(_ disk: some Disk) throws(RecoveryError) -> RecoveredRaftState {
        let disk = RecoveryDisk(disk)
        var state = RecoveredRaftState()
        let names = try disk.list("raft")
        try DataFolder.refuseForeign(names)
        try settle(disk, names)
        let isVoteIntact = try recoverVote(disk, names, &state)
        try recoverSnapshots(disk, names, &state)
        try recoverLog(disk, names, &state)
        let isEmpty = state.log.isEmpty && state.snapshot == nil
        guard isVoteIntact || isEmpty else {
            throw RecoveryError(
                file: VoteRecord.file, offset: 0, what: "term and vote are lost, although there is a log", remedy: RecoveryError.rejoin)
        }
        guard state.log.isEmpty || state.log.lastTerm <= state.vote.term else {
            throw RecoveryError(
                file: VoteRecord.file, offset: 0,
                what: "the term is \(state.vote.term), but the log has entries of term \(state.log.lastTerm)",
                remedy: RecoveryError.rejoin)
        }
        // The snapshot of a leader whose term was still being written when the power went: nothing was voted or acknowledged in it.
        if let snapshot = state.snapshot, snapshot.term > state.vote.term { state.vote.term = snapshot.term }
        return state
    }

    /// Makes durable what is there. A process that was killed may have written without a sync: the system still shows that, so the node
    /// would answer for it, and a loss of power would take it away afterwards.
    private static func settle(_ disk: RecoveryDisk<some Disk>, _ names: [String]) throws(RecoveryError) {
        guard !names.isEmpty, !planted(.unsyncedNotSettled) else { return }
        var folders: [String] = [""]
        for name in names {
            var end = name.utf8.startIndex
            while let slash = name.utf8[end...].firstIndex(of: UInt8(ascii: "/")) {
                let folder = String(name[..<slash])
                if !folders.contains(folder) { folders.append(folder) }
                end = name.utf8.index(after: slash)
            }
        }
        try disk.perform(names.map { .sync(file: $0) } + folders.map { .syncDirectory($0) })
    }

    /// Whether a vote was found, or nothing that could have been one.
    private static func recoverVote(
        _ disk: RecoveryDisk<some Disk>, _ names: [String], _ state: inout RecoveredRaftState
    ) throws(RecoveryError) -> Bool {
        guard names.contains(VoteRecord.file) else { return false }
        state.hasVoteFile = true
        let bytes = try disk.read(VoteRecord.file, offset: 0, count: 2 * VoteRecord.slotSize)
        let slots = (0..<2).map { slot in VoteRecord(encoded: bytes.dropFirst(slot * VoteRecord.slotSize)) }
        switch (slots[0], slots[1]) {
        case (nil, nil):
            return false
        case (let first?, let second?):
            state.vote = (first.sequence >= second.sequence) != planted(.newerVoteLost) ? first : second
            state.voteSlot = first.sequence >= second.sequence ? 1 : 0
        case (let first?, nil):
            state.vote = first
            state.voteSlot = 1
        case (nil, let second?):
            state.vote = second
            state.voteSlot = 0
        }
        let term = max(state.vote.term, state.vote.votedTerm, state.vote.forgotIn)
        guard term <= RaftLimits.termMax else {
            throw RecoveryError(
                file: VoteRecord.file, offset: 0, what: RaftLimits.beyond("term", term),
                remedy: "remove the server's raft folder and let it join again")
        }
        return true
    }

    // MARK: Snapshots

    private static func recoverSnapshots(
        _ disk: RecoveryDisk<some Disk>, _ names: [String], _ state: inout RecoveredRaftState
    ) throws(RecoveryError) {
        var (complete, leftovers) = folders(names)
        var isVoid: [String] = []
        for folder in complete where try disk.size(folder + "/meta.json") == 0 { isVoid.append(folder) }
        complete.removeAll { isVoid.contains($0) }
        for folder in isVoid { leftovers += [folder + "/meta.json", folder + "/state.bin"].filter { names.contains($0) } }
        if !leftovers.isEmpty {
            try disk.perform(leftovers.map { .remove(file: $0) })
            state.notes.append("removed what an unfinished snapshot left: \(leftovers.joined(separator: ", "))")
        }
        var found: [SnapshotMeta] = []
        func note(_ name: String, _ error: RecoveryError) { state.damagedSnapshots.append((name, error)) }
        for folder in complete {
            do throws(RecoveryError) {
                found.append(try readMeta(disk, folder))
            } catch {
                note(String(folder.dropFirst(SnapshotMeta.root.count + 1)), error)
            }
        }
        found.sort(by: SnapshotMeta.precedes)
        while let newest = found.last {
            do throws(RecoveryError) {
                var reader = SnapshotReader(newest)
                while try reader.next(from: disk.disk) != nil {}
                state.snapshot = newest
                state.snapshots = found
                state.configurations = [ConfigurationPoint(index: newest.configurationIndex, configuration: newest.configuration)]
                break
            } catch {
                note(newest.id, error)
                found.removeLast()
            }
        }
        for damaged in state.damagedSnapshots { state.notes.append("failed to open snapshot: \(damaged.error)") }
        if state.snapshot == nil, let problem = state.damagedSnapshots.first?.error {
            throw RecoveryError(
                file: problem.file, offset: problem.offset, what: "failed to load any existing snapshots: \(problem.what)",
                remedy: RecoveryError.rejoin)
        }
    }

    /// The folders that are snapshots, and the files of those that are not.
    private static func folders(_ names: [String]) -> (complete: [String], leftovers: [String]) {
        var complete: [String] = []
        var leftovers: [String] = []
        for name in names where name.hasPrefix(SnapshotMeta.root + "/") {
            let parts = name.split(separator: "/")
            let folder = parts.dropLast().joined(separator: "/")
            if parts.count == 4, !parts[2].hasSuffix(".tmp"), names.contains(folder + "/meta.json") {
                if parts[3] == "meta.json" { complete.append(folder) }
                if parts[3] == "meta.json.tmp" { leftovers.append(name) }
            } else if parts.count == 4 {
                leftovers.append(name)
            }
        }
        return (complete, leftovers)
    }

    private static func readMeta(_ disk: RecoveryDisk<some Disk>, _ folder: String) throws(RecoveryError) -> SnapshotMeta {
        let file = folder + "/meta.json"
        let bytes = try disk.read(file, offset: 0, count: 1 << 20)
        do throws(RaftError) {
            var meta = try SnapshotMeta(encoded: bytes)
            meta.id = String(folder.dropFirst(SnapshotMeta.root.count + 1))
            guard SnapshotMeta.isIntact(bytes, name: meta.id, meta) else { throw .snapshot("the description is damaged") }
            return meta
        } catch {
            throw RecoveryError(file: file, offset: 0, what: error.text, remedy: "remove the folder \(folder)")
        }
    }
}

/// A disk whose failures end recovery.
struct RecoveryDisk<D: Disk> {
    let disk: D
    init(_ disk: D) { self.disk = disk }

    func list(_ folder: String) throws(RecoveryError) -> [String] {
        do throws(DiskError) { return try disk.list(folder) } catch { throw RecoveryError(error) }
    }

    func read(_ file: String, offset: Int, count: Int) throws(RecoveryError) -> [UInt8] {
        do throws(DiskError) { return try disk.read(file, offset: offset, count: count) } catch { throw RecoveryError(error) }
    }

    func size(_ file: String) throws(RecoveryError) -> Int {
        do throws(DiskError) { return try disk.size(file) } catch { throw RecoveryError(error) }
    }

    func perform(_ operations: [DiskOperation]) throws(RecoveryError) {
        do throws(DiskError) { try disk.perform(operations) } catch { throw RecoveryError(error) }
    }
}
