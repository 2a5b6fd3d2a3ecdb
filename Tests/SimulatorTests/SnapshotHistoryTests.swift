import Core
import Testing

@testable import Simulator

@Suite struct SnapshotHistoryTests {
    private func verdict(_ steps: [(SnapshotHistory.Action, isDone: Bool, from: Int, to: Int)]) -> RegisterHistory.Verdict {
        var history = SnapshotHistory(keys: 2)
        for (client, step) in steps.enumerated() {
            history.append(
                .init(
                    action: step.0, isDone: step.isDone, invoked: .zero + .seconds(step.from), returned: .zero + .seconds(step.to),
                    client: client))
        }
        return history.check()
    }

    private func isViolated(_ verdict: RegisterHistory.Verdict) -> Bool { if case .violated = verdict { true } else { false } }

    @Test func `a restore brings back all keys at once`() {
        let before: [(SnapshotHistory.Action, isDone: Bool, from: Int, to: Int)] = [
            (.put(key: 0, 1), true, 0, 1), (.put(key: 1, 2), true, 2, 3), (.save([1, 2]), true, 4, 5), (.delete(key: 0), true, 6, 7),
            (.put(key: 1, 3), true, 8, 9), (.restore([1, 2]), true, 10, 11),
        ]
        #expect(verdict(before + [(.read(key: 0, 1), true, 12, 13), (.read(key: 1, 2), true, 12, 13)]) == .linearizable)
        #expect(isViolated(verdict(before + [(.read(key: 0, 1), true, 12, 13), (.read(key: 1, 3), true, 12, 13)])))
        #expect(isViolated(verdict(before + [(.save([0, 3]), true, 12, 13)])))
    }

    @Test func `a restore without an answer takes place or does not, but not twice`() {
        let before: [(SnapshotHistory.Action, isDone: Bool, from: Int, to: Int)] = [
            (.put(key: 0, 1), true, 0, 1), (.save([1, 0]), true, 2, 3), (.put(key: 0, 2), true, 4, 5), (.restore([1, 0]), false, 6, 7),
        ]
        #expect(verdict(before + [(.read(key: 0, 2), true, 8, 9)]) == .linearizable)
        #expect(verdict(before + [(.read(key: 0, 2), true, 8, 9), (.read(key: 0, 1), true, 10, 11)]) == .linearizable)
        // What a client was shown of it stays.
        #expect(isViolated(verdict(before + [(.read(key: 0, 1), true, 8, 9), (.read(key: 0, 2), true, 10, 11)])))
    }

    @Test func `an archive holds the state of one moment`() {
        let writes: [(SnapshotHistory.Action, isDone: Bool, from: Int, to: Int)] = [
            (.put(key: 0, 1), true, 0, 1), (.put(key: 1, 2), true, 2, 3),
        ]
        #expect(isViolated(verdict(writes + [(.save([0, 2]), true, 0, 5)])))
        #expect(verdict(writes + [(.save([1, 0]), true, 0, 5)]) == .linearizable)
    }

    @Test func `an archive from a server that is behind holds a state that was, not one that comes`() {
        func verdict(_ values: [Int32]) -> RegisterHistory.Verdict {
            var history = SnapshotHistory(keys: 1)
            for (number, value) in ([1, 2, 3] as [Int32]).enumerated() {
                let start = Instant.zero + .seconds(number * 10)
                history.append(
                    .init(action: .put(key: 0, value), isDone: true, invoked: start, returned: start + .seconds(1), client: 0))
            }
            for _ in 0..<2 { history.appendStaleSave(values, returned: .zero + .seconds(15), client: 1) }
            #expect(history.operations.count == 4)
            return history.check()
        }
        #expect(verdict([1]) == .linearizable && verdict([2]) == .linearizable && verdict([0]) == .linearizable)
        #expect(isViolated(verdict([3])))
    }

    @Test func `a write without an answer explains what was seen of it`() {
        #expect(verdict([(.put(key: 0, 1), false, 0, 1), (.read(key: 0, 1), true, 8, 9)]) == .linearizable)
        #expect(isViolated(verdict([(.put(key: 0, 1), false, 5, 6), (.read(key: 0, 1), true, 2, 3)])))
    }
}
