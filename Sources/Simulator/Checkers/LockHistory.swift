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

        /// Whether another acquisition that was answered while this was held must have been made while it was held. One that had lapsed
        /// by its answer may have come and gone before, if it was asked for before.
        func excludes(_ later: Holding) -> Bool { later.acquired < later.until || acquired <= later.invoked }
    }

    /// The end of a holder's session that was no release: for `length` nobody may acquire the lock. An acquisition that was on its way
    /// to the log when the session ended is not held up (http-2 §4.1), so only those count that began after the end was known.
    struct Delay {
        var session: String
        var client: Int
        /// When the end was asked for and answered.
        var from: Instant
        var known: Instant
        var length: Duration
        /// Of the holder whose session ended. Only the next one (one more) is judged: others in between may have ended with another delay.
        var lockIndex: UInt64
    }

    let name: String
    private(set) var holdings: [Holding] = []
    private var delays: [Delay] = []
    /// Whether lock-delays can be judged: they are kept in memory only, so a server that was restarted may have lost one.
    var judgesDelays = true

    init(name: String) { self.name = name }

    mutating func append(_ holding: Holding) { holdings.append(holding) }
    mutating func append(_ delay: Delay) { delays.append(delay) }

    func violations() -> [Violation] {
        var violations: [Violation] = []
        let sorted = holdings.sorted { ($0.acquired, $0.until) < ($1.acquired, $1.until) }
        for (at, holding) in sorted.enumerated() {
            for later in sorted[(at + 1)...] where later.session != holding.session {
                if later.acquired < holding.until, holding.excludes(later) {
                    violations.append(
                        Violation(
                            rule: "mutual exclusion",
                            text:
                                "\(name): client \(holding.client) held it from \(timestamp(holding.acquired)) to \(timestamp(holding.until)), "
                                + "client \(later.client) acquired it by \(timestamp(later.acquired))"))
                }
                check(holding, later, &violations)
            }
        }
        if judgesDelays {
            for delay in delays { check(delay, &violations) }
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
    }

    private func check(_ delay: Delay, _ violations: inout [Violation]) {
        for holding in holdings
        where holding.lockIndex == delay.lockIndex + 1 && holding.invoked >= delay.known && holding.acquired < delay.from + delay.length {
            violations.append(
                Violation(
                    rule: "lock-delay",
                    text: "\(name): the session of client \(delay.client) ended between \(timestamp(delay.from)) and "
                        + "\(timestamp(delay.known)), client \(holding.client) had the lock by \(timestamp(holding.acquired))"))
        }
    }
}
