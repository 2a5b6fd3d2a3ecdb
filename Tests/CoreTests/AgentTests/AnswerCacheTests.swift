import Testing

@testable import Core

@Suite struct AnswerCacheTests {
    private func options(maxAge: Int? = nil, mustRevalidate: Bool = false) -> CacheOptions {
        var options = CacheOptions()
        options.maxAge = maxAge
        options.mustRevalidate = mustRevalidate
        return options
    }

    @Test func `names of datacenters are as old as their fetch`() {
        var cache = AnswerCache()
        let start = Instant(nanoseconds: 1_000_000_000)
        func age(_ options: CacheOptions, after time: Duration) -> Duration? { cache.freshDatacenters(options, at: start + time)?.age }
        #expect(age(options(), after: .zero) == nil)
        cache.keep(datacenters: ["dc1"], at: start)
        #expect(cache.freshDatacenters(options(), at: start)?.names == ["dc1"])
        #expect(age(options(), after: .seconds(7)) == .seconds(7))
        #expect(age(options(maxAge: 7), after: .seconds(7)) == .seconds(7) && age(options(maxAge: 6), after: .seconds(7)) == nil)
        #expect(age(options(maxAge: -1), after: .seconds(7)) != nil && age(options(maxAge: .max), after: .seconds(7)) != nil)
        #expect(age(options(maxAge: 0, mustRevalidate: true), after: .zero) == nil)
        // Entries that are used stay; those that nobody asked for in three days are dropped.
        #expect(age(options(), after: .hours(70)) == .hours(70) && age(options(), after: .hours(141)) == .hours(141))
        #expect(age(options(), after: .hours(213)) == nil)
    }

    @Test func `the order of tags makes no other question`() {
        var cache = AnswerCache()
        func isKnown(_ tags: [String]) -> Bool {
            let query = ReadQuery.health(.serviceNodes(service: "web", tags: tags, connect: false, ingress: false))
            return cache.state(options(), query, QueryOptions(), .everything) != .miss
        }
        #expect(!isKnown(["a", "b"]) && isKnown(["b", "a"]) && !isKnown(["b"]))
    }
}
