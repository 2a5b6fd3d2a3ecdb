/// Orders events without clocks that agree (Lamport: "Time, Clocks, and the Ordering of Events in a Distributed System"; gossip §12.1).
struct LamportClock: Hashable, Sendable {
    /// A time that is further ahead is no other member's: a pool with 300 events a second takes a century to get there. Whoever believed in
    /// it could tell no times beyond, and what others say in their time would be old.
    static let reach: UInt64 = 1 << 40

    /// Serf's clocks start at 1.
    private(set) var time: UInt64 = 1

    /// Whether a pool can have come to that time. What has another one is neither witnessed nor believed.
    func isReachable(_ other: UInt64) -> Bool { other <= time || other - time <= Self.reach }

    /// Goes on by one; returns the new time.
    @discardableResult
    mutating func increment() -> UInt64 {
        if time < .max { time += 1 }
        return time
    }

    /// After something of time `other` was seen, the clock is beyond it.
    mutating func witness(_ other: UInt64) {
        if planted(.clockEqualNotWitnessed) ? other > time : other >= time, isReachable(other), other < .max, !planted(.clockNotWitnessed) {
            time = other + 1
        }
    }
}
