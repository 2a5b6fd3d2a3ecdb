/// Orders events without clocks that agree (Lamport: "Time, Clocks, and the Ordering of Events in a Distributed System"; gossip §12.1).
struct LamportClock: Hashable, Sendable {
    /// Serf's clocks start at 1.
    private(set) var time: UInt64 = 1

    /// Goes on by one; returns the new time.
    @discardableResult
    mutating func increment() -> UInt64 {
        if time < .max { time += 1 }
        return time
    }

    /// After something of time `other` was seen, the clock is beyond it.
    mutating func witness(_ other: UInt64) {
        if other >= time, other < .max { time = other + 1 }
    }
}
