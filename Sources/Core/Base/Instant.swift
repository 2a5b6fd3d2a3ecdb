/// A point on a monotonic clock, in nanoseconds since an origin that the driver chose.
///
/// State machines receive it as a parameter; they never ask for it.
public struct Instant: Hashable, Comparable, Sendable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    public static let zero = Instant(nanoseconds: 0)
    /// Later than every instant that a run reaches.
    public static let distantFuture = Instant(nanoseconds: .max)

    public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
    /// Saturates at `distantFuture` instead of trapping.
    public static func + (a: Instant, d: Duration) -> Instant {
        let (sum, overflow) = a.nanoseconds.addingReportingOverflow(d.nanoseconds)
        return Instant(nanoseconds: overflow ? (d.nanoseconds > 0 ? .max : .min) : sum)
    }
    public static func - (a: Instant, d: Duration) -> Instant {
        let (difference, overflow) = a.nanoseconds.subtractingReportingOverflow(d.nanoseconds)
        return Instant(nanoseconds: overflow ? (d.nanoseconds > 0 ? .min : .max) : difference)
    }
    public static func - (a: Instant, b: Instant) -> Duration { .nanoseconds(a.nanoseconds &- b.nanoseconds) }
    public static func += (a: inout Instant, d: Duration) { a = a + d }
}

extension Instant {
    /// The earlier of both; nil is later than everything. For the deadline of a machine that has several.
    @inline(__always)
    public mutating func bringForward(to other: Instant?) {
        if let other, other < self { self = other }
    }
}

extension Optional<Instant> {
    /// The earlier of both; nil is later than everything. For the deadline of a machine that has several.
    public mutating func bringForward(to other: Instant?) {
        guard let other else { return }
        self = self.map { Swift.min($0, other) } ?? other
    }
}

extension Duration {
    /// The whole length in nanoseconds, saturated to 64 bits.
    @inlinable public var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds > 0 ? .max : .min }
        let (sum, overflow2) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow2 ? (seconds > 0 ? .max : .min) : sum
    }

    @inlinable public static func minutes(_ n: Int64) -> Duration { .seconds(60 * n) }
    @inlinable public static func hours(_ n: Int64) -> Duration { .seconds(3600 * n) }
}
