import Core
import Testing

@testable import Simulator

@Suite struct BlockedReadsTests {
    /// The rules that a second answer breaks, after one with index 10 and the digest 1.
    private func broken(
        asked: UInt64 = 10, index: UInt64, digest: UInt64, settled: UInt64 = 0, life: UInt32 = 1, target: String = "/v1/kv/a?",
        isEmpty: Bool = false
    ) -> String? {
        var reads = BlockedReads(servers: 1, isActive: true)
        let question = BlockedReads.Question(workload: 0, client: 0, target: target)
        func answer(_ asked: UInt64, _ index: UInt64, _ digest: UInt64, _ settled: UInt64, _ life: UInt32) -> BlockedReads.Answer {
            .init(
                life: LifeID(server: 0, life: life), asked: asked, index: index, digest: digest, settled: settled, sent: .zero,
                waited: .seconds(2), isEmpty: isEmpty)
        }
        do throws(Violation) {
            try reads.take(question, answer(0, 10, 1, 10, 1))
            try reads.take(question, answer(asked, index, digest, settled, life))
            return nil
        } catch {
            return error.rule
        }
    }

    @Test func `an answer that comes with its change is in time`() {
        #expect(broken(index: 12, digest: 2, settled: 11) == nil)
        #expect(broken(index: 10, digest: 1, settled: 20) == nil)
    }

    @Test func `a change that was applied long before the answer was missed`() {
        #expect(broken(index: 12, digest: 2, settled: 12) == "no wake-up is lost")
        // The index of the table has moved, but nothing that is shown.
        #expect(broken(index: 12, digest: 1, settled: 12) == nil)
    }

    @Test func `what changed has another index`() {
        #expect(broken(index: 10, digest: 2) == "a change raises the index")
    }

    @Test func `an index goes back in another life alone`() {
        #expect(broken(index: 9, digest: 1) == "the index of a question never goes back")
        #expect(broken(index: 9, digest: 2, life: 2) == nil)
        #expect(broken(index: 9, digest: 2, target: "/v1/kv/a?recurse&narrow", isEmpty: true) == nil)
    }

    @Test func `the index of a list falls when its deletion is forgotten, and not before`() throws {
        for (sent, holds) in [(8, false), (11, true)] {
            var reads = BlockedReads(servers: 2, isActive: true, deletionsKept: .seconds(9))
            let question = BlockedReads.Question(workload: 0, client: 0, target: "/v1/kv/a?recurse")
            func answer(_ index: UInt64, at second: Int) -> BlockedReads.Answer {
                .init(
                    life: LifeID(server: 0, life: 1), asked: 0, index: index, digest: 1, settled: 0, sent: .zero + .seconds(second),
                    waited: .zero, isEmpty: false)
            }
            // The deletion is of second 1; this client saw it only in second 7.
            reads.applied(1, 10, at: .zero + .seconds(1))
            reads.applied(0, 12, at: .zero + .seconds(2))
            try reads.take(question, answer(10, at: 7))
            #expect(holds == ((try? reads.take(question, answer(4, at: sent))) != nil))
        }
    }

    @Test func `what a server had applied a second ago is known`() {
        var reads = BlockedReads(servers: 1, isActive: true)
        reads.applied(0, 5, at: .zero)
        reads.applied(0, 7, at: .zero + .seconds(3))
        #expect(reads.settled(of: 0, at: .zero + .milliseconds(3500)) == 5)
        #expect(reads.settled(of: 0, at: .zero + .milliseconds(4000)) == 7)
        reads.forget(0)
        #expect(reads.settled(of: 0, at: .zero + .seconds(9)) == 0)
    }

    @Test func `index and wait are no part of the question`() {
        #expect(BlockedReads.parts(of: "/v1/kv/a?recurse&stale&index=7&wait=3s") == ("/v1/kv/a?recurse&stale", 7))
    }
}

@Suite struct LeaseCheckerTests {
    @Test func `a lease that goes on in a newer term is noticed`() {
        var checker = LeaseChecker()
        let claim = LeaseChecker.Claim(server: "s1", term: 2, until: .zero + .seconds(2), now: .zero + .seconds(1))
        #expect(throws: Never.self) { try checker.committed("s2", in: 2, others: [claim]) }
        #expect(throws: Violation.self) { try checker.committed("s2", in: 3, others: [claim]) }
    }
}

@Suite struct ReferenceModelTests {
    /// What becomes of each operation, one after the other.
    private func outcomes(_ operations: [ReferenceModel.Operation], _ model: inout ReferenceModel) -> [Bool] {
        operations.map { model.apply($0) }
    }

    @Test func `a transaction that fails changes nothing, and its other operations are tried all the same`() {
        var model = ReferenceModel()
        let done = outcomes([.set(key: "a", value: [1], flags: 3)], &model)
        let failures = model.apply(all: [.set(key: "b", value: [2], flags: 0), .checkNotExists(key: "a"), .get(key: "c")])
        #expect(done == [true])
        #expect(failures == [1, 2])
        #expect(model.keys.map(\.key) == ["a"])
    }

    @Test func `a session that ends releases or deletes what it holds`() {
        var model = ReferenceModel()
        model.sessions = [.init(id: "x", deletes: false, dependsOn: .nothing), .init(id: "y", deletes: true, dependsOn: .nodeCheck)]
        let done = outcomes(
            [
                .lock(key: "a", value: [], session: 0), .lock(key: "b", value: [], session: 1), .lock(key: "a", value: [], session: 1),
                .unlock(key: "b", value: [], session: 0),
            ], &model)
        #expect(done == [true, true, false, false])
        model.endSessions { $0 == .nodeCheck }
        #expect(model.keys.map(\.key) == ["a"])
        model.endSessions { _ in true }
        #expect(model.keys["a"]?.session == nil)
        #expect(model.keys["a"]?.lockIndex == 1)
    }
}
