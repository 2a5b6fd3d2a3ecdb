import Core

/// What one blocking query after the other showed a watcher of numbered states, against what writers did.
///
/// Each instance has one writer, which numbers its states. An answer shows a number per instance.
struct WatchHistory {
    struct Write {
        var version: Int
        /// What is seen of it: the version, or 0 if it took the instance away.
        var shown: Int
        var invoked: Instant
        /// `distantFuture` while it is not known to be done.
        var acknowledged: Instant
    }

    /// How a watcher reads, which decides what it may be shown.
    struct Answer {
        var watcher: Int
        /// The index that the query waited for to be exceeded, 0 for none.
        var asked: UInt64
        var index: UInt64
        var invoked: Instant
        var returned: Instant
        var isStale: Bool
        /// By instance; 0 for one that is not there.
        var versions: [Int]
    }

    let name: String
    private(set) var writes: [[Write]]
    private(set) var answers: [Answer] = []

    init(name: String, instances: Int) {
        self.name = name
        writes = Array(repeating: [], count: instances)
    }

    mutating func begin(instance: Int, version: Int, removes: Bool, at time: Instant) {
        writes[instance].append(
            Write(version: version, shown: removes ? 0 : version, invoked: time, acknowledged: .distantFuture))
    }

    mutating func acknowledge(instance: Int, version: Int, at time: Instant) {
        guard let at = writes[instance].lastIndex(where: { $0.version == version }) else { return }
        writes[instance][at].acknowledged = time
    }

    mutating func append(_ answer: Answer) { answers.append(answer) }

    /// `areStale`: answers may be of any age. `forgets`: deletions are forgotten during the run, after which an index may fall.
    func violations(tolerance: Duration, areStale: Bool = false, forgets: Bool = false) -> [Violation] {
        var violations: [Violation] = []
        var last = LookupTable<Int, Answer>()
        for answer in answers {
            for (instance, version) in answer.versions.enumerated() {
                check(answer, instance, version, tolerance, areStale: areStale || answer.isStale, &violations)
            }
            if let before = last[answer.watcher], !answer.isStale, !before.isStale, answer.index < before.index, tolerance == .zero,
                !forgets
            {
                violations.append(
                    Violation(
                        rule: "the index of a watch never goes back",
                        text:
                            "\(name): watcher \(answer.watcher) was shown \(before.index), then \(answer.index) at \(timestamp(answer.returned))"
                    ))
            }
            if let before = last[answer.watcher], answer.index == before.index, answer.versions != before.versions {
                violations.append(
                    Violation(
                        rule: "one index, one state",
                        text: "\(name): watcher \(answer.watcher) was shown two states with index \(answer.index), "
                            + "\(before.versions) and at \(timestamp(answer.returned)) \(answer.versions)"))
            }
            last[answer.watcher] = answer
        }
        return violations
    }

    private func check(
        _ answer: Answer, _ instance: Int, _ shown: Int, _ tolerance: Duration, areStale: Bool, _ violations: inout [Violation]
    ) {
        if !mayShow(instance, shown, acknowledgedBy: .zero - .seconds(1), begunBy: answer.returned) {
            violations.append(
                Violation(rule: "a watch shows what was written", text: "\(name): instance \(instance) shows \(shown), which nobody wrote"))
        }
        // A query that did not wait is a plain read: it shows at least what was acknowledged before it began.
        guard !areStale, answer.asked == 0 else { return }
        if !mayShow(instance, shown, acknowledgedBy: answer.invoked - tolerance, begunBy: answer.returned) {
            violations.append(
                Violation(
                    rule: "a watch begins with the present",
                    text: "\(name): instance \(instance) shows \(shown) to a query of \(timestamp(answer.invoked)), "
                        + "though later states were acknowledged"))
        }
    }

    /// Whether a query can show this state: it belongs to the newest write that was acknowledged by then, to a later one, or to one
    /// that was never answered and may have taken effect late.
    private func mayShow(_ instance: Int, _ shown: Int, acknowledgedBy start: Instant, begunBy end: Instant) -> Bool {
        let newest = writes[instance].last { $0.acknowledged <= start }
        if newest == nil && shown == 0 { return true }
        return writes[instance].contains { write in
            write.shown == shown && write.invoked <= end
                && (write.version >= newest?.version ?? 0 || write.acknowledged == .distantFuture)
        }
    }

    /// Whether an instance may show this state when nothing is written any more.
    func mayEnd(instance: Int, with shown: Int) -> Bool {
        mayShow(instance, shown, acknowledgedBy: .distantFuture - .seconds(1), begunBy: .distantFuture)
    }
}
