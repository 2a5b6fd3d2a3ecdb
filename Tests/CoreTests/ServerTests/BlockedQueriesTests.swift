import Testing

@testable import Core

@Suite struct BlockedQueriesTests {
    private func question(_ key: String) -> BlockedQueries.Question {
        BlockedQueries.Question(query: .kv(.get(key: ByteString(key))), nodeMetaFilters: [:], consistent: false, view: .everything)
    }

    private func requester(_ id: UInt64) -> Requester { .client(RequestID(id)) }

    @Test func `waiters for one question form one group, woken by its topics only`() {
        var blocked = BlockedQueries()
        for id in 0..<3 as Range<UInt64> {
            blocked.block(requester(id), question("a"), options: QueryOptions(), topics: [.kvKey("a")], until: .distantFuture)
        }
        blocked.block(requester(3), question("b"), options: QueryOptions(), topics: [.kvKey("b")], until: .distantFuture)
        var changes = ChangeSet()
        changes.add(.kvKey("a"))
        let woken = blocked.woken(by: changes)
        #expect(woken.count == 1)
        #expect(blocked.group(woken[0])?.waiters.count == 3)
        let again = blocked.woken(by: changes)
        #expect(again.isEmpty)
    }

    @Test func `the earliest deadline is told, and removal moves it`() {
        var blocked = BlockedQueries()
        let start = Instant.zero
        blocked.block(requester(1), question("a"), options: QueryOptions(), topics: [.kvKey("a")], until: start + .seconds(5))
        blocked.block(requester(2), question("a"), options: QueryOptions(), topics: [.kvKey("a")], until: start + .seconds(3))
        #expect(blocked.deadline == start + .seconds(3))
        #expect(blocked.expired(at: start + .seconds(4)) == requester(2))
        blocked.remove(requester(2))
        let later = blocked.expired(at: start + .seconds(4))
        #expect(later == nil)
        #expect(blocked.deadline == start + .seconds(5))
    }

    @Test func `twenty thousand watchers that vanish leave nothing behind`() {
        var blocked = BlockedQueries()
        for id in 0..<20_000 as Range<UInt64> {
            let key = id % 3 == 0 ? "shared" : "own/\(id)"
            blocked.block(
                requester(id), question(key), options: QueryOptions(), topics: [.kvKey(ByteString(key)), .kvPrefix("own/")],
                until: .zero + .seconds(Int64(id)))
        }
        #expect(blocked.count == 20_000)
        for id in 0..<20_000 as Range<UInt64> { blocked.remove(requester(id &* 7919 % 20_000)) }
        #expect(blocked.isEmpty)
        #expect(blocked.deadline == nil)
    }
}
