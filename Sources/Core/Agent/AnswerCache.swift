/// What `?cached` says of an answer (http-1 §1.12).
///
/// A server's own state is always current, so of most questions nothing is kept but that they were asked before: the first asking is a
/// miss, later ones are hits whose age is zero. The names of the datacenters are kept as they were fetched, and have an age.
struct AnswerCache {
    private struct Question: Hashable {
        var query: ReadQuery
        var nodeMetaFilters: StringMap
        /// Who sees the same shares what is kept.
        var view: Authorizer.View
        var filter: String
    }

    private var seen = LookupSet<Question>()
    private var datacenters: (names: [String], fetchedAt: Instant, usedAt: Instant)?

    /// Beyond this many different questions everything counts as unseen again.
    static let questionsMax = 10_000
    /// What nobody asked for in so long is gone.
    static var unusedMax: Duration { .hours(72) }
    /// In seconds; larger ones mean the same, and do not overflow.
    private static let maxAgeMax: Int64 = 1 << 32

    mutating func state(_ cache: CacheOptions, _ query: ReadQuery, _ options: QueryOptions, _ view: Authorizer.View) -> CacheState {
        if seen.count >= Self.questionsMax { seen.removeAll() }
        let question = Question(query: query.keyed, nodeMetaFilters: options.nodeMetaFilters, view: view, filter: options.filter)
        return seen.insert(question) ? .miss : .hit(age: .zero)
    }

    /// The datacenters' names if they may still be used, and how old they are.
    mutating func freshDatacenters(_ cache: CacheOptions, at now: Instant) -> (names: [String], age: Duration)? {
        guard !cache.mustRevalidate, let (names, fetchedAt, usedAt) = datacenters, now - usedAt < Self.unusedMax else { return nil }
        let age = now - fetchedAt
        if let maxAge = cache.maxAge, maxAge > 0, age > .seconds(min(Int64(maxAge), Self.maxAgeMax)) { return nil }
        datacenters?.usedAt = now
        return (names, age)
    }

    mutating func keep(datacenters names: [String], at now: Instant) { datacenters = (names, now, now) }
}

extension ReadQuery {
    /// The same for all orders of the tags that are asked for.
    fileprivate var keyed: ReadQuery {
        switch self {
        case .catalog(.serviceNodes(let service, let tags, let connect)):
            .catalog(.serviceNodes(service: service, tags: tags.sorted(), connect: connect))
        case .health(.serviceNodes(let service, let tags, let connect, let ingress)):
            .health(.serviceNodes(service: service, tags: tags.sorted(), connect: connect, ingress: ingress))
        default: self
        }
    }
}
