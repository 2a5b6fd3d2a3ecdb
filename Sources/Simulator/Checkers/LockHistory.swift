import Core

/// What clients know of who held a lock when.
///
/// A client holds a lock for certain from the answer to its acquisition until it begins to release it or to destroy its session, or
/// until the session may have expired. Two such periods of different sessions must not overlap, and the lock's fencing token
/// (`LockIndex`) must grow from holder to holder.
struct LockHistory {
    struct Holding {
        var session: String
        var client: Int
        /// When the acquisition was asked for and answered.
        var invoked: Instant
        var acquired: Instant
        /// From then on nothing is certain any more.
        var until: Instant
        /// As read back while it was held; nil if that did not succeed.
        var lockIndex: UInt64?
        /// What other clients' acquisitions must wait for after an end that was not a release: begun then, in force so long.
        var delay: (from: Instant, length: Duration)?
    }

    let name: String
    private(set) var holdings: [Holding] = []
    /// Whether lock-delays can be judged: they are kept in memory only, so a server that was restarted may have lost one.
    var judgesDelays = true

    init(name: String) { self.name = name }

    mutating func append(_ holding: Holding) { holdings.append(holding) }

    func violations() -> [Violation] {
        var violations: [Violation] = []
        let sorted = holdings.sorted { ($0.acquired, $0.until) < ($1.acquired, $1.until) }
        for (at, holding) in sorted.enumerated() {
            for later in sorted[(at + 1)...] where later.session != holding.session {
                if later.acquired < holding.until {
                    violations.append(
                        Violation(
                            rule: "mutual exclusion",
                            text: "\(name): client \(holding.client) held it from \(timestamp(holding.acquired)) to \(timestamp(holding.until)), "
                                + "client \(later.client) acquired it by \(timestamp(later.acquired))"))
                }
                check(holding, later, &violations)
            }
        }
        return violations
    }

    private func check(_ holding: Holding, _ later: Holding, _ violations: inout [Violation]) {
        if let token = holding.lockIndex, let next = later.lockIndex {
            let ordered = holding.acquired <= later.invoked ? token < next : token != next
            if !ordered {
                violations.append(
                    Violation(
                        rule: "fencing tokens grow",
                        text: "\(name): client \(holding.client) had LockIndex \(token) by \(timestamp(holding.acquired)), "
                            + "client \(later.client) had \(next) by \(timestamp(later.acquired))"))
            }
        }
        if judgesDelays, let delay = holding.delay, holding.acquired <= later.invoked, later.acquired < delay.from + delay.length {
            violations.append(
                Violation(
                    rule: "lock-delay",
                    text: "\(name): the session of client \(holding.client) ended at \(timestamp(delay.from)) or later, "
                        + "client \(later.client) had the lock by \(timestamp(later.acquired))"))
        }
    }
}
