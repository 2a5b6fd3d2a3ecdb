@testable import Core

// Tests that are not about access ask as somebody who may do everything.

extension Store {
    func evaluate(_ query: ReadQuery, options: QueryOptions) -> Result<(result: QueryResult, index: UInt64), TextError> {
        evaluate(query, options: options, authorizer: .allowAll)
    }
}

extension Server {
    func execute(_ work: ServerWork, for requester: Requester, at now: Instant) { execute(work, .ownWork, for: requester, at: now) }
}

extension Client {
    func execute(_ work: ServerWork, for requester: Requester, at now: Instant) { execute(work, .ownWork, for: requester, at: now) }
}

extension BlockedQueries {
    mutating func block(_ requester: Requester, _ question: Question, options: QueryOptions, topics: [WatchTopic], until deadline: Instant)
    {
        block(requester, question, options: options, context: .ownWork, topics: topics, until: deadline)
    }
}

extension EventLog {
    func events(named name: String = "") -> [EventMessage] { events(named: name, .allowAll) }
    func index(named name: String = "") -> UInt64 { index(named: name, .allowAll) }

    mutating func list(_ id: RequestID, name: String, index: UInt64, wait: Duration, pretty: Bool, at now: Instant) -> Answer? {
        list(id, .allowAll, name: name, index: index, wait: wait, pretty: pretty, at: now)
    }
}

extension FetchedCatalog {
    init(onlyPassing: Bool) { self.init(authorizer: .allowAll, onlyPassing: onlyPassing) }
}
