import Testing

@testable import Core

/// A log, a vote and snapshots as they change, with every batch of operations that this takes.
struct StorageHistory {
    struct State: Equatable {
        var entries: [UInt64: LogEntry] = [:]
        var base: UInt64 = 0
        var vote = VoteRecord()
        var snapshot: UInt64 = 0
        /// Entries written, and perhaps overwritten, since the last batch.
        var transient: Set<LogEntry> = []

        var last: UInt64 { entries.keys.max() ?? base }
    }

    private(set) var log = RaftLog()
    private(set) var storage: LogStorage
    /// What is to be found after each batch.
    private(set) var batches: [(operations: [DiskOperation], after: State)] = []
    private(set) var state = State()
    private var token: UInt64 = 0
    private var snapshots: [SnapshotMeta] = []
    static let configuration = RaftConfiguration(servers: [RaftServer(id: "s1", address: "10.0.0.1:8300")])

    init(segmentSize: Int = 600) {
        storage = LogStorage(
            vote: VoteRecord(), voteSlot: 0, hasVoteFile: false, durableIndex: 0, segmentSize: segmentSize, random: Random(seed: 7))
    }

    mutating func vote(_ term: UInt64, _ candidate: String) {
        storage.setVote(term: term, votedTerm: term, candidate: Array(candidate.utf8))
        state.vote = storage.vote
    }

    mutating func append(_ count: Int, term: UInt64, size: Int = 40, kind: LogKind = .command) {
        for _ in 0..<count {
            let index = log.lastIndex + 1
            let data =
                kind == .configuration
                ? Self.configuration.encoded : [UInt8](repeating: UInt8(truncatingIfNeeded: index &* 31 &+ term), count: size)
            let entry = LogEntry(index: index, term: term, kind: kind, data: data)
            storage.append(entry, to: &log)
            state.entries[index] = entry
            state.transient.insert(entry)
        }
    }

    mutating func truncate(from index: UInt64) {
        storage.truncate(from: index, &log)
        state.entries = state.entries.filter { $0.key < index }
    }

    mutating func sync() {
        token += 1
        guard let batch = storage.nextBatch(token: token, lastIndex: log.lastIndex) else { return }
        batches.append((batch.operations, state))
        state.transient = []
        let garbage = storage.complete()
        if !garbage.isEmpty { batches.append((garbage.map { .remove(file: $0) } + [.syncDirectory(SegmentFormat.folder)], state)) }
    }

    mutating func snapshot(index: UInt64, term: UInt64, trailing: UInt64 = 0) {
        let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: 300)
        var checksum = CRC64()
        checksum.update(bytes)
        let meta = SnapshotMeta(
            id: "\(term)-\(index)-1000", index: index, term: term, configuration: Self.configuration, configurationIndex: 1, size: 300,
            checksum: checksum.value)
        batches.append(([.write(file: meta.stateFile, offset: 0, bytes: bytes)], state))
        batches.append((SnapshotStorage.seal(meta), state))
        state.snapshot = index
        batches.append((SnapshotStorage.publish(meta), state))
        snapshots.append(meta)
        var operations: [DiskOperation] = []
        if snapshots.count > 2 { operations += SnapshotStorage.remove(snapshots.removeFirst()) }
        let goesOn = log.term(at: index) == term
        if goesOn {
            operations += storage.compact(through: index - trailing, &log)
            state.entries = state.entries.filter { $0.key > log.baseIndex }
        } else {
            storage.reset(toIndex: index, term: term, &log)
            state.entries = [:]
        }
        state.base = log.baseIndex
        if !operations.isEmpty { batches.append((operations, state)) }
    }

    /// Everything that a node does to its files: rolling over, overwriting, compacting, being overtaken by a snapshot.
    static var rich: StorageHistory {
        var history = StorageHistory()
        history.vote(1, "10.0.0.1:8300")
        history.append(1, term: 1, kind: .configuration)
        history.sync()
        for _ in 0..<4 {
            history.append(3, term: 1)
            history.sync()
        }
        history.vote(2, "10.0.0.2:8300")
        history.append(9, term: 2)
        history.sync()
        history.truncate(from: 12)
        history.vote(3, "10.0.0.3:8300")
        history.append(4, term: 3)
        history.sync()
        history.append(2, term: 3, size: 900)
        history.truncate(from: 15)
        history.vote(4, "10.0.0.4:8300")
        history.append(12, term: 4, size: 30)
        history.sync()
        history.snapshot(index: 10, term: 1)
        history.append(8, term: 4)
        history.sync()
        history.truncate(from: 20)
        history.sync()
        history.snapshot(index: 18, term: 4)
        history.append(8, term: 4, size: 100)
        history.sync()
        history.snapshot(index: 60, term: 4)
        history.append(6, term: 5)
        history.vote(5, "")
        history.sync()
        return history
    }
}

@Suite struct RaftStorageTests {
    private func entries(_ state: RecoveredRaftState, _ disk: TestDisk) throws -> [UInt64: LogEntry] {
        var found: [UInt64: LogEntry] = [:]
        var next = state.log.firstIndex
        while next <= state.log.lastIndex {
            let location = try #require(state.log.location(of: next, upTo: state.log.lastIndex, size: 200))
            let bytes = try disk.read(location.file, offset: location.offset, count: location.size)
            let read = try #require(SegmentFormat.entries(bytes, first: location.first, last: location.last, salt: location.salt))
            for entry in read {
                found[entry.index] = entry
                if state.log.term(at: entry.index) != entry.term { Issue.record("the term at \(entry.index) is wrong") }
            }
            next = location.last + 1
        }
        return found
    }

    /// What is found lies between what was there before the batch and what was to be there after it.
    private func check(_ disk: TestDisk, _ before: StorageHistory.State, _ after: StorageHistory.State, _ what: @autoclosure () -> String) {
        do {
            let state = try RaftRecovery.recover(disk)
            let found = try entries(state, disk)
            let snapshot = state.snapshot?.index ?? 0
            var isGood = snapshot == before.snapshot || snapshot == after.snapshot
            isGood = isGood && (state.vote == before.vote || state.vote == after.vote || state.vote.term == 0 && before.vote.term == 0)
            var isNew = false
            for index in (min(before.base, after.base) + 1)...(max(before.last, after.last) + 1) {
                let (old, new, now) = (before.entries[index], after.entries[index], found[index])
                // Kept by both, and needed: it must be there.
                if let old, old == new, index > snapshot, now != old { isGood = false }
                if let now {
                    if now == new, now != old { isNew = true }
                    if now != new, now != old, !after.transient.contains(now) { isGood = false }
                    if isNew, now != new, !after.transient.contains(now) { isGood = false }
                }
            }
            if !isGood { Issue.record("\(what()): found snapshot \(snapshot), entries \(found.keys.sorted()), vote \(state.vote)") }
            // What recovery leaves is found again, unchanged.
            let again = try RaftRecovery.recover(disk)
            if again.log.lastIndex != state.log.lastIndex || again.vote != state.vote || again.snapshot != state.snapshot {
                Issue.record("\(what()): a second recovery finds something else")
            }
        } catch {
            Issue.record("\(what()): \(error)")
        }
    }

    @Test func `a crash after any operation loses nothing that was synced`() throws {
        let history = StorageHistory.rich
        for survival in TestDisk.Survival.allCases {
            for seed in 0..<(survival == .nothing || survival == .everything ? 1 : 6) {
                var random = Random(seed: UInt64(seed))
                var before = StorageHistory.State()
                var done: [DiskOperation] = []
                for (number, batch) in history.batches.enumerated() {
                    for (at, operation) in batch.operations.enumerated() {
                        let disk = TestDisk()
                        for operation in done { _ = try disk.apply(operation) }
                        disk.crash(&random, survival)
                        check(disk, before, batch.after, "\(survival), batch \(number), operation \(at), seed \(seed)")
                        done.append(operation)
                    }
                    before = batch.after
                }
            }
        }
    }

    @Test func `a write torn at any byte loses nothing that was synced`() throws {
        let history = StorageHistory.rich
        var before = StorageHistory.State()
        var random = Random(seed: 1)
        let disk = TestDisk()
        for (number, batch) in history.batches.enumerated() {
            for operation in batch.operations {
                if case .write(let file, let offset, let bytes) = operation {
                    for count in 0..<bytes.count {
                        let torn = disk.copy()
                        _ = try torn.apply(.write(file: file, offset: offset, bytes: Array(bytes[..<count])))
                        torn.crash(&random, .everything)
                        check(torn, before, batch.after, "batch \(number), \(file) torn after \(count) bytes")
                    }
                }
                _ = try disk.apply(operation)
            }
            before = batch.after
        }
    }

    @Test func `a log goes on after any torn end`() throws {
        var history = StorageHistory(segmentSize: 1 << 20)
        history.vote(1, "a")
        history.append(3, term: 1, size: 13)
        history.sync()
        let disk = TestDisk()
        for batch in history.batches { for operation in batch.operations { _ = try disk.apply(operation) } }
        let name = try disk.list(SegmentFormat.folder)[0]
        let bytes = try disk.read(name, offset: 0, count: 1 << 20)
        for size in SegmentFormat.headerSize...bytes.count {
            let torn = disk.copy()
            torn.set(name, Array(bytes[..<size]))
            let state = try RaftRecovery.recover(torn)
            var log = state.log
            var storage = LogStorage(
                vote: state.vote, voteSlot: 0, hasVoteFile: true, durableIndex: log.lastIndex, segmentSize: 1 << 20, random: Random(seed: 1)
            )
            for _ in 0..<2 { storage.append(LogEntry(index: log.lastIndex + 1, term: 1, data: [9]), to: &log) }
            let batch = storage.nextBatch(token: 1, lastIndex: log.lastIndex)
            for operation in batch?.operations ?? [] { _ = try torn.apply(operation) }
            let again = try RaftRecovery.recover(torn)
            #expect(again.lastIndex == state.lastIndex + 2, "torn at \(size)")
        }
    }

    @Test func `an interrupted recovery can be repeated`() throws {
        let history = StorageHistory.rich
        var random = Random(seed: 3)
        var before = StorageHistory.State()
        var done: [DiskOperation] = []
        for batch in history.batches {
            for operation in batch.operations {
                let disk = TestDisk()
                for operation in done { _ = try disk.apply(operation) }
                disk.crash(&random, .anything)
                for left in 0..<6 {
                    disk.operationsLeft = left
                    _ = try? RaftRecovery.recover(disk)
                    disk.crash(&random)
                }
                disk.operationsLeft = nil
                check(disk, before, batch.after, "interrupted recovery")
                done.append(operation)
            }
            before = batch.after
        }
    }

    @Test func `damage in the middle of the log is refused with file and offset`() throws {
        var history = StorageHistory()
        history.vote(1, "a")
        for _ in 0..<12 {
            history.append(2, term: 1, size: 64)
            history.sync()
        }
        history.append(1, term: 1, size: 8)
        history.sync()
        let disk = TestDisk()
        for batch in history.batches { for operation in batch.operations { _ = try disk.apply(operation) } }
        let last = history.state.last
        var refused = 0
        for name in try disk.list(SegmentFormat.folder) {
            let bytes = try disk.read(name, offset: 0, count: 1 << 20)
            for at in bytes.indices {
                let damaged = disk.copy()
                var changed = bytes
                changed[at] ^= 0x40
                damaged.set(name, changed)
                do {
                    let state = try RaftRecovery.recover(damaged)
                    // Only the last write can be taken for a torn one.
                    #expect(state.log.lastIndex >= last - 1, "\(name) byte \(at)")
                } catch {
                    refused += 1
                    #expect(error.file == name, "\(error)")
                    #expect(error.offset <= at, "\(error)")
                    #expect(error.description.contains("remedy: "))
                }
            }
            // A file without contents is what a truncation leaves; if it is the last one, nothing says that there was more.
            guard name != (try disk.list(SegmentFormat.folder)).last else { continue }
            let emptied = disk.copy()
            emptied.set(name, [])
            #expect(throws: RecoveryError.self, "\(name) emptied") { try RaftRecovery.recover(emptied) }
        }
        #expect(refused > 1000)
    }

    @Test func `a zeroed sector in the middle of the log is refused`() throws {
        var history = StorageHistory(segmentSize: 64 << 10)
        history.vote(1, "a")
        for _ in 0..<40 {
            history.append(2, term: 1, size: 100)
            history.sync()
        }
        let disk = TestDisk()
        for batch in history.batches { for operation in batch.operations { _ = try disk.apply(operation) } }
        let name = try disk.list(SegmentFormat.folder)[0]
        let bytes = try disk.read(name, offset: 0, count: 1 << 20)
        for sector in 0..<(bytes.count / 512 - 1) {
            let damaged = disk.copy()
            var changed = bytes
            for at in sector * 512..<(sector + 1) * 512 { changed[at] = 0 }
            damaged.set(name, changed)
            #expect(throws: RecoveryError.self, "sector \(sector)") { try RaftRecovery.recover(damaged) }
        }
    }

    @Test func `one damaged slot of the vote is made up for by the other`() throws {
        var history = StorageHistory()
        history.vote(3, "10.0.0.1:8300")
        history.append(1, term: 2)
        history.sync()
        history.vote(4, "10.0.0.2:8300")
        history.sync()
        let disk = TestDisk()
        for batch in history.batches { for operation in batch.operations { _ = try disk.apply(operation) } }
        let bytes = try disk.read(VoteRecord.file, offset: 0, count: 8192)
        let size = history.storage.vote.encoded.count
        for slot in 0..<2 {
            for at in 0..<size {
                let damaged = disk.copy()
                var changed = bytes
                changed[slot * VoteRecord.slotSize + at] ^= 1
                damaged.set(VoteRecord.file, changed)
                #expect(try RaftRecovery.recover(damaged).vote == history.storage.vote)
            }
        }
        let lost = disk.copy()
        lost.set(VoteRecord.file, [UInt8](repeating: 0, count: 8192))
        #expect(throws: RecoveryError.self) { try RaftRecovery.recover(lost) }
    }

    @Test func `a damaged snapshot gives way to an older one if the log reaches back to it`() throws {
        var history = StorageHistory(segmentSize: 64 << 10)
        history.vote(1, "a")
        history.append(30, term: 1)
        history.sync()
        history.snapshot(index: 10, term: 1)
        history.snapshot(index: 20, term: 1)
        let disk = TestDisk()
        for batch in history.batches { for operation in batch.operations { _ = try disk.apply(operation) } }
        disk.set("raft/snapshots/1-20-1000/state.bin", [1, 2, 3])
        let state = try RaftRecovery.recover(disk)
        #expect(state.snapshot?.index == 10)
        #expect(state.lastIndex == 30)
        #expect(state.notes.contains { $0.contains("CRC mismatch") || $0.contains("3 bytes instead of 300") })
        disk.set("raft/snapshots/1-10-1000/state.bin", [])
        do {
            _ = try RaftRecovery.recover(disk)
            Issue.record("started without a snapshot")
        } catch {
            #expect(error.what.hasPrefix("failed to load any existing snapshots"))
        }
    }

    @Test func `a log that begins after the snapshot is refused`() throws {
        var history = StorageHistory()
        history.vote(1, "a")
        history.append(60, term: 1)
        history.sync()
        history.snapshot(index: 10, term: 1)
        history.snapshot(index: 50, term: 1)
        let disk = TestDisk()
        for batch in history.batches { for operation in batch.operations { _ = try disk.apply(operation) } }
        disk.set("raft/snapshots/1-50-1000/meta.json", Array("{".utf8))
        #expect(throws: RecoveryError.self) { try RaftRecovery.recover(disk) }
    }

    @Test func `a full disk is retried with the same bytes`() throws {
        var history = StorageHistory()
        history.vote(1, "a")
        history.append(3, term: 1)
        history.sync()
        var (storage, log) = (history.storage, history.log)
        storage.append(LogEntry(index: 4, term: 1, data: [1]), to: &log)
        let taken = storage.nextBatch(token: 90, lastIndex: 4)
        let batch = try #require(taken)
        storage.append(LogEntry(index: 5, term: 1, data: [2]), to: &log)
        let early = storage.nextBatch(token: 91, lastIndex: 5)
        #expect(early?.token == nil)
        storage.failForSpace()
        #expect(storage.durableIndex == 3)
        let retried = storage.retry(token: 92)
        let again = try #require(retried)
        #expect(again.operations == batch.operations)
        let garbage = storage.complete()
        #expect(garbage == [])
        #expect(storage.durableIndex == 4)
        let next = storage.nextBatch(token: 93, lastIndex: 5)
        #expect(next?.token == 93)
    }

    @Test func `peers.json puts another configuration in place`() throws {
        var history = StorageHistory()
        history.vote(4, "a")
        history.append(1, term: 1, kind: .configuration)
        history.append(20, term: 2)
        history.sync()
        let disk = TestDisk()
        for batch in history.batches { for operation in batch.operations { _ = try disk.apply(operation) } }
        let state = try RaftRecovery.recover(disk)
        try RaftRecovery.checkRecoverable(state)
        var machine = ToyMachine()
        try RaftRecovery.replay(state, disk) { machine.apply($0) }
        #expect(machine.count == 20)
        let configuration = try RaftConfiguration(
            peersJSON: Array(
                #"[{"id":"x","address":"10.0.0.9:8300","non_voter":false},{"id":"y","address":"10.0.0.8:8300","non_voter":true}]"#.utf8))
        for left in [1, 2, 3, 5, 8, 9, 10, 11, 12, nil] {
            let copy = disk.copy()
            copy.operationsLeft = left
            var pieces = [machine.encoded]
            var recovered = try? RaftRecovery.replaceConfiguration(of: state, on: copy, by: configuration, milliseconds: 5) {
                pieces.popLast()
            }
            copy.operationsLeft = nil
            if left != nil { recovered = try RaftRecovery.recover(copy) }
            let found = try #require(recovered)
            #expect(found.term == 4)
            #expect(found.lastIndex == 21)
            if found.snapshot != nil { #expect(found.configuration == configuration) }
            if left == nil {
                #expect(found.snapshot?.index == 21)
                #expect(found.snapshot?.term == 2)
                #expect(found.log.isEmpty)
            }
        }
        #expect(throws: RaftError.self) { try RaftRecovery.checkRecoverable(RecoveredRaftState()) }
        #expect(throws: RaftError.configuration("Found duplicate ID in configuration: x")) {
            try RaftConfiguration(peersJSON: Array(#"[{"id":"x","address":"a"},{"id":"x","address":"b"}]"#.utf8))
        }
    }
}
