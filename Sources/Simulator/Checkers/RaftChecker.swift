import Core

/// Checks the properties that Raft guarantees (Raft §5.2-5.4, Figure 3) after everything a server has done.
///
/// - Election safety: at most one leader per term.
/// - Leader append-only: a leader never removes or replaces entries of its log.
/// - Log matching: entries with the same index and term have the same predecessors.
/// - Leader completeness: a leader has every entry that was committed in earlier terms.
/// - State-machine safety: one entry is committed per index, and everybody has the same state after applying it.
///
/// What changed since the last look is all that is looked at, so that the cost of a look is a few comparisons.
struct RaftChecker {
    /// What was last seen of a server.
    private struct Shadow {
        var isRunning = false
        var isLeader = false
        var term: UInt64 = 0
        var commit: UInt64 = 0
        var applied: UInt64 = 0
        /// When the state was last compared.
        var compared: UInt64 = 0
        var first: UInt64 = 0
        var last: UInt64 = 0
        var lastTerm: UInt64 = 0
        var isProvisional = false
    }

    /// The terms of a log's entries from `base` on, as last seen. Apart from `Shadow`, so that looking at that copies nothing.
    private struct LogTerms {
        var base: UInt64 = 1
        var terms: [UInt64] = []

        subscript(index: UInt64) -> UInt64? {
            index >= base && index - base < UInt64(terms.count) ? terms[Int(index - base)] : nil
        }

        /// Forgets everything behind `index`.
        mutating func keep(upTo index: UInt64) { terms.removeLast(terms.count - Int(index - base + 1)) }

        mutating func begin(at index: UInt64) {
            base = index
            terms.removeAll(keepingCapacity: true)
        }

        /// The front is given up in large steps, so that compaction does not cost a copy each time.
        mutating func drop(below index: UInt64) {
            guard index > base + 4096 else { return }
            terms.removeFirst(Int(index - base))
            base = index
        }
    }

    private struct EntryID: Hashable {
        var index: UInt64
        var term: UInt64
    }

    private struct Commitment {
        /// 0 where a snapshot that a user brought took the place of entries that may never have existed.
        var term: UInt64
        /// The term of the server on which the entry was first seen as committed: its leader's.
        var committedIn: UInt64
    }

    private var servers: [Shadow]
    private var logs: [LogTerms]
    private var leaders = LookupTable<UInt64, Int>()
    private var predecessors = LookupTable<EntryID, UInt64>()
    /// By index; index 0 is the empty log.
    private var commitments: [Commitment] = [Commitment(term: 0, committedIn: 0)]
    private var digests = LookupTable<UInt64, (digest: UInt64, server: Int)>()
    /// Entries that some log holds and that are not committed yet.
    private var uncommitted = LookupTable<EntryID, LogEntry>()
    private var reference = ReferenceState()
    /// A server's state is compared with the reference after so many entries, and after it has started.
    private static let entriesBetweenComparisons: UInt64 = 512
    private(set) var comparisons = 0
    /// How many leaders there have been, and the last of them.
    private(set) var elections = 0
    private(set) var latestLeader: (server: Int, term: UInt64)?

    /// The highest index that is known to be committed.
    var highestCommit: UInt64 { UInt64(commitments.count - 1) }

    init(servers: Int) {
        self.servers = Array(repeating: Shadow(), count: servers)
        logs = Array(repeating: LogTerms(), count: servers)
    }

    /// The server's process is gone; its next life begins with what is on its disk.
    mutating func forget(_ server: Int) {
        servers[server] = Shadow()
        logs[server] = LogTerms()
    }

    /// Looks at a server after it has done something.
    mutating func observe(_ server: Int, _ view: some RaftView) throws(Violation) {
        // A server whose provisional snapshot came to nothing begins anew.
        let isProvisional = view.isProvisional
        if servers[server].isProvisional, !isProvisional, view.commitIndex < servers[server].commit { forget(server) }
        let old = servers[server]
        let term = view.term
        let isLeader = view.isLeader
        if term < old.term { throw Violation(rule: "terms only grow", text: "s\(server + 1) went from term \(old.term) to \(term)") }
        let last = view.lastLogIndex
        let lastTerm = view.logTerm(at: last) ?? 0
        if last != old.last || lastTerm != old.lastTerm || view.firstLogIndex != old.first || !old.isRunning {
            try followLog(server, view, old, stillLeads: isLeader && old.isLeader && term == old.term)
        }
        servers[server].isRunning = true
        servers[server].term = term
        servers[server].isLeader = isLeader
        if isLeader && !(old.isLeader && old.term == term) { try elected(server, view) }
        servers[server].isProvisional = isProvisional
        if isProvisional { return }
        let commit = view.commitIndex
        if commit != old.commit { try committed(server, view, from: old.commit, to: commit) }
        let applied = view.appliedIndex
        if applied != old.applied { try self.applied(server, view, from: old.applied) }
    }

    private mutating func elected(_ server: Int, _ view: some RaftView) throws(Violation) {
        let term = view.term
        if let other = leaders[term], other != server {
            throw Violation(rule: "election safety", text: "s\(other + 1) and s\(server + 1) both lead in term \(term)")
        }
        leaders[term] = server
        elections += 1
        latestLeader = (server, term)
        // By log matching the last of the entries that it must have stands for all of them.
        guard let index = commitments.lastIndex(where: { $0.committedIn < term }), index > 0 else { return }
        let needed = UInt64(index)
        let isThere = view.logTerm(at: needed).map { $0 == commitments[index].term } ?? (needed < view.firstLogIndex)
        if !isThere {
            throw Violation(
                rule: "leader completeness",
                text: "s\(server + 1) leads in term \(term) without entry \(needed) of term \(commitments[index].term), "
                    + "which was committed in term \(commitments[index].committedIn); its log ends at \(view.lastLogIndex)")
        }
    }

    /// Brings the shadow of a log up to date, and checks what is new in it.
    private mutating func followLog(_ server: Int, _ view: some RaftView, _ old: Shadow, stillLeads: Bool) throws(Violation) {
        let first = view.firstLogIndex
        let last = view.lastLogIndex
        if stillLeads {
            let kept = last >= old.last && (old.last < first || old.last == 0 || view.logTerm(at: old.last) == old.lastTerm)
            if !kept {
                throw Violation(
                    rule: "leader append-only",
                    text:
                        "s\(server + 1) leads in term \(old.term) and changed its log, which ended at \(old.last) of term \(old.lastTerm) "
                        + "and ends at \(last)")
            }
        }
        // Entries with the same index and term are the same; below them nothing has changed.
        var same = min(old.last, last)
        while same >= first, same > 0, logs[server][same] != view.logTerm(at: same) { same -= 1 }
        if old.isRunning && same < min(old.commit, old.last) && same >= first {
            throw Violation(
                rule: "committed entries stay",
                text: "s\(server + 1) replaced its log from \(same + 1) on, though it knew \(old.commit) to be committed")
        }
        servers[server].first = first
        servers[server].last = last
        servers[server].lastTerm = view.logTerm(at: last) ?? 0
        if same < first || same < logs[server].base || old.last == 0 {
            // Nothing of it is known, or the log begins anew behind a snapshot.
            logs[server].begin(at: first)
            same = first - 1
        } else {
            logs[server].keep(upTo: same)
        }
        var index = same + 1
        while index <= last {
            guard let term = view.logTerm(at: index) else {
                throw Violation(rule: "log has no gaps", text: "s\(server + 1) has no entry \(index) in its log from \(first) to \(last)")
            }
            if index > highestCommit, let entry = view.entry(at: index) { uncommitted[EntryID(index: index, term: term)] = entry }
            try match(server, index, term, before: view.logTerm(at: index - 1))
            logs[server].terms.append(term)
            index += 1
        }
        logs[server].drop(below: first)
    }

    private mutating func match(_ server: Int, _ index: UInt64, _ term: UInt64, before: UInt64?) throws(Violation) {
        guard let before else { return }
        if before > term {
            throw Violation(
                rule: "log matching", text: "s\(server + 1): the terms of entries \(index - 1) and \(index) fall from \(before) to \(term)")
        }
        let id = EntryID(index: index, term: term)
        guard let known = predecessors[id] else {
            predecessors[id] = before
            return
        }
        if known != before {
            throw Violation(
                rule: "log matching",
                text: "s\(server + 1): entry \(index) of term \(term) follows one of term \(before), elsewhere one of term \(known)")
        }
    }

    private mutating func committed(_ server: Int, _ view: some RaftView, from old: UInt64, to commit: UInt64) throws(Violation) {
        servers[server].commit = commit
        guard commit >= old else {
            throw Violation(rule: "commit index only grows", text: "s\(server + 1) went from \(old) to \(commit)")
        }
        guard commit <= view.lastLogIndex else {
            throw Violation(rule: "commit within log", text: "s\(server + 1) committed \(commit), its log ends at \(view.lastLogIndex)")
        }
        let restored = view.restoredIndex
        if restored > highestCommit, restored < commit { skip(to: restored, term: view.logTerm(at: restored) ?? 0, committedIn: view.term) }
        var index = max(old + 1, min(view.firstLogIndex, commit))
        while index <= commit {
            let term = view.logTerm(at: index)
            if index <= highestCommit {
                if let term, case let known = commitments[Int(index)].term, known != 0, term != known {
                    throw Violation(
                        rule: "state-machine safety",
                        text:
                            "s\(server + 1) committed entry \(index) of term \(term), where one of term \(known) was committed"
                    )
                }
            } else if let term, index == highestCommit + 1 {
                commitments.append(Commitment(term: term, committedIn: view.term))
                if let entry = uncommitted.removeValue(forKey: EntryID(index: index, term: term)) { reference.apply(entry) }
            } else {
                throw Violation(rule: "commit within log", text: "s\(server + 1) committed \(commit) and has no entry \(index)")
            }
            index += 1
        }
    }

    /// A snapshot that a user brought is committed: no entries lead there, so there is nothing to apply beside the servers any more.
    private mutating func skip(to index: UInt64, term: UInt64, committedIn: UInt64) {
        while highestCommit < index {
            commitments.append(Commitment(term: highestCommit + 1 == index ? term : 0, committedIn: committedIn))
        }
        reference = ReferenceState()
    }

    private mutating func applied(_ server: Int, _ view: some RaftView, from old: UInt64) throws(Violation) {
        let applied = view.appliedIndex
        servers[server].applied = applied
        guard applied >= old else {
            throw Violation(rule: "applied index only grows", text: "s\(server + 1) went from \(old) to \(applied)")
        }
        guard applied <= view.commitIndex else {
            throw Violation(
                rule: "applied entries are committed", text: "s\(server + 1) applied \(applied), committed are \(view.commitIndex)")
        }
        if reference.isActive {
            let before = servers[server].compared
            if before == 0 || applied >= before + Self.entriesBetweenComparisons { try compare(server, view) }
            return
        }
        let digest = view.appliedDigest
        if let known = digests[applied] {
            if known.digest != digest {
                throw Violation(
                    rule: "state-machine safety",
                    text: "after entry \(applied) the state of s\(server + 1) differs from that of s\(known.server + 1)")
            }
        } else {
            digests[applied] = (digest, server)
        }
    }

    /// Compares a server's state with what applying the same entries once more comes to.
    mutating func compare(_ server: Int, _ view: some RaftView) throws(Violation) {
        let applied = view.appliedIndex
        guard let expected = reference.digest(at: applied) else { return }
        servers[server].compared = applied
        comparisons += 1
        if view.appliedDigest != expected {
            throw Violation(
                rule: "state-machine safety", text: "after entry \(applied) the state of s\(server + 1) is not what its log comes to")
        }
    }
}
