/// The log as the node sees it: where every entry's record stands, the terms, and the newest entries themselves.
///
/// Costs four bytes per entry on disk; only the entries of `cache` are in memory as such. What it knows about files is kept in step by
/// `LogStorage`, which performs every change.
struct RaftLog: Sendable {
    /// One file of consecutive records.
    struct Segment: Sendable {
        let first: UInt64
        let previousTerm: UInt64
        let salt: UInt32
        /// Where the record of `first + n` begins.
        var offsets: [UInt32] = []
        /// Where the next record goes.
        var end: Int

        /// The index after the last record.
        var next: UInt64 { first + UInt64(offsets.count) }
        var file: String { SegmentFormat.file(first: first) }
    }

    /// The entries from `first` on are of `term`, up to the next run.
    struct Run: Hashable, Sendable {
        var first: UInt64
        var term: UInt64
    }

    var segments: [Segment] = []
    var runs: [Run] = []
    /// The entry before the first one: the last that was compacted away, or that a snapshot covers. (0, 0) for a log that is complete.
    var baseIndex: UInt64
    var baseTerm: UInt64
    var lastIndex: UInt64
    var cache: EntryRing

    init(baseIndex: UInt64 = 0, baseTerm: UInt64 = 0) {
        self.baseIndex = baseIndex
        self.baseTerm = baseTerm
        lastIndex = baseIndex
        cache = EntryRing(first: baseIndex + 1)
    }

    var firstIndex: UInt64 { baseIndex + 1 }
    var isEmpty: Bool { lastIndex == baseIndex }
    var lastTerm: UInt64 { runs.last?.term ?? baseTerm }

    /// The term of the entry at `index`, or of the one before the first; nil for any other. O(log terms).
    func term(at index: UInt64) -> UInt64? {
        if index == baseIndex { return baseTerm }
        guard index > baseIndex, index <= lastIndex else { return nil }
        return runs[run(of: index)].term
    }

    /// The first index of the run of equal terms that `index` lies in.
    func firstOfTerm(at index: UInt64) -> UInt64 {
        guard index > baseIndex, index <= lastIndex else { return index }
        return runs[run(of: index)].first
    }

    private func run(of index: UInt64) -> Int {
        var low = 0, high = runs.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if runs[middle].first <= index { low = middle } else { high = middle }
        }
        return low
    }

    /// The position of the segment that holds `index`.
    private func segment(of index: UInt64) -> Int? {
        var low = 0, high = segments.count
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].first <= index { low = middle + 1 } else { high = middle }
        }
        guard low > 0, index < segments[low - 1].next else { return nil }
        return low - 1
    }

    /// Where records `index...` stand, up to `limit` inclusive, in one file and about `size` bytes.
    func location(of index: UInt64, upTo limit: UInt64, size: Int) -> LogLocation? {
        guard let at = segment(of: index) else { return nil }
        let segment = segments[at]
        let start = Int(segment.offsets[Int(index - segment.first)])
        let stop = Int(min(limit + 1, segment.next) - segment.first)
        var last = Int(index - segment.first)
        func end(_ position: Int) -> Int { position + 1 < segment.offsets.count ? Int(segment.offsets[position + 1]) : segment.end }
        while last + 1 < stop, end(last + 1) - start <= size { last += 1 }
        return LogLocation(
            file: segment.file, offset: start, size: end(last) - start, first: index, last: segment.first + UInt64(last), salt: segment.salt
        )
    }

    // MARK: Changes

    /// Takes note of an entry whose record begins at `offset` of the last segment.
    mutating func append(_ entry: LogEntry, offset: Int, end: Int) {
        segments[segments.count - 1].offsets.append(UInt32(offset))
        segments[segments.count - 1].end = end
        noteTerm(entry.term, at: entry.index)
        lastIndex = entry.index
        cache.append(entry)
    }

    mutating func noteTerm(_ term: UInt64, at index: UInt64) {
        precondition(term >= lastTerm, "terms never decrease along the log")
        if runs.isEmpty || runs[runs.count - 1].term != term { runs.append(Run(first: index, term: term)) }
    }

    /// Forgets the entries from `index` on. The segments are the caller's business.
    mutating func truncateEntries(from index: UInt64) {
        lastIndex = index - 1
        while let last = runs.last, last.first >= index, !planted(.truncateOneTooFew) { runs.removeLast() }
        cache.truncate(from: index)
    }

    /// Forgets the entries up to `index`, whose term is `term`; they are in segments that the caller has dropped.
    mutating func dropPrefix(through index: UInt64, term: UInt64) {
        precondition(index >= baseIndex && index <= lastIndex, "only entries of the log can be compacted")
        let keep = index < lastIndex ? run(of: index + 1) : runs.count
        runs.removeFirst(keep)
        if !runs.isEmpty { runs[0].first = max(runs[0].first, index + 1) }
        baseIndex = index
        baseTerm = term
        while cache.count > 0, cache.first <= index { cache.removeFirst() }
    }

    /// Keeps the cache within `limit` bytes. Only what is durable can be read back, and what carries a token is still needed.
    mutating func evict(limit: Int, durable: UInt64, applied: UInt64) {
        while cache.weight > limit, cache.count > 0, cache.first <= durable, cache.first <= applied || cache[cache.first].token == 0 {
            cache.removeFirst()
        }
        cache.shrink()
    }
}

/// Where some consecutive records stand.
struct LogLocation: Hashable, Sendable {
    var file: String
    var offset: Int
    var size: Int
    var first: UInt64
    var last: UInt64
    var salt: UInt32
}
