import Core
import Testing

@testable import Simulator

@Suite struct WatchHistoryTests {
    private func second(_ second: Int) -> Instant { .zero + .seconds(second) }

    private func history() -> WatchHistory {
        var history = WatchHistory(name: "w", instances: 1)
        history.begin(instance: 0, version: 1, removes: false, at: second(1))
        history.acknowledge(instance: 0, version: 1, at: second(2))
        history.begin(instance: 0, version: 2, removes: false, at: second(5))
        history.acknowledge(instance: 0, version: 2, at: second(6))
        return history
    }

    private func answer(_ shown: Int, index: UInt64, asked: UInt64 = 0, at: Int, stale: Bool = false) -> WatchHistory.Answer {
        WatchHistory.Answer(
            watcher: 0, asked: asked, index: index, invoked: second(at), returned: second(at + 1), isStale: stale, versions: [shown])
    }

    private func rules(_ answers: [WatchHistory.Answer]) -> [String] {
        var history = history()
        for answer in answers { history.append(answer) }
        return history.violations(tolerance: .zero).map(\.rule)
    }

    @Test func `a watch that follows is fine`() {
        #expect(rules([answer(0, index: 1, at: 0), answer(1, index: 8, asked: 1, at: 2), answer(2, index: 9, asked: 8, at: 6)]).isEmpty)
    }

    @Test func `an index that goes back is noticed`() {
        #expect(rules([answer(1, index: 8, at: 3), answer(2, index: 7, asked: 8, at: 6)]) == ["the index of a watch never goes back"])
    }

    @Test func `two states of one index are noticed`() {
        #expect(rules([answer(1, index: 8, at: 3), answer(2, index: 8, asked: 8, at: 6)]) == ["one index, one state"])
    }

    @Test func `a state that nobody wrote is noticed`() {
        #expect(rules([answer(7, index: 8, asked: 3, at: 3)]) == ["a watch shows what was written"])
        #expect(rules([answer(2, index: 8, asked: 3, at: 3)]) == ["a watch shows what was written"])
    }

    @Test func `a query that does not wait must show what was acknowledged`() {
        #expect(rules([answer(1, index: 8, at: 7)]) == ["a watch begins with the present"])
        #expect(rules([answer(1, index: 8, at: 7, stale: true)]).isEmpty)
        #expect(rules([answer(2, index: 9, at: 7)]).isEmpty)
    }

    @Test func `the last state is the last acknowledged one or an unanswered one`() {
        var history = history()
        #expect(history.mayEnd(instance: 0, with: 2))
        #expect(!history.mayEnd(instance: 0, with: 1))
        history.begin(instance: 0, version: 3, removes: true, at: second(9))
        #expect(history.mayEnd(instance: 0, with: 0))
        #expect(history.mayEnd(instance: 0, with: 2))
    }
}
