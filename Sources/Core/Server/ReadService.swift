/// A read that is answered once a quorum has said that this server still leads.
struct VerifiedRead {
    var requester: Requester
    var since: Instant
    var query: ReadQuery
    var options: QueryOptions
    var context: RequestContext
    /// Set once the wait for a change has begun.
    var deadline: Instant?

    /// Whether one answer serves both.
    func isAnswered(like other: VerifiedRead) -> Bool {
        query == other.query && options == other.options && context.sees(like: other.context)
    }
}

/// Carries out reads on the state (behaviour §2, §3.1). Owns those that wait: for a change, or for the followers' word that this server
/// still leads.
struct ReadService {
    /// What a read comes to at one state.
    enum Outcome {
        case answer(QueryResult, index: UInt64)
        /// There is nothing new: it is to be asked again after a change.
        case waits
        case failed(ServerError)
    }

    var blocked = BlockedQueries()
    /// Reads of this batch of events, for which the followers have not been asked yet.
    private var unverified: [VerifiedRead] = []
    private var verifications = LookupTable<UInt64, [VerifiedRead]>()
    private var evaluations: UInt64 = 0

    /// Evaluates against `store`. `deadline` is set once the wait for a change has begun.
    func outcome(
        of query: ReadQuery, _ options: QueryOptions, _ context: RequestContext, in store: Store, deadline: Instant?,
        at now: Instant
    ) -> Outcome {
        switch store.evaluate(query, options: options, authorizer: context.authorizer) {
        case .failure(let error): return .failed(ServerError(error.text))
        case .success((let result, let index)):
            let isKnown = options.minQueryIndex > 0 && max(1, index) <= options.minQueryIndex && query.canWait
            return isKnown && (deadline.map { now < $0 } ?? true) ? .waits : .answer(result, index: index)
        }
    }

    /// Lets the requester wait for a change of what the query depends on.
    mutating func block(
        _ requester: Requester, _ query: ReadQuery, _ options: QueryOptions, _ context: RequestContext, topics: [WatchTopic],
        until deadline: Instant
    ) {
        let question = BlockedQueries.Question(
            query: query, nodeMetaFilters: options.nodeMetaFilters, sourceNode: options.sourceNode,
            consistent: options.requireConsistent, view: context.authorizer.view)
        blocked.block(requester, question, options: options, context: context, topics: topics, until: deadline)
    }

    /// Numbers an evaluation: answers with the same number came from one and the same.
    mutating func nextEvaluation() -> UInt64 {
        evaluations += 1
        return evaluations
    }

    var lastEvaluation: UInt64 { evaluations }

    // MARK: Verification

    /// Whether there are reads for which the followers are to be asked.
    var isCollecting: Bool { !unverified.isEmpty }

    mutating func collect(_ read: VerifiedRead) { unverified.append(read) }

    /// One round of questions to the followers, of that token, serves all reads that were collected.
    mutating func beginVerification(_ token: UInt64) {
        verifications[token] = unverified
        unverified = []
    }

    mutating func endVerification(_ token: UInt64) -> [VerifiedRead] { verifications.removeValue(forKey: token) ?? [] }

    /// How long a blocking query waits (behaviour §2.1).
    static func waitTime(_ options: QueryOptions, _ settings: AgentSettings, random: inout Random) -> Duration {
        var time =
            options.maxQueryTime <= .zero ? settings.servers.defaultQueryTime : min(options.maxQueryTime, settings.servers.maxQueryTime)
        time += random.duration(below: .nanoseconds(time.nanoseconds / 16))
        return time
    }
}
