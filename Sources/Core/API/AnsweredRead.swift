/// What a read that a front end has answered counts as, beside its time.
struct AnsweredRead {
    var subject = MeasuredSubject.none
    /// Whose instances were looked up.
    var lookup: LookupCounter?
    /// The reference asks a quorum before such a read; the only voter has nobody to ask.
    var isConsistent: Bool
}

/// How often the instances of a service were looked up since that was told. A reference, so that a kept answer counts without a look-up.
final class LookupCounter {
    let lookup: MeasuredLookup
    fileprivate var times = 0

    fileprivate init(_ lookup: MeasuredLookup) { self.lookup = lookup }
}

/// Counts the look-ups of one I/O thread until they are told to the core loop.
struct LookupCounters {
    private var counters = LookupTable<MeasuredLookup, LookupCounter>()
    /// Those that have counted.
    private var touched: [LookupCounter] = []

    /// Services that are told apart between two drains; further ones are not counted.
    static let countMax = ServerMeasures.lookupsMax

    /// Hashes names: for answers that are made anew.
    mutating func counter(of lookup: MeasuredLookup) -> LookupCounter {
        if let known = counters[lookup] { return known }
        if counters.count >= Self.countMax { counters.removeAll() }
        let counter = LookupCounter(lookup)
        counters[lookup] = counter
        return counter
    }

    @inline(__always)
    mutating func count(_ counter: LookupCounter) {
        if counter.times == 0 {
            if touched.count >= Self.countMax { return }
            touched.append(counter)
        }
        counter.times += 1
    }

    mutating func take() -> [(lookup: MeasuredLookup, times: Int)] {
        let counted = touched.map { (lookup: $0.lookup, times: $0.times) }
        for counter in touched { counter.times = 0 }
        touched.removeAll(keepingCapacity: true)
        return counted
    }
}
