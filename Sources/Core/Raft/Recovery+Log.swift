// The log's part of recovery; see Recovery.swift for the rules.

/// A segment as it was found: its records up to the first that is not intact.
private struct ScannedSegment {
    var header: SegmentFormat.Header
    var offsets: [UInt32] = []
    var runs: [RaftLog.Run] = []
    var configurations: [LogEntry] = []
    /// Where the intact records end.
    var end = SegmentFormat.headerSize
    var fileSize: Int
    /// Why there are no more: nil if there is nothing but zeros.
    var problem: String?
    /// An intact record behind `end` says that it was durable.
    var wasDurable = false

    var next: UInt64 { header.first + UInt64(offsets.count) }
    var file: String { SegmentFormat.file(first: header.first) }
}

extension RaftRecovery {
    static func recoverLog(_ disk: RecoveryDisk<some Disk>, _ names: [String], _ state: inout RecoveredRaftState) throws(RecoveryError) {
        let snapshotIndex = state.snapshot?.index ?? 0
        var good: [UInt64] = []
        var headless: [UInt64] = []
        for name in names {
            guard let first = SegmentFormat.first(ofFile: name) else { continue }
            let bytes = try disk.read(name, offset: 0, count: SegmentFormat.headerSize)
            let header = SegmentFormat.header(bytes.span.bytes)
            if header?.first == first { good.append(first) } else { headless.append(first) }
        }
        var log: RaftLog?
        var configurations: [LogEntry] = []
        if planted(.lastSegmentLost), good.count > 1 { good.removeLast() }
        for (at, first) in good.enumerated() {
            let isLast = at + 1 == good.count
            let scanned = try scan(disk, first)
            if !isLast, scanned.next != good[at + 1] {
                // What a snapshot covers need not be there, and need not be whole: remains of a compaction.
                guard good[at + 1] <= snapshotIndex + 1 else { throw damage(scanned, headless, next: good[at + 1]) }
                log = nil
                configurations = []
                continue
            }
            if isLast { try cut(disk, scanned, headless, &state) }
            if log == nil { log = RaftLog(baseIndex: first - 1, baseTerm: scanned.header.previousTerm) }
            guard log!.adopt(scanned) else {
                throw RecoveryError(
                    file: scanned.file, offset: 0, what: "the segment does not follow the one before it", remedy: RecoveryError.rejoin)
            }
            configurations += scanned.configurations
        }
        if let log, log.baseIndex > snapshotIndex { throw gap(before: log, headless, snapshotIndex) }
        try checkDamaged(state, log)
        try removeHeadless(disk, headless, after: log, snapshotIndex, &state)
        try combine(disk, log, configurations, good, &state)
    }

    /// A damaged snapshot that is newer than the good one must be made up for by the log: all that it held was acknowledged.
    private static func checkDamaged(_ state: RecoveredRaftState, _ log: RaftLog?) throws(RecoveryError) {
        for damaged in state.damagedSnapshots {
            guard let name = SnapshotName(damaged.name), name.index > state.snapshot?.index ?? 0 else { continue }
            if let log, log.term(at: name.index) == name.term { continue }
            var error = damaged.error
            error.what += ": entries up to \(name.index) are lost, the log does not hold them"
            error.remedy = RecoveryError.rejoin
            throw error
        }
    }

    private static func scan(_ disk: RecoveryDisk<some Disk>, _ first: UInt64) throws(RecoveryError) -> ScannedSegment {
        let file = SegmentFormat.file(first: first)
        let bytes = try disk.read(file, offset: 0, count: try disk.size(file))
        guard let scanned = scan(bytes.span.bytes) else {
            throw RecoveryError(file: file, offset: 0, what: "the header changed while it was read", remedy: "check the disk")
        }
        return scanned
    }

    private static func scan(_ bytes: RawSpan) -> ScannedSegment? {
        guard let header = SegmentFormat.header(bytes) else { return nil }
        var found = ScannedSegment(header: header, fileSize: bytes.byteCount)
        var term = header.previousTerm
        // Offsets are kept in 32 bits; no segment that is written gets nearly as long.
        while found.end <= Int(UInt32.max), let record = SegmentFormat.record(bytes, at: found.end) {
            guard record.salt == header.salt || planted(.saltIgnored), record.index == found.next, record.term >= term else { break }
            if found.runs.isEmpty || record.term != term { found.runs.append(RaftLog.Run(first: record.index, term: record.term)) }
            term = record.term
            if record.kind.changesConfiguration, !planted(.configurationNotRecovered) {
                found.configurations.append(SegmentFormat.entry(bytes, record))
            }
            found.offsets.append(UInt32(found.end))
            // The padding of a torn write may be missing; the next record goes behind it all the same.
            found.end = record.end
        }
        if !isZero(bytes.extracting(min(found.end, bytes.byteCount)..<bytes.byteCount)) {
            found.problem = "a record is damaged"
            found.wasDurable = hasEvidence(bytes, found)
        }
        return found
    }

    /// Whether an intact record behind the first bad one says that the bad one was durable.
    private static func hasEvidence(_ bytes: RawSpan, _ found: ScannedSegment) -> Bool {
        var offset = found.end + 8
        while offset + SegmentFormat.recordHeaderSize <= bytes.byteCount {
            // Most positions are passed over without a checksum: the salt must be this segment's.
            let salt = SegmentFormat.load(bytes, offset + 24, UInt32.self)
            if salt == found.header.salt, let record = SegmentFormat.record(bytes, at: offset) {
                if record.index >= found.next, Int(record.synced) > found.end, !planted(.damageCutOff) { return true }
                offset = record.end
            } else {
                offset += 8
            }
        }
        return false
    }

    private static func isZero(_ bytes: RawSpan) -> Bool {
        var at = 0
        while at + 8 <= bytes.byteCount {
            if SegmentFormat.load(bytes, at, UInt64.self) != 0 { return false }
            at += 8
        }
        while at < bytes.byteCount {
            if SegmentFormat.load(bytes, at, UInt8.self) != 0 { return false }
            at += 1
        }
        return true
    }

    private static func damage(_ scanned: ScannedSegment, _ headless: [UInt64], next: UInt64) -> RecoveryError {
        if let lost = headless.first(where: { $0 == scanned.next && $0 < next }) {
            return RecoveryError(
                file: SegmentFormat.file(first: lost), offset: 0, what: "the header of the segment is damaged", remedy: RecoveryError.rejoin
            )
        }
        return RecoveryError(
            file: scanned.file, offset: scanned.end,
            what: (scanned.problem ?? "records are missing") + ": entries \(scanned.next) to \(next - 1) are lost",
            remedy: RecoveryError.rejoin)
    }

    /// The log does not reach back to the snapshot.
    private static func gap(before log: RaftLog, _ headless: [UInt64], _ snapshotIndex: UInt64) -> RecoveryError {
        if let lost = headless.last(where: { $0 < log.firstIndex }) {
            return RecoveryError(
                file: SegmentFormat.file(first: lost), offset: 0, what: "the header of the segment is damaged", remedy: RecoveryError.rejoin
            )
        }
        return RecoveryError(
            file: SegmentFormat.file(first: log.firstIndex), offset: 0,
            what: "the log begins with entry \(log.firstIndex), but the newest good snapshot ends with entry \(snapshotIndex)",
            remedy: RecoveryError.rejoin)
    }

    /// The last segment ends where its intact records do.
    private static func cut(
        _ disk: RecoveryDisk<some Disk>, _ scanned: ScannedSegment, _ headless: [UInt64], _ state: inout RecoveredRaftState
    ) throws(RecoveryError) {
        guard let problem = scanned.problem else { return }
        if scanned.wasDurable || planted(.tornTailRefused) {
            throw RecoveryError(
                file: scanned.file, offset: scanned.end, what: "\(problem): entry \(scanned.next) was durable and is lost",
                remedy: RecoveryError.rejoin)
        }
        if planted(.tornTailKept) { return }
        try disk.perform([.truncate(file: scanned.file, size: scanned.end), .sync(file: scanned.file)])
        state.notes.append("cut off the torn end of \(scanned.file): \(scanned.fileSize - scanned.end) bytes from \(scanned.end) on")
    }

    /// Removes segments without a header, unless one of them is where the log went on.
    private static func removeHeadless(
        _ disk: RecoveryDisk<some Disk>, _ headless: [UInt64], after log: RaftLog?, _ snapshotIndex: UInt64,
        _ state: inout RecoveredRaftState
    ) throws(RecoveryError) {
        let next = max(log?.lastIndex ?? 0, snapshotIndex) + 1
        for first in headless {
            let file = SegmentFormat.file(first: first)
            if first >= next || log == nil {
                let bytes = try disk.read(file, offset: 0, count: try disk.size(file))
                let wasDurable = stride(from: SegmentFormat.headerSize, to: bytes.count - SegmentFormat.recordHeaderSize, by: 8).contains {
                    guard let record = SegmentFormat.record(bytes.span.bytes, at: $0) else { return false }
                    return record.index >= next && Int(record.synced) >= SegmentFormat.headerSize
                }
                if wasDurable {
                    throw RecoveryError(file: file, offset: 0, what: "the header of the segment is damaged", remedy: RecoveryError.rejoin)
                }
            }
            try disk.perform([.remove(file: file), .syncDirectory(SegmentFormat.folder)])
            state.notes.append("removed \(file), which a crash left without contents")
        }
    }

    /// Joins log and snapshot.
    private static func combine(
        _ disk: RecoveryDisk<some Disk>, _ log: RaftLog?, _ configurations: [LogEntry], _ files: [UInt64], _ state: inout RecoveredRaftState
    ) throws(RecoveryError) {
        let snapshot = state.snapshot
        let covered = (index: snapshot?.index ?? 0, term: snapshot?.term ?? 0)
        guard let log else {
            state.log = RaftLog(baseIndex: covered.index, baseTerm: covered.term)
            return
        }
        if log.lastIndex < covered.index || log.term(at: covered.index) != covered.term {
            // The snapshot was installed over a log that ended before it or went another way; emptying the log was interrupted.
            for first in files.reversed() {
                let file = SegmentFormat.file(first: first)
                try disk.perform([
                    .truncate(file: file, size: 0), .sync(file: file), .remove(file: file), .syncDirectory(SegmentFormat.folder),
                ])
            }
            state.notes.append("emptied the log, which snapshot \(snapshot?.id ?? "") replaces")
            state.log = RaftLog(baseIndex: covered.index, baseTerm: covered.term)
            return
        }
        state.log = log
        for entry in configurations where entry.index > covered.index {
            guard let configuration = try? RaftConfiguration(entry: entry) else {
                throw RecoveryError(
                    file: SegmentFormat.file(first: log.firstIndex), offset: 0, what: "entry \(entry.index) holds no configuration",
                    remedy: RecoveryError.rejoin)
            }
            state.configurations.append(ConfigurationPoint(index: entry.index, configuration: configuration))
        }
    }
}

extension RaftLog {
    /// Appends a segment that follows; false if it does not.
    fileprivate mutating func adopt(_ scanned: ScannedSegment) -> Bool {
        guard scanned.header.first == lastIndex + 1, scanned.header.previousTerm == lastTerm else { return false }
        segments.append(
            Segment(
                first: scanned.header.first, previousTerm: scanned.header.previousTerm, salt: scanned.header.salt, offsets: scanned.offsets,
                end: scanned.end))
        for run in scanned.runs where runs.last?.term != run.term { runs.append(run) }
        lastIndex = scanned.next - 1
        cache = EntryRing(first: lastIndex + 1)
        return true
    }
}
