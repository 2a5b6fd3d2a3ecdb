/// What Prometheus wants of metrics: sums since the start, and quantiles of the last seconds. Spec: http-1 §4.19.
struct PrometheusMetrics: Sendable {
    /// Of a sample's values, the latest are kept: for quantiles, which forget what is older than `quantileAge`.
    static let valueCountMax = 128
    static let quantileAge = Duration.seconds(10)
    static let quantiles = [0.5, 0.9, 0.99]

    private struct Slot: Sendable {
        var total = MetricAggregate()
        var updated = Instant(nanoseconds: .min)
        /// A ring.
        var values: [(value: Double, at: Instant)] = []
        var next = 0

        mutating func keep(_ value: Double, _ now: Instant) {
            if values.count < PrometheusMetrics.valueCountMax {
                values.append((value, now))
            } else {
                values[next] = (value, now)
                next = (next + 1) % PrometheusMetrics.valueCountMax
            }
        }
    }

    private let retention: Duration
    private var slots: [Slot] = []

    init(retention: Duration) { self.retention = retention }

    mutating func add(_ value: Double, _ slot: Int, isSample: Bool, _ now: Instant) {
        change(slot, now) { slot in
            slot.total.add(value)
            if isSample { slot.keep(value, now) }
        }
    }

    /// Of many values at once, quantiles know the least, the mean and the greatest only.
    mutating func merge(_ other: MetricAggregate, _ slot: Int, isSample: Bool, _ now: Instant) {
        change(slot, now) { slot in
            slot.total.merge(other)
            guard isSample else { return }
            slot.keep(other.mean, now)
            if other.count > 1 { slot.keep(other.max, now) }
            if other.count > 2 { slot.keep(other.min, now) }
        }
    }

    mutating func set(_ value: Double, _ slot: Int, _ now: Instant) {
        change(slot, now) { slot in
            slot.total = MetricAggregate()
            slot.total.add(value)
        }
    }

    private mutating func change(_ slot: Int, _ now: Instant, _ body: (inout Slot) -> Void) {
        if slot >= slots.count { slots.append(contentsOf: repeatElement(Slot(), count: slot + 1 - slots.count)) }
        body(&slots[slot])
        slots[slot].updated = now
    }

    /// What was measured within the retention time, by name.
    func snapshot(at now: Instant, _ key: (Int) -> MetricKey) -> PrometheusSnapshot {
        var snapshot = PrometheusSnapshot()
        for (at, slot) in slots.enumerated() where slot.total.count > 0 && now - slot.updated <= retention {
            let recent = slot.values.filter { now - $0.at <= Self.quantileAge }.map(\.value).sorted()
            let quantiles = Self.quantiles.map { quantile in
                recent.isEmpty ? nil : recent[min(recent.count - 1, Int(Double(recent.count) * quantile))]
            }
            snapshot.entries.append(PrometheusSnapshot.Entry(key: key(at), total: slot.total, quantiles: quantiles))
        }
        snapshot.entries.sort { $0.key < $1.key }
        return snapshot
    }
}

/// Sums since the start of the agent; full names, sorted.
public struct PrometheusSnapshot: Sendable {
    public struct Entry: Sendable {
        public var key: MetricKey
        public var total: MetricAggregate
        /// 0.5, 0.9 and 0.99 of a sample; nil when there were no values lately.
        public var quantiles: [Double?]
    }

    public var entries: [Entry] = []
}
