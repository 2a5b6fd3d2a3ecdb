/// Which metrics are shown: `telemetry.prefix_filter` and `filter_default`. Spec: config §24.
public struct MetricFilter: Hashable, Sendable {
    private struct Rule: Hashable, Sendable {
        var prefix: [UInt8]
        var allows: Bool
    }

    /// The longest prefix first; of equal ones, what forbids.
    private var rules: [Rule] = []
    /// Those that no rule is about.
    private var allowsOthers = true

    /// Everything.
    public init() {}

    /// - Parameter rules: `+prefix` or `-prefix`, of whole names; others are passed over.
    public init(_ rules: [String], allowsOthers: Bool) {
        self.allowsOthers = allowsOthers
        for rule in rules {
            guard let sign = rule.utf8.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { continue }
            self.rules.append(Rule(prefix: Array(rule.utf8.dropFirst()), allows: sign == UInt8(ascii: "+")))
        }
        self.rules.sort { ($0.prefix.count, $0.allows ? 0 : 1) > ($1.prefix.count, $1.allows ? 0 : 1) }
    }

    /// Takes the rules of a new configuration; what no rule is about needs a restart.
    public mutating func reload(_ new: MetricFilter) { rules = new.rules }

    public func allows(_ name: String) -> Bool {
        if rules.isEmpty { return allowsOthers }
        return rules.first { name.utf8.starts(with: $0.prefix) }?.allows ?? allowsOthers
    }
}
