// Queries as they come in, and answers to ours (gossip §13.2-13.4).

/// A query of ours whose answers are awaited.
struct QueryCollector {
    enum Purpose {
        /// The owner's; the token is its.
        case owner(UInt64)
        case keys(token: UInt64, KeyResponse)
        /// Which of us is known by our name.
        case conflict(responses: Int, matching: Int)
    }

    /// How many more than the pool had members may answer.
    static let slack = 64

    let id: UInt32
    let limit: Int
    var purpose: Purpose
    private var acks = LookupSet<String>()
    private var responses = LookupSet<String>()

    init(id: UInt32, members: Int, purpose: Purpose) {
        self.id = id
        limit = members + Self.slack
        self.purpose = purpose
    }

    /// False for the second one of a member.
    mutating func addAck(from name: String) -> Bool { acks.count < limit && acks.insert(name) }
    mutating func addResponse(from name: String) -> Bool { responses.count < limit && responses.insert(name) }
}

extension SerfState {
    static let internalQueryPrefix = "_serf_"

    /// Whether the message is to be passed on.
    mutating func handle(_ query: QueryMessage, at now: Instant) -> Bool {
        guard queries.clock.isReachable(query.ltime) else { return refuse("query", query.name, query.ltime) }
        queries.clock.witness(query.ltime)
        guard query.ltime >= queries.timeMin else { return false }
        let current = queries.clock.time
        if isTooOld(query.ltime, current, config.queryBuffer) {
            log(.warn, "received old query \(query.name) from time \(query.ltime) (current: \(current))")
            return false
        }
        guard queries.recent.insert(query.id, at: query.ltime) else { return false }
        let passesOn = query.flags & QueryMessage.noBroadcastFlag == 0
        counters.queries += 1
        guard isMeant(query) else { return passesOn }
        let received = ReceivedQuery(query, at: now)
        if query.flags & QueryMessage.ackFlag != 0 {
            let ack = QueryResponseMessage(
                ltime: query.ltime, id: query.id, from: config.name, flags: QueryResponseMessage.ackFlag, payload: nil)
            send(ack.message(), for: received)
        }
        snapshot?.recordQuery(query.ltime)
        armSnapshot(at: now)
        if query.name.utf8.starts(with: Self.internalQueryPrefix.utf8) {
            answerInternal(received)
        } else {
            output.append(.query(received))
        }
        return passesOn
    }

    private mutating func isMeant(_ query: QueryMessage) -> Bool {
        for encoded in query.filters ?? [] {
            guard let filter = QueryFilter(encoded: encoded) else {
                log(.warn, "query has unrecognized filter type: \(encoded.first.map(String.init) ?? "none")")
                return false
            }
            if !filter.matches(node: config.name, tags: tags) { return false }
        }
        return true
    }

    /// To the member that asked, and over others if it asked for that.
    private mutating func send(_ message: [UInt8], for query: ReceivedQuery) {
        guard let address = query.address else { return log(.error, "failed to respond to query: no address") }
        requests.append(.send(message, to: address))
        let relayFactor = min(Int(query.relayFactor), SerfLimits.relayFactorMax)
        guard relayFactor > 0, members.count >= relayFactor + 1 else { return }
        let relayed = RelayMessage.encode(address: address.bytes, port: address.port, name: query.from, message: message)
        guard relayed.count <= config.queryResponseSizeLimit else {
            return log(.error, "relayed response exceeds limit of \(config.queryResponseSizeLimit) bytes")
        }
        let own = config.name
        let helpers = members.choose(relayFactor, &random) {
            $0.status == .alive && $0.versions.protocolMax >= 5 && $0.name != own
        }
        for helper in helpers { requests.append(.send(relayed, to: helper.address)) }
    }

    /// Passes an answer on to who asked.
    mutating func relay(_ message: RelayMessage) {
        guard let address = NodeAddress(message.address, port: message.port), !message.message.isEmpty else {
            return log(.error, "Error forwarding message to \(message.name): no address or nothing to forward")
        }
        log(.debug, "Relaying response to node: \(message.name)")
        requests.append(.send(Array(message.message), to: address))
    }

    /// Throws for what comes too late or is too large. Answering twice is the caller's mistake: the second one is dropped by who asked.
    mutating func respond(to query: ReceivedQuery, payload: [UInt8], at now: Instant) throws(TextError) {
        if now > query.deadline { throw TextError("response is past the deadline") }
        let message = response(to: query, payload: payload)
        let limit = config.queryResponseSizeLimit
        if message.count > limit { throw TextError("response exceeds limit of \(limit) bytes") }
        send(message, for: query)
    }

    func response(to query: ReceivedQuery, payload: [UInt8]) -> [UInt8] {
        QueryResponseMessage(ltime: query.ltime, id: query.id, from: config.name, flags: 0, payload: payload).message()
    }

    // MARK: Internal queries (gossip §13.5)

    private mutating func answerInternal(_ query: ReceivedQuery) {
        switch query.name.utf8.dropFirst(Self.internalQueryPrefix.utf8.count) {
        case let name where name.elementsEqual("ping".utf8):
            break
        case let name where name.elementsEqual("conflict".utf8):
            answerConflict(query)
        case let name
        where name.elementsEqual("install-key".utf8) || name.elementsEqual("use-key".utf8)
            || name.elementsEqual("remove-key".utf8) || name.elementsEqual("list-keys".utf8):
            requests.append(.keys(query))
        default:
            log(.warn, "Unhandled internal query '\(query.name)'")
        }
    }

    private mutating func answerConflict(_ query: ReceivedQuery) {
        let name = String(repairing: query.payload)
        // Who is in the conflict has no say in it.
        if name == config.name { return }
        log(.debug, "Got conflict resolution query for '\(name)'")
        send(response(to: query, payload: ConflictAnswer.encode(members[name]?.member)), for: query)
    }

    // MARK: Answers to our queries

    mutating func handle(_ response: QueryResponseMessage, at now: Instant) {
        if (response.payload?.count ?? 0) > SerfLimits.responseSizeMax { return }
        guard queries.collectors[response.ltime] != nil else {
            return log(.warn, "reply for non-running query (LTime: \(response.ltime), ID: \(response.id) From: \(response.from))")
        }
        guard queries.collectors[response.ltime]?.id == response.id else {
            return log(.warn, "query reply ID mismatch (Local: \(queries.collectors[response.ltime]?.id ?? 0), Response: \(response.id))")
        }
        if response.flags & QueryResponseMessage.ackFlag != 0 {
            guard queries.collectors[response.ltime]?.addAck(from: response.from) == true else {
                counters.queryDuplicateAcks += 1
                return
            }
            counters.queryAcks += 1
            if case .owner(let token) = queries.collectors[response.ltime]?.purpose {
                output.append(.queryAck(token: token, from: response.from))
            }
        } else {
            guard queries.collectors[response.ltime]?.addResponse(from: response.from) == true else {
                counters.queryDuplicateResponses += 1
                return
            }
            counters.queryResponses += 1
            collect(response)
        }
    }

    private mutating func collect(_ response: QueryResponseMessage) {
        let payload = response.payload ?? []
        switch queries.collectors[response.ltime]?.purpose {
        case .owner(let token):
            output.append(.queryResponse(token: token, from: response.from, payload: payload))
        case .keys(let token, var answer):
            if let warning = answer.add(payload, from: response.from) { log(.warn, warning) }
            queries.collectors[response.ltime]?.purpose = .keys(token: token, answer)
            if answer.responses == answer.nodes { endQuery(response.ltime) }
        case .conflict(let responses, let matching):
            guard payload.first == SerfMessageKind.conflictResponse.rawValue,
                let member = try? ConflictAnswer.decode(payload[1...])
            else { return log(.error, "Invalid conflict query response type: \(payload)") }
            let isOurs = member.address == config.memberlist.advertise.bytes && member.port == config.memberlist.advertise.port
            queries.collectors[response.ltime]?.purpose = .conflict(responses: responses + 1, matching: matching + (isOurs ? 1 : 0))
        case nil:
            break
        }
    }

    /// Its time is over, or nobody is left to answer.
    mutating func endQuery(_ ltime: UInt64) {
        timers[.query(ltime)] = nil
        guard let collector = queries.collectors.removeValue(forKey: ltime) else { return }
        switch collector.purpose {
        case .owner(let token):
            output.append(.queryDone(token: token))
        case .keys(let token, var answer):
            answer.conclude()
            output.append(.keys(token: token, answer))
        case .conflict(let responses, let matching):
            isResolvingConflict = false
            let majority = responses / 2 + 1
            if matching >= majority { return log(.info, "majority in name conflict resolution [\(matching) / \(responses)]") }
            log(.warn, "minority in name conflict resolution, quiting [\(matching) / \(responses)]")
            lifecycle = .shutdown
            output.append(.conflictLost)
        }
    }
}

extension KeyResponse {
    /// Takes a member's answer in; returns what is worth a warning.
    mutating func add(_ payload: [UInt8], from name: String) -> String? {
        responses += 1
        guard payload.first == SerfMessageKind.keyResponse.rawValue else {
            messages[name] = "Invalid key query response type: \(Self.goText(payload))"
            failures += 1
            return nil
        }
        guard let answer = try? KeyAnswer(body: payload[1...]) else {
            messages[name] = "Failed to decode key query response: \(Self.goText(payload))"
            failures += 1
            return nil
        }
        if !answer.result {
            messages[name] = answer.message
            failures += 1
        } else if !answer.message.isEmpty {
            messages[name] = answer.message
        }
        for key in answer.keys ?? [] { Self.count(key, in: &keys) }
        Self.count(answer.primaryKey, in: &primaryKeys)
        return answer.result && !answer.message.isEmpty ? answer.message : nil
    }

    private static func count(_ key: String, in counts: inout SortedMap<String, Int>) {
        if let known = counts[key] { counts[key] = known + 1 } else if counts.count < SerfLimits.keysMax { counts[key] = 1 }
    }

    /// Everybody has answered, or had the time to.
    mutating func conclude() {
        if failures != 0 {
            error = "\(failures)/\(nodes) nodes reported failure"
        } else if responses != nodes {
            error = "\(responses)/\(nodes) nodes reported success"
        }
    }

    /// Bytes as Go prints a slice of them.
    private static func goText(_ bytes: [UInt8]) -> String { "[" + bytes.map { String($0) }.joined(separator: " ") + "]" }
}
