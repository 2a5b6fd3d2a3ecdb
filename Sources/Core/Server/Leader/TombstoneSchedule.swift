/// When the leader has tombstones reaped (behaviour §1.8): those of one slot of time together.
struct TombstoneSchedule {
    let ttl: Duration
    let granularity: Duration
    /// Slots in the order of time: when, and the highest index to reap then.
    private var slots: [(at: Instant, index: UInt64)] = []

    init(ttl: Duration, granularity: Duration) {
        self.ttl = ttl
        self.granularity = granularity
    }

    var deadline: Instant? { slots.first?.at }

    /// A tombstone was created at `index`.
    mutating func hint(_ index: UInt64, at now: Instant) {
        let step = max(1, granularity.nanoseconds)
        let due = (now + ttl).nanoseconds
        let at = Instant(nanoseconds: (due / step + 1) * step)
        if let last = slots.last, last.at >= at {
            slots[slots.count - 1].index = max(last.index, index)
        } else {
            slots.append((at, index))
        }
    }

    /// The index up to which tombstones are due.
    mutating func popExpired(at now: Instant) -> UInt64? {
        guard let first = slots.first, first.at <= now else { return nil }
        slots.removeFirst()
        return first.index
    }

    mutating func removeAll() { slots.removeAll() }
}
