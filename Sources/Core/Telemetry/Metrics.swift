/// What the agent has measured, in intervals of ten seconds. Spec: http-1 §4.19, config §24.
///
/// Costs an addition to an element of an array each time, and nothing while nothing is measured: intervals change with the first
/// measurement after their end. Only the interval that runs and the one before it that had anything in it are kept.
public struct Metrics: Sendable {
    /// Of an interval, in seconds.
    public static let intervalSeconds: Int64 = 10
    /// How many metrics may have names that are not known beforehand; further ones are not measured.
    public static let dynamicCountMax = 1_000

    private static let gaugeStart = CounterMetric.allCases.count
    private static let sampleStart = gaugeStart + GaugeMetric.allCases.count
    private static let dynamicStart = sampleStart + SampleMetric.allCases.count

    private let prefix: String
    private let gaugePrefix: String
    private let wallClockOffset: Int64
    /// What is shown of what is measured.
    public var filter = MetricFilter()
    /// nil: Prometheus is off.
    private var prometheus: PrometheusMetrics?

    /// Slots of the metrics with names of their own, and those names.
    private var dynamicSlots = LookupTable<MetricKey, Int>()
    private var dynamicKeys: [MetricKey] = []
    private var values: [MetricAggregate] = []
    /// Of the interval that runs, in seconds since 1970.
    private var start = Int64.min
    private var end = Instant(nanoseconds: .min)
    private var previous: (start: Int64, values: [MetricAggregate])?

    /// `prefix` begins every name; in those of gauges, `hostName` follows unless it is empty. A `prometheusRetention` of zero or less:
    /// nothing is kept for Prometheus.
    public init(
        prefix: String = "consul", hostName: String = "", wallClockOffset: Int64 = 0, prometheusRetention: Duration = .zero
    ) {
        self.prefix = prefix.isEmpty ? "" : prefix + "."
        gaugePrefix = hostName.isEmpty ? self.prefix : self.prefix + hostName + "."
        self.wallClockOffset = wallClockOffset
        prometheus = prometheusRetention > .zero ? PrometheusMetrics(retention: prometheusRetention) : nil
    }

    /// Whether Prometheus is on.
    public var keepsForPrometheus: Bool { prometheus != nil }

    // MARK: Measuring

    @inline(__always)
    public mutating func count(_ counter: CounterMetric, by amount: Double = 1, at now: Instant) { add(amount, counter.rawValue, now) }

    /// As often as `times` says, one each time.
    public mutating func count(_ counter: CounterMetric, times: Int, at now: Instant) {
        if times <= 0 { return }
        merge(MetricAggregate(ones: times), counter.rawValue, now)
    }

    /// What was measured elsewhere; of samples, in milliseconds.
    public mutating func merge(_ other: MetricAggregate, into name: String, labels: [MetricLabel] = [], at now: Instant) {
        guard other.count > 0, let slot = slot(MetricKey(kind: .sample, name: name, labels: labels)) else { return }
        merge(other, slot, now)
    }

    public mutating func merge(_ other: MetricAggregate, into sample: SampleMetric, at now: Instant) {
        if other.count > 0 { merge(other, Self.sampleStart + sample.rawValue, now) }
    }

    private mutating func merge(_ other: MetricAggregate, _ slot: Int, _ now: Instant) {
        if now >= end || slot >= values.count { prepare(now) }
        values[slot].merge(other)
        guard prometheus != nil else { return }
        let isSample = isSample(slot)
        prometheus?.merge(other, slot, isSample: isSample, now)
    }

    @inline(__always)
    public mutating func set(_ gauge: GaugeMetric, to value: Double, at now: Instant) { set(value, Self.gaugeStart + gauge.rawValue, now) }

    @inline(__always)
    public mutating func add(_ value: Double, to sample: SampleMetric, at now: Instant) {
        add(value, Self.sampleStart + sample.rawValue, now)
    }

    /// A duration, which is shown in milliseconds.
    @inline(__always)
    public mutating func add(_ duration: Duration, to sample: SampleMetric, at now: Instant) {
        add(Double(duration.nanoseconds) / 1e6, Self.sampleStart + sample.rawValue, now)
    }

    /// A metric whose name depends on something: `serf.events.<name>`, `http.GET.v1.kv._`. Slower: hashes the name.
    public mutating func count(_ name: String, labels: [MetricLabel] = [], by amount: Double = 1, at now: Instant) {
        guard let slot = slot(MetricKey(kind: .counter, name: name, labels: labels)) else { return }
        add(amount, slot, now)
    }

    public mutating func set(_ name: String, labels: [MetricLabel] = [], to value: Double, at now: Instant) {
        guard let slot = slot(MetricKey(kind: .gauge, name: name, labels: labels)) else { return }
        set(value, slot, now)
    }

    /// In milliseconds.
    public mutating func add(_ duration: Duration, to name: String, labels: [MetricLabel] = [], at now: Instant) {
        guard let slot = slot(MetricKey(kind: .sample, name: name, labels: labels)) else { return }
        add(Double(duration.nanoseconds) / 1e6, slot, now)
    }

    /// Where a metric with a name of its own is kept, for measuring it without looking up its name; nil: there are too many.
    public mutating func slot(_ kind: MetricKind, _ name: String) -> MetricSlot? {
        slot(MetricKey(kind: kind, name: name)).map { MetricSlot(index: $0) }
    }

    /// Nothing is measured without a slot.
    public mutating func add(_ duration: Duration, to slot: MetricSlot?, at now: Instant) {
        if let slot { add(Double(duration.nanoseconds) / 1e6, slot.index, now) }
    }

    public mutating func count(_ slot: MetricSlot?, by amount: Double = 1, at now: Instant) {
        if let slot { add(amount, slot.index, now) }
    }

    private mutating func slot(_ key: MetricKey) -> Int? {
        if let slot = dynamicSlots[key] { return slot }
        guard dynamicKeys.count < Self.dynamicCountMax else { return nil }
        let slot = Self.dynamicStart + dynamicKeys.count
        dynamicSlots[key] = slot
        dynamicKeys.append(key)
        return slot
    }

    @inline(__always)
    private mutating func add(_ value: Double, _ slot: Int, _ now: Instant) {
        if now >= end || slot >= values.count { prepare(now) }
        values[slot].add(value)
        if prometheus != nil { addForPrometheus(value, slot, now) }
    }

    private mutating func addForPrometheus(_ value: Double, _ slot: Int, _ now: Instant) {
        let isSample = isSample(slot)
        prometheus?.add(value, slot, isSample: isSample, now)
    }

    private func isSample(_ slot: Int) -> Bool {
        slot < Self.dynamicStart ? slot >= Self.sampleStart : dynamicKeys[slot - Self.dynamicStart].kind == .sample
    }

    private mutating func set(_ value: Double, _ slot: Int, _ now: Instant) {
        if now >= end || slot >= values.count { prepare(now) }
        values[slot] = MetricAggregate()
        values[slot].add(value)
        prometheus?.set(value, slot, now)
    }

    /// Makes room for all slots, in the interval that runs now.
    private mutating func prepare(_ now: Instant) {
        if now >= end {
            let unix = now.nanoseconds &+ wallClockOffset
            let length = Self.intervalSeconds * 1_000_000_000
            let into = ((unix % length) + length) % length
            if start != .min, values.contains(where: { $0.count > 0 }) { previous = (start, values) }
            start = (unix - into) / 1_000_000_000
            end = now + .nanoseconds(length - into)
            for at in values.indices { values[at] = MetricAggregate() }
        }
        let missing = Self.dynamicStart + dynamicKeys.count - values.count
        if missing > 0 { values.append(contentsOf: repeatElement(MetricAggregate(), count: missing)) }
    }

    // MARK: Looking

    /// The last interval that is complete, or the running one if there is no other.
    public mutating func snapshot(at now: Instant) -> MetricsSnapshot {
        prepare(now)
        guard let previous else { return current }
        return snapshot(previous.start, previous.values)
    }

    /// The interval that runs.
    public var current: MetricsSnapshot { snapshot(start, values) }

    private func snapshot(_ start: Int64, _ values: [MetricAggregate]) -> MetricsSnapshot {
        var snapshot = MetricsSnapshot(start: GoTime(unixSeconds: start))
        for (slot, value) in values.enumerated() where value.count > 0 {
            let key = fullKey(of: slot)
            if filter.allows(key.name) { snapshot.entries.append(MetricsSnapshot.Entry(key: key, value: value)) }
        }
        snapshot.entries.sort { $0.key < $1.key }
        return snapshot
    }

    /// Everything since the start that has changed within the retention time; nil while Prometheus is off.
    public func prometheusSnapshot(at now: Instant) -> PrometheusSnapshot? {
        var snapshot = prometheus?.snapshot(at: now) { fullKey(of: $0) }
        snapshot?.entries.removeAll { !filter.allows($0.key.name) }
        return snapshot
    }

    private func key(of slot: Int) -> MetricKey {
        if slot >= Self.dynamicStart { return dynamicKeys[slot - Self.dynamicStart] }
        if let counter = CounterMetric(rawValue: slot) { return MetricKey(kind: .counter, name: counter.name.description) }
        if let gauge = GaugeMetric(rawValue: slot - Self.gaugeStart) { return MetricKey(kind: .gauge, name: gauge.name.description) }
        guard let sample = SampleMetric(rawValue: slot - Self.sampleStart) else { preconditionFailure("every slot belongs to a metric") }
        return MetricKey(kind: .sample, name: sample.name.description)
    }

    private func fullKey(of slot: Int) -> MetricKey {
        var key = key(of: slot)
        key.name = (key.kind == .gauge ? gaugePrefix : prefix) + key.name
        return key
    }
}

public enum MetricKind: Int, Comparable, Sendable {
    case counter, gauge, sample
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// Where `Metrics` keeps a metric whose name is not known beforehand. Of use for the `Metrics` that gave it only.
public struct MetricSlot: Hashable, Sendable {
    fileprivate let index: Int
}

public struct MetricLabel: Hashable, Sendable {
    public var name: String
    public var value: String
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// Names a metric. Ordered as answers show them: by name, then labels.
public struct MetricKey: Hashable, Comparable, Sendable {
    public var kind: MetricKind
    public var name: String
    public var labels: [MetricLabel] = []

    public static func < (a: MetricKey, b: MetricKey) -> Bool {
        let left = ByteString(a.sortText), right = ByteString(b.sortText)
        return left == right ? a.kind < b.kind : left < right
    }

    private var sortText: String { labels.reduce(name) { $0 + ";" + $1.name + "=" + $1.value } }
}

/// What an interval knows of a metric; of a gauge, its one value.
public struct MetricAggregate: Hashable, Sendable {
    public private(set) var count = 0
    public private(set) var sum = 0.0
    public private(set) var min = 0.0
    public private(set) var max = 0.0
    private var squares = 0.0

    public init() {}

    init(ones count: Int) {
        (self.count, sum, squares) = (count, Double(count), Double(count))
        (min, max) = (1, 1)
    }

    mutating func merge(_ other: MetricAggregate) {
        if other.count == 0 { return }
        min = count == 0 ? other.min : Swift.min(min, other.min)
        max = count == 0 ? other.max : Swift.max(max, other.max)
        count &+= other.count
        sum += other.sum
        squares += other.squares
    }

    @inline(__always)
    mutating func add(_ value: Double) {
        if count == 0 || value < min { min = value }
        if count == 0 || value > max { max = value }
        count &+= 1
        sum += value
        squares += value * value
    }

    public var mean: Double { count == 0 ? 0 : sum / Double(count) }

    /// Of the sample, with n - 1 in the denominator.
    public var standardDeviation: Double {
        guard count > 1 else { return 0 }
        let variance = (Double(count) * squares - sum * sum) / (Double(count) * Double(count - 1))
        return variance > 0 ? variance.squareRoot() : 0
    }

    /// Each second of an interval.
    public var rate: Double { sum / Double(Metrics.intervalSeconds) }
}

/// An interval as it is shown; full names, sorted.
public struct MetricsSnapshot: Sendable {
    public struct Entry: Sendable {
        public var key: MetricKey
        public var value: MetricAggregate
    }

    /// When the interval began.
    public var start: GoTime
    public var entries: [Entry] = []

    /// Takes the gauges of another interval instead of its own.
    public mutating func replaceGauges(by other: MetricsSnapshot) {
        entries = entries.filter { $0.key.kind != .gauge } + other.entries.filter { $0.key.kind == .gauge }
        entries.sort { $0.key < $1.key }
    }
}
