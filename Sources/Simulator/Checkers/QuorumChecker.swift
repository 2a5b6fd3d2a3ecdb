import Core

/// Watches who votes: nobody who looks after the cluster may take away so many servers that those left cannot decide.
///
/// Whenever the voters change, a cluster of which a majority was running must still be one afterwards.
struct QuorumChecker {
    private var voters: [String] = []
    private(set) var index: UInt64 = 0
    private(set) var changes = 0

    /// Looks at a leader's committed configuration. `isRunning` tells whether the process of that server runs.
    ///
    /// `isSettled` tells whether a server has run for as long as it must be stable before it gets a vote.
    mutating func observe(
        _ leader: String, _ new: [String], index: UInt64, isRunning: (String) -> Bool, isSettled: (String) -> Bool = { _ in true }
    ) throws(Violation) {
        guard index > self.index else { return }
        let old = voters
        self.index = index
        voters = new
        guard !old.isEmpty, old != new else { return }
        changes += 1
        if let early = new.first(where: { !old.contains($0) && !isSettled($0) }) {
            throw Violation(rule: "nobody votes before it is stable", text: "\(leader) gives \(early) a vote soon after it has started")
        }
        let before = old.count(where: isRunning)
        let after = new.count(where: isRunning)
        guard before > old.count / 2, after <= new.count / 2 else { return }
        let gone = old.filter { !new.contains($0) }
        throw Violation(
            rule: "a quorum is never removed",
            text: "\(leader) took out \(gone.joined(separator: ", ")): \(before) of \(old.count) voters ran, now \(after) of \(new.count)")
    }
}
