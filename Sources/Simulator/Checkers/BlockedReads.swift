import Core

/// Judges every blocking query that a server answered from its own state, whatever asked for it (behaviour §2.1):
///
/// - No wake-up is lost: an answer that differs from the one before is given when the change is applied, not when the wait is over.
/// - An index stands for one answer: what changed has another index.
/// - The index of one question to one server never goes back.
struct BlockedReads {
    /// Who asked for what.
    struct Question: Hashable {
        var workload: Int
        var client: Int
        /// Path and query, without the index and the time to wait.
        var target: String
    }

    struct Answer {
        var life: LifeID
        /// The index to be exceeded, 0 for a query that did not wait.
        var asked: UInt64
        var index: UInt64
        /// Of status and body.
        var digest: UInt64
        /// The server had applied this much a while before the answer was sent.
        var settled: UInt64
        var sent: Instant
        /// From when the server looked at the question first.
        var waited: Duration
        /// There is nothing.
        var isEmpty: Bool
    }

    /// How long before an answer the server must have applied a change that it shows, for the answer to count as late.
    private static let lateness: Duration = .seconds(1)

    private struct Progress {
        var since: Instant
        var applied: UInt64
    }

    /// By server, oldest first; the first one holds since before the last second.
    private var progress: [[Progress]]
    /// When the first of the servers had applied the log so far, both rising.
    private var reached: [Progress] = []
    private var last = LookupTable<Question, Answer>()
    /// False where archives are restored, which bring old indexes back.
    private let isActive: Bool
    /// How long a deletion is remembered, which until then keeps the index of a list from falling.
    private let deletionsKept: Duration
    private(set) var judged = 0

    init(servers: Int, isActive: Bool, deletionsKept: Duration = .minutes(15)) {
        self.deletionsKept = deletionsKept
        progress = Array(repeating: [], count: servers)
        self.isActive = isActive
    }

    /// A server has applied its log up to `index`.
    mutating func applied(_ server: Int, _ index: UInt64, at now: Instant) {
        if index > reached.last?.applied ?? 0 { reached.append(Progress(since: now, applied: index)) }
        guard progress[server].last?.applied != index else { return }
        progress[server].append(Progress(since: now, applied: index))
        while progress[server].count > 1, progress[server][1].since <= now - Self.lateness { progress[server].removeFirst() }
    }

    /// From when on there was a state of that index.
    private func began(_ index: UInt64) -> Instant {
        var low = 0, high = reached.count
        while low < high {
            let middle = (low + high) / 2
            if reached[middle].applied < index { low = middle + 1 } else { high = middle }
        }
        return low < reached.count ? reached[low].since : .distantFuture
    }

    /// A server's process is gone.
    mutating func forget(_ server: Int) { progress[server] = [] }

    /// What the server had applied a while ago.
    func settled(of server: Int, at now: Instant) -> UInt64 {
        progress[server].last { $0.since <= now - Self.lateness }?.applied ?? 0
    }

    /// Path and query of a request without what differs from one round of a watch to the next, and the index that it waits for.
    static func parts(of target: String) -> (target: String, asked: UInt64) {
        guard let mark = target.firstIndex(of: "?") else { return (target, 0) }
        var asked: UInt64 = 0
        var kept: [Substring] = []
        for parameter in target[target.index(after: mark)...].split(separator: "&") {
            if parameter.hasPrefix("index=") {
                asked = UInt64(parameter.dropFirst(6)) ?? 0
            } else if !parameter.hasPrefix("wait=") {
                kept.append(parameter)
            }
        }
        return (target[..<mark] + "?" + kept.joined(separator: "&"), asked)
    }

    /// The index of a list falls when the deletion that raised it is forgotten.
    private func mayFall(_ question: Question, from index: UInt64, at now: Instant) -> Bool {
        let began = began(index)
        return question.target.hasPrefix("/v1/kv/") && began != .distantFuture && now >= began + deletionsKept
    }

    mutating func take(_ question: Question, _ answer: Answer) throws(Violation) {
        let before = last[question]
        last[question] = answer
        guard isActive, let before, before.life == answer.life else { return }
        judged += 1
        // A deletion of a wider tree leaves no trace in the list of a narrower one, of which nothing is left (behaviour §1.4).
        if question.target.contains("narrow"), answer.isEmpty { return }
        // 1 stands for none: a node that is not there has no index.
        if answer.index < before.index, answer.index > 1, !mayFall(question, from: before.index, at: answer.sent) {
            throw Violation(
                rule: "the index of a question never goes back",
                text: "s\(answer.life.server + 1) answers \(question.target) with index \(answer.index), before it was \(before.index)")
        }
        guard answer.digest != before.digest else { return }
        if answer.index == before.index {
            throw Violation(
                rule: "a change raises the index",
                text: "s\(answer.life.server + 1) answers \(question.target) differently with the same index \(answer.index)")
        }
        // What was so when the question came is answered at once, however late that was.
        let isLate = answer.waited >= Self.lateness && answer.index <= answer.settled
        if answer.asked > 0, answer.asked == before.index, answer.index > answer.asked, isLate {
            throw Violation(
                rule: "no wake-up is lost",
                text: "s\(answer.life.server + 1) answers \(question.target) with index \(answer.index) at \(timestamp(answer.sent)); "
                    + "it blocked with index \(answer.asked), and had applied that long before")
        }
    }
}
