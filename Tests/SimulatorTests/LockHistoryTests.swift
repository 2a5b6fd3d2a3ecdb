import Core
import Testing

@testable import Simulator

@Suite struct LockHistoryTests {
    private func holding(
        _ session: String, _ acquired: Int, _ until: Int, token: UInt64?, invoked: Int? = nil
    ) -> LockHistory.Holding {
        LockHistory.Holding(
            session: session, client: 0, invoked: .zero + .seconds(invoked ?? acquired - 1), acquired: .zero + .seconds(acquired),
            until: .zero + .seconds(until), lockIndex: token)
    }

    private func rules(_ holdings: [LockHistory.Holding]) -> [String] {
        var history = LockHistory(name: "lock")
        for holding in holdings { history.append(holding) }
        return history.violations().map(\.rule)
    }

    @Test func `one holder after the other is fine`() {
        #expect(rules([holding("a", 1, 5, token: 1), holding("b", 6, 9, token: 2), holding("a", 11, 12, token: 3)]).isEmpty)
    }

    @Test func `two holders at once are noticed`() {
        #expect(rules([holding("a", 1, 5, token: 1), holding("b", 4, 9, token: 2)]).contains("mutual exclusion"))
    }

    @Test func `a holder whose session had lapsed by its answer may have come and gone before`() {
        #expect(rules([holding("a", 3, 9, token: 2), holding("b", 5, 4, token: nil, invoked: 2)]).isEmpty)
        // Not if it asked while the lock was held.
        #expect(rules([holding("a", 3, 9, token: 2), holding("b", 5, 4, token: nil, invoked: 3)]) == ["mutual exclusion"])
        // Nor if it still held the lock when it was told.
        #expect(rules([holding("a", 3, 9, token: 2), holding("b", 5, 6, token: nil, invoked: 2)]) == ["mutual exclusion"])
    }

    @Test func `a fencing token must grow`() {
        #expect(rules([holding("a", 1, 5, token: 2), holding("b", 7, 9, token: 2)]) == ["fencing tokens grow"])
        #expect(rules([holding("a", 1, 5, token: 2), holding("b", 7, 9, token: 1)]) == ["fencing tokens grow"])
    }

    @Test func `a lock-delay must be waited for`() {
        func rules(acquired: Int, invoked: Int, token: UInt64 = 2) -> [String] {
            var history = LockHistory(name: "lock")
            history.append(holding("a", 1, 5, token: 1))
            history.append(
                LockHistory.Delay(
                    session: "a", client: 0, from: .zero + .seconds(5), known: .zero + .seconds(6), length: .seconds(3), lockIndex: 1))
            history.append(holding("b", acquired, 20, token: token, invoked: invoked))
            return history.violations().map(\.rule)
        }
        #expect(rules(acquired: 7, invoked: 6) == ["lock-delay"])
        #expect(rules(acquired: 8, invoked: 7).isEmpty)
        #expect(rules(acquired: 7, invoked: 6, token: 3).isEmpty)
        // It may have passed the leader before the session ended.
        #expect(rules(acquired: 7, invoked: 5).isEmpty)
    }
}
