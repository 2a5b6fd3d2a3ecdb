// DNS questions that a front end cannot answer: those of client agents, and those that need the leader. Spec: dns §14.3, §17.

/// A question whose look-up is made again and again, each time with one more answer of the servers, until it has all it needs.
struct PendingQuestion {
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

extension Agent {
    /// More questions at a time fail at once.
    static let questionsMax = 10_000

    func ask(_ id: RequestID, _ packet: [UInt8], tcp: Bool, from remote: String, at now: Instant, into effects: inout [AgentEffect]) {
        let caller = config.access.context(token: "", source: remote)
        let catalog = FetchedCatalog(
            authorizer: caller.authorizer, onlyPassing: config.dns.onlyPassing, refusesAll: questions.count >= Self.questionsMax)
        let question = PendingQuestion(packet: packet, tcp: tcp, catalog: catalog, random: Random(seed: random.next()), caller: caller)
        advance(question, id, at: now, into: &effects)
    }

    /// Answers, or fetches what is missing for it.
    private func advance(_ question: PendingQuestion, _ id: RequestID, at now: Instant, into effects: inout [AgentEffect]) {
        var question = question, random = question.random
        let unixSeconds = (now.nanoseconds &+ wallClockOffset) / 1_000_000_000
        let reply = dns.answer(question.packet, tcp: question.tcp, from: &question.catalog, unixSeconds: unixSeconds, random: &random)
        if let missing = question.catalog.missing {
            question.query = missing
            question.allowsStale = config.dns.allowStale
            fetch(question, missing, id, at: now)
        } else {
            questions.removeValue(forKey: id)
            if let reply { effects.append(.answer(id, reply)) }
        }
    }

    private func fetch(_ question: PendingQuestion, _ query: ReadQuery, _ id: RequestID, at now: Instant) {
        questions[id] = question
        var options = QueryOptions()
        options.datacenter = config.datacenter
        options.allowStale = question.allowsStale
        backend.execute(.read(query, options), question.caller, for: .question(id), at: now)
    }

    /// A server has answered, or none could.
    func fetched(_ result: Result<ReadAnswer, ServerError>, for id: RequestID, at now: Instant, into effects: inout [AgentEffect]) {
        guard var question = questions[id], let query = question.query else { return }
        switch result {
        case .success(let answer):
            if question.allowsStale, answer.meta.lastContact > max(.zero, config.dns.maxStale) {
                // Too old: asked once more, of the leader.
                question.allowsStale = false
                return fetch(question, query, id, at: now)
            }
            question.catalog.add(answer.result)
        case .failure(let error):
            effects.append(.log(.error, "agent.dns", "rpc error: error=\(LogText.value(error.text))"))
            question.catalog.add(nil)
        }
        advance(question, id, at: now, into: &effects)
    }

    /// The client went away.
    func forgetQuestion(_ id: RequestID) {
        if questions.removeValue(forKey: id) != nil { backend.cancel(.question(id)) }
    }
}
