/// What `?cached` says of an answer (http-1 §1.12).
///
/// A server's own state is always current, so nothing is kept but which questions were asked before: the first asking is a miss, later
/// ones are hits whose age is zero.
struct AnswerCache {
    private struct Question: Hashable {
        var query: ReadQuery
        var nodeMetaFilters: StringMap
        var token: String
        var filter: String
    }

    private var seen = LookupSet<Question>()

    /// Beyond this many different questions everything counts as unseen again.
    static let questionsMax = 10_000

    mutating func state(_ cache: CacheOptions, _ query: ReadQuery, _ options: QueryOptions) -> CacheState {
        if seen.count >= Self.questionsMax { seen.removeAll() }
        let question = Question(query: query, nodeMetaFilters: options.nodeMetaFilters, token: options.token, filter: options.filter)
        return seen.insert(question) ? .miss : .hit(age: .zero)
    }
}
