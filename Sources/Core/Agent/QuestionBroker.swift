/// Answers DNS questions that a front end cannot answer: those of client agents, and those that need the leader. Spec: dns §14.3, §17.
///
/// Owns the questions that wait for answers of the servers. A look-up is made again and again, each time with one more answer of the
/// servers, until it has all it needs; what it lacks is given back as a `Fetch`.
struct QuestionBroker {
    /// More questions at a time fail at once.
    static let questionsMax = 10_000

    private(set) var dns: DNSResponder
    private let datacenter: String
    private var waiting = LookupTable<RequestID, Question>()

    private struct Question {
        let packet: [UInt8]
        let tcp: Bool
        var catalog: FetchedCatalog
        /// As at the beginning: every look-up draws the same instances.
        let random: Random
        /// What the read under way asks for.
        var query: ReadQuery?
        var allowsStale = true
        let caller: RequestContext
    }

    /// A read that a question needs; its outcome goes to `fetched`.
    struct Fetch {
        var id: RequestID
        var query: ReadQuery
        var options: QueryOptions
        var caller: RequestContext
    }

    init(_ settings: AgentSettings) {
        dns = DNSResponder(settings)
        datacenter = settings.identity.datacenter
    }

    var isEmpty: Bool { waiting.isEmpty }

    /// A new configuration holds, for the questions that wait, too.
    mutating func reload(_ new: DNSConfig) { dns.reload(new) }

    /// A question in wire form. It is answered, dropped, or needs what is returned. `unixSeconds` is the wall clock's time.
    mutating func ask(
        _ id: RequestID, _ packet: [UInt8], _ caller: RequestContext, tcp: Bool, seed: UInt64, unixSeconds: Int64,
        into effects: inout [AgentEffect]
    ) -> Fetch? {
        let catalog = FetchedCatalog(
            authorizer: caller.authorizer, onlyPassing: dns.zone.config.onlyPassing, refusesAll: waiting.count >= Self.questionsMax)
        let question = Question(packet: packet, tcp: tcp, catalog: catalog, random: Random(seed: seed), caller: caller)
        return advance(question, id, unixSeconds, &effects)
    }

    /// A server has answered, or none could.
    mutating func fetched(
        _ result: Result<ReadAnswer, ServerError>, for id: RequestID, unixSeconds: Int64, into effects: inout [AgentEffect]
    ) -> Fetch? {
        guard var question = waiting[id], let query = question.query else { return nil }
        switch result {
        case .success(let answer):
            if question.allowsStale, answer.meta.lastContact > max(.zero, dns.zone.config.maxStale) {
                // Too old: asked once more, of the leader.
                question.allowsStale = false
                return fetch(question, query, id)
            }
            question.catalog.add(answer.result)
        case .failure(let error):
            effects.append(.log(.error, "agent.dns", "rpc error: error=\(LogText.value(error.text))"))
            question.catalog.add(nil)
        }
        return advance(question, id, unixSeconds, &effects)
    }

    /// The client went away; whether its question waited for a read.
    mutating func cancel(_ id: RequestID) -> Bool { waiting.removeValue(forKey: id) != nil }

    /// Answers, or fetches what is missing for it.
    private mutating func advance(_ question: Question, _ id: RequestID, _ unixSeconds: Int64, _ effects: inout [AgentEffect]) -> Fetch? {
        var question = question, random = question.random
        let reply = dns.answer(question.packet, tcp: question.tcp, from: &question.catalog, unixSeconds: unixSeconds, random: &random)
        if let missing = question.catalog.missing {
            question.query = missing
            question.allowsStale = dns.zone.config.allowStale
            return fetch(question, missing, id)
        }
        waiting.removeValue(forKey: id)
        if let reply { effects.append(.answer(id, reply)) }
        return nil
    }

    private mutating func fetch(_ question: Question, _ query: ReadQuery, _ id: RequestID) -> Fetch {
        waiting[id] = question
        var options = QueryOptions()
        options.datacenter = datacenter
        options.allowStale = question.allowsStale
        return Fetch(id: id, query: query, options: options, caller: question.caller)
    }
}
