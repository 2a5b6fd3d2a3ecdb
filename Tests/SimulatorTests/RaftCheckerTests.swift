import Core
import Testing

@testable import Simulator

/// A server's consensus as a test wants it to look.
private struct Scene: RaftView {
    var isLeader = false
    var term: UInt64 = 1
    var commitIndex: UInt64 = 0
    var appliedIndex: UInt64 = 0
    var firstLogIndex: UInt64 = 1
    var terms: [UInt64] = []
    var appliedDigest: UInt64 = 0
    var lastLogIndex: UInt64 { firstLogIndex + UInt64(terms.count) - 1 }
    func logTerm(at index: UInt64) -> UInt64? {
        if index == 0 { return 0 }
        return index >= firstLogIndex && index <= lastLogIndex ? terms[Int(index - firstLogIndex)] : nil
    }
}

@Suite struct RaftCheckerTests {
    /// Observes one scene after the other; the rule that broke, if one did.
    private func run(_ scenes: [(Int, Scene)]) -> String? {
        var checker = RaftChecker(servers: 3)
        do throws(Violation) {
            for (server, scene) in scenes { try checker.observe(server, scene) }
            return nil
        } catch {
            return error.rule
        }
    }

    @Test func `a normal course of events breaks no rule`() {
        let course: [(Int, Scene)] = [
            (0, Scene(isLeader: true, term: 1, terms: [1])),
            (1, Scene(term: 1, terms: [1])),
            (0, Scene(isLeader: true, term: 1, commitIndex: 1, appliedIndex: 1, terms: [1, 1], appliedDigest: 7)),
            (1, Scene(isLeader: true, term: 2, commitIndex: 1, appliedIndex: 1, terms: [1, 2], appliedDigest: 7)),
            // The old leader's uncommitted entry is replaced.
            (0, Scene(term: 2, commitIndex: 1, appliedIndex: 1, terms: [1, 2], appliedDigest: 7)),
            (1, Scene(isLeader: true, term: 2, commitIndex: 2, appliedIndex: 2, firstLogIndex: 2, terms: [2, 2], appliedDigest: 8)),
        ]
        #expect(run(course) == nil)
    }

    @Test func `two leaders of one term are noticed`() {
        #expect(run([(0, Scene(isLeader: true, term: 3)), (1, Scene(isLeader: true, term: 3))]) == "election safety")
    }

    @Test func `a leader that replaces its own entries is noticed`() {
        #expect(
            run([(0, Scene(isLeader: true, term: 2, terms: [1, 1])), (0, Scene(isLeader: true, term: 2, terms: [1, 2]))])
                == "leader append-only")
        #expect(
            run([(0, Scene(isLeader: true, term: 2, terms: [1, 1])), (0, Scene(isLeader: true, term: 2, terms: [1]))])
                == "leader append-only")
    }

    @Test func `logs that agree on an entry must agree on its predecessors`() {
        #expect(run([(0, Scene(term: 3, terms: [1, 3])), (1, Scene(term: 3, terms: [2, 3]))]) == "log matching")
        #expect(run([(0, Scene(term: 3, terms: [2, 1]))]) == "log matching")
    }

    @Test func `a leader without a committed entry is noticed`() {
        #expect(
            run([
                (0, Scene(isLeader: true, term: 1, commitIndex: 2, terms: [1, 1])), (1, Scene(isLeader: true, term: 2, terms: [1])),
            ]) == "leader completeness")
    }

    @Test func `a late leader of an old term needs only what was committed before`() {
        #expect(
            run([
                (0, Scene(isLeader: true, term: 3, commitIndex: 2, terms: [1, 3])), (1, Scene(isLeader: true, term: 2, terms: [1])),
            ]) == nil)
    }

    @Test func `two entries committed at one index are noticed`() {
        #expect(
            run([
                (0, Scene(term: 2, commitIndex: 1, terms: [1])), (1, Scene(term: 2, commitIndex: 1, terms: [2])),
            ]) == "state-machine safety")
    }

    @Test func `a committed entry that is replaced is noticed`() {
        #expect(
            run([
                (0, Scene(term: 2, commitIndex: 2, terms: [1, 1])), (0, Scene(term: 2, commitIndex: 2, terms: [1, 2])),
            ]) == "committed entries stay")
    }

    @Test func `states that differ after the same entry are noticed`() {
        #expect(
            run([
                (0, Scene(commitIndex: 1, appliedIndex: 1, terms: [1], appliedDigest: 5)),
                (1, Scene(commitIndex: 1, appliedIndex: 1, terms: [1], appliedDigest: 6)),
            ]) == "state-machine safety")
    }

    @Test func `applying what is not committed is noticed`() {
        #expect(run([(0, Scene(commitIndex: 0, appliedIndex: 1, terms: [1]))]) == "applied entries are committed")
    }

    @Test func `terms and indexes that go back are noticed`() {
        #expect(run([(0, Scene(term: 2)), (0, Scene(term: 1))]) == "terms only grow")
        #expect(run([(0, Scene(commitIndex: 1, terms: [1])), (0, Scene(commitIndex: 0, terms: [1]))]) == "commit index only grows")
        #expect(run([(0, Scene(commitIndex: 2, terms: [1]))]) == "commit within log")
    }

    @Test func `a new life begins with what the disk holds`() {
        var checker = RaftChecker(servers: 1)
        #expect(throws: Never.self) {
            try checker.observe(0, Scene(term: 3, commitIndex: 2, terms: [1, 1, 1]))
            checker.forget(0)
            try checker.observe(0, Scene(term: 2, terms: [1, 1]))
        }
    }
}
