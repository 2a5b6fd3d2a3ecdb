import Core
import Testing

@testable import Simulator

@Suite struct LinearizabilityTests {
    typealias Operation = RegisterHistory.Operation
    typealias Action = RegisterHistory.Action

    private func time(_ second: Int) -> Instant { .zero + .seconds(second) }

    private func history(_ operations: [(Action, RegisterHistory.Outcome, Int, Int)]) -> RegisterHistory {
        var history = RegisterHistory(name: "k")
        for (at, (action, outcome, invoked, returned)) in operations.enumerated() {
            history.append(Operation(action: action, outcome: outcome, invoked: time(invoked), returned: time(returned), client: at))
        }
        return history
    }

    private func isViolated(_ verdict: RegisterHistory.Verdict) -> Bool {
        if case .violated = verdict { true } else { false }
    }

    @Test func `reads see the write before them`() {
        #expect(history([(.put(1), .done, 0, 1), (.read(1, index: 5), .done, 2, 3)]).check() == .linearizable)
        #expect(isViolated(history([(.put(1), .done, 0, 1), (.read(0, index: 0), .done, 2, 3)]).check()))
    }

    @Test func `concurrent operations may take effect in any order`() {
        let both: [(Action, RegisterHistory.Outcome, Int, Int)] = [
            (.put(1), .done, 0, 10), (.put(2), .done, 0, 10), (.read(2, index: 0), .done, 11, 12),
        ]
        #expect(history(both).check() == .linearizable)
        #expect(isViolated(history(both + [(.read(1, index: 0), .done, 13, 14)]).check()))
    }

    @Test func `an unanswered write may take effect late or never`() {
        #expect(
            history([(.put(1), .unknown, 0, 1), (.read(0, index: 0), .done, 2, 3), (.read(1, index: 0), .done, 9, 10)]).check()
                == .linearizable)
        #expect(history([(.put(1), .unknown, 0, 1), (.read(0, index: 0), .done, 9, 10)]).check() == .linearizable)
        let vanishes = history([(.put(1), .unknown, 0, 1), (.read(1, index: 0), .done, 2, 3), (.read(0, index: 0), .done, 4, 5)])
        #expect(isViolated(vanishes.check()))
    }

    @Test func `a lost update is noticed`() {
        let lost = history([
            (.put(1), .done, 0, 1), (.compareAndSet(expected: 1, 2), .done, 2, 3), (.compareAndSet(expected: 1, 3), .done, 4, 5),
        ])
        #expect(isViolated(lost.check()))
    }

    @Test func `a compare-and-set that was refused needs another value in between`() {
        let base: [(Action, RegisterHistory.Outcome, Int, Int)] = [(.put(1), .done, 0, 1)]
        #expect(isViolated(history(base + [(.compareAndSet(expected: 1, 2), .refused, 2, 3)]).check()))
        #expect(history(base + [(.put(4), .unknown, 2, 3), (.compareAndSet(expected: 1, 2), .refused, 2, 3)]).check() == .linearizable)
    }

    @Test func `deletion with an index succeeds on nothing and on the right value only`() {
        #expect(history([(.compareAndDelete(expected: 7), .done, 0, 1)]).check() == .linearizable)
        #expect(isViolated(history([(.put(1), .done, 0, 1), (.compareAndDelete(expected: 7), .done, 2, 3)]).check()))
        #expect(history([(.put(1), .done, 0, 1), (.compareAndDelete(expected: 7), .refused, 2, 3)]).check() == .linearizable)
    }

    @Test func `indexes must agree with the order of writes`() {
        let swapped = history([
            (.put(1), .done, 0, 1), (.read(1, index: 9), .done, 2, 3), (.put(2), .done, 4, 5), (.read(2, index: 8), .done, 6, 7),
        ])
        #expect(isViolated(swapped.check()))
        let changing = history([(.put(1), .done, 0, 1), (.read(1, index: 9), .done, 2, 3), (.read(1, index: 10), .done, 4, 5)])
        #expect(isViolated(changing.check()))
        #expect(isViolated(history([(.read(3, index: 1), .done, 0, 1)]).check()))
    }

    @Test func `a stale read may be old but never uncommitted`() {
        var old = history([(.put(1), .done, 0, 1), (.put(2), .done, 2, 3), (.read(2, index: 6), .done, 4, 5)])
        old.appendStaleRead(1, index: 5, returned: time(9), client: 8)
        #expect(old.check() == .linearizable)
        var invented = history([
            (.put(1), .done, 0, 1), (.compareAndSet(expected: 7, 2), .refused, 2, 3), (.read(1, index: 5), .done, 4, 5),
        ])
        invented.appendStaleRead(2, index: 6, returned: time(9), client: 8)
        #expect(isViolated(invented.check()))
        var early = history([(.put(1), .unknown, 0, 1), (.read(0, index: 0), .done, 6, 7)])
        early.appendStaleRead(1, index: 5, returned: time(3), client: 8)
        #expect(isViolated(early.check()))
    }

    @Test func `a search that is too long says so`() {
        var operations: [(Action, RegisterHistory.Outcome, Int, Int)] = []
        for value in 1...12 { operations.append((.put(Int32(value)), .done, 0, 100)) }
        operations.append((.read(99, index: 0), .done, 0, 100))
        guard case .undecided = history(operations).check(limit: 1000) else {
            Issue.record("decided")
            return
        }
    }

    // MARK: - Against brute force

    /// Tries every order of every subset that contains all answered operations.
    private func bruteForce(_ operations: [Operation]) -> Bool {
        func place(_ done: Set<Int>, _ value: Int32) -> Bool {
            if operations.indices.allSatisfy({ done.contains($0) || operations[$0].outcome == .unknown }) { return true }
            for at in operations.indices where !done.contains(at) {
                let operation = operations[at]
                // Nothing that returned before this began may be left out.
                let blocked = operations.indices.contains {
                    !done.contains($0) && $0 != at && operations[$0].outcome != .unknown && operations[$0].returned < operation.invoked
                }
                if blocked { continue }
                if let next = apply(operation, value), place(done.union([at]), next) { return true }
            }
            return false
        }
        return place([], 0)
    }

    private func apply(_ operation: Operation, _ value: Int32) -> Int32? {
        let refused = operation.outcome == .refused
        switch operation.action {
        case .put(let new): return new
        case .compareAndSet(let expected, let new): return refused ? (value != expected ? value : nil) : (value == expected ? new : nil)
        case .delete: return 0
        case .compareAndDelete(let expected):
            return refused ? (value != expected && value != 0 ? value : nil) : (value == expected || value == 0 ? 0 : nil)
        case .read(let seen, _): return value == seen ? value : nil
        }
    }

    private func randomOperation(_ random: inout Random, value: Int32) -> Operation {
        let start = random.int(in: 0...12)
        let any = Int32(random.int(in: 0...5))
        let action: Action
        switch random.int(in: 0...9) {
        case ..<3: action = .put(value)
        case ..<5: action = .compareAndSet(expected: any, value)
        case 5: action = .delete
        case 6: action = .compareAndDelete(expected: max(1, any))
        default: action = .read(any, index: 0)
        }
        let outcome: RegisterHistory.Outcome
        switch action {
        case .put, .delete: outcome = random.chance(0.2) ? .unknown : .done
        case .read: outcome = .done
        default: outcome = random.pick([.done, .refused, .unknown])
        }
        return Operation(
            action: action, outcome: outcome, invoked: time(start), returned: time(start + random.int(in: 1...6)), client: Int(value))
    }

    @Test func `the search agrees with brute force on small histories`() {
        var random = Random(seed: 4711)
        var linearizable = 0
        for _ in 0..<4000 {
            let operations = (1...random.int(in: 2...6)).map { randomOperation(&random, value: Int32($0)) }
            // Values that nobody writes make most histories impossible; brute force knows no such rule, so both see the same.
            var history = RegisterHistory(name: "k")
            for operation in operations { history.append(operation) }
            let expected = bruteForce(operations)
            linearizable += expected ? 1 : 0
            #expect((history.check() == .linearizable) == expected, "\(operations)")
        }
        #expect(linearizable > 500 && linearizable < 3500)
    }
}
