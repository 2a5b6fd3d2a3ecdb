// Events and queries of our own, and the keys of the pool (gossip §12.6, §13).

extension Serf {
    /// Tells all members, ourselves included. Throws the reference's text for events that are too large.
    public func userEvent(
        _ name: String, payload: [UInt8], coalesce: Bool = false, at time: Instant, into effects: inout [SerfEffect]
    ) throws(TextError) {
        var failure: TextError?
        run(at: time, into: &effects) {
            do throws(TextError) {
                try state.send(event: name, payload: payload, coalesce: coalesce, at: now)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// Asks all members that match; acks, answers and the end come under the token. Throws for queries that are too large.
    public func query(
        _ name: String, payload: [UInt8], parameters: SerfQueryParameters = SerfQueryParameters(), token: UInt64, at time: Instant,
        into effects: inout [SerfEffect]
    ) throws(TextError) {
        var failure: TextError?
        run(at: time, into: &effects) {
            do throws(TextError) {
                try ask(name, payload, parameters, .owner(token))
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// Answers a query. Throws for what comes too late or is too large.
    public func respond(to query: ReceivedQuery, payload: [UInt8], at time: Instant, into effects: inout [SerfEffect]) throws(TextError) {
        var failure: TextError?
        run(at: time, into: &effects) {
            do throws(TextError) {
                try state.respond(to: query, payload: payload, at: now)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// How long a query takes in a pool of this size.
    public var defaultQueryTimeout: Duration {
        let interval = config.memberlist.gossipInterval.nanoseconds
        let factor = Int64(config.queryTimeoutMult * GossipMath.log10Ceiling(memberlist.activeCount + 1))
        return .nanoseconds(interval * factor)
    }

    private func ask(
        _ name: String, _ payload: [UInt8], _ parameters: SerfQueryParameters, _ purpose: QueryCollector.Purpose
    ) throws(TextError) {
        let address = config.memberlist.advertise
        var query = QueryMessage()
        query.ltime = state.queries.clock.time
        query.id = UInt32(truncatingIfNeeded: state.random.next() >> 33)
        query.address = address.bytes
        query.port = address.port
        query.sourceNode = config.name
        query.filters = parameters.filters.isEmpty ? nil : parameters.filters.map(\.encoded)
        query.flags = parameters.wantsAcks ? QueryMessage.ackFlag : 0
        query.relayFactor = parameters.relayFactor
        query.timeout = parameters.timeout ?? defaultQueryTimeout
        query.name = name
        query.payload = payload
        let message = query.message()
        if message.count > config.querySizeLimit { throw TextError("query exceeds limit of \(config.querySizeLimit) bytes") }

        state.queries.collectors[query.ltime] = QueryCollector(id: query.id, members: memberlist.activeCount, purpose: purpose)
        state.arm(.query(query.ltime), at: now + query.timeout)
        _ = state.handle(query, at: now)
        state.broadcast(message, on: \.queries, at: now)
    }

    /// Gossip §12.11.
    func resolveConflict() {
        guard state.lifecycle == .alive, !state.isResolvingConflict else { return }
        state.isResolvingConflict = true
        do throws(TextError) {
            try ask("_serf_conflict", Array(config.name.utf8), SerfQueryParameters(), .conflict(responses: 0, matching: 0))
        } catch {
            state.isResolvingConflict = false
            state.log(.error, "Failed to start name resolution query: \(error.text)")
        }
    }

    // MARK: Keys, asking

    /// Lists or changes the keys of all members; `.keys` brings what they answered.
    public func operate(
        keys operation: KeyOperation, relayFactor: UInt8 = 0, token: UInt64, at time: Instant, into effects: inout [SerfEffect]
    ) {
        run(at: time, into: &effects) {
            var parameters = SerfQueryParameters()
            parameters.relayFactor = relayFactor
            var response = KeyResponse()
            do throws(TextError) {
                let request = KeyRequest(key: try operation.rawKey())
                response.nodes = memberlist.activeCount
                try ask(operation.queryName, request.message(), parameters, .keys(token: token, response))
            } catch {
                response.error = error.text
                state.output.append(.keys(token: token, response))
            }
        }
    }

    // MARK: Keys, answering

    /// Gossip §13.5.
    func answerKeys(_ query: ReceivedQuery) {
        // What else such a query says is of no interest.
        if query.name == KeyOperation.list.queryName { return listKeys(query) }
        var answer = KeyAnswer()
        guard query.payload.first == SerfMessageKind.keyRequest.rawValue, let request = try? KeyRequest(body: query.payload[1...]) else {
            state.log(.error, "Failed to decode key request")
            return send(answer, to: query)
        }
        if memberlist.keyring.isEmpty {
            answer.message = "No keyring to modify (encryption not enabled)"
            state.log(.error, answer.message)
            return send(answer, to: query)
        }
        do throws(GossipKeyring.Failure) {
            switch query.name {
            case "_serf_install-key": try memberlist.keyring.add(request.key)
            case "_serf_use-key": try memberlist.keyring.use(request.key)
            default: try memberlist.keyring.remove(request.key)
            }
        } catch {
            answer.message = error.text
            state.log(.error, "Failed to change the keyring: \(error.text)")
            return send(answer, to: query)
        }
        answer.result = true
        guard let file = config.keyringFile else { return send(answer, to: query) }
        let token = newToken()
        keyAnswers[token] = (query, answer)
        let operations = DiskOperation.replace(file, aside: file + ".new", with: Keyring.encode(memberlist.keyring.keys))
        state.output.append(.disk(DiskBatch(of: config.memberlist.pool == .lan ? .lan : .wan, token: token, operations: operations)))
    }

    func finishKeyChange(_ query: ReceivedQuery, _ answer: KeyAnswer, _ result: Result<[[UInt8]], DiskError>) {
        var answer = answer
        if case .failure(let error) = result {
            answer.result = false
            answer.message = "Failed to write keyring file: \(error)"
            state.log(.error, answer.message)
        }
        send(answer, to: query)
    }

    /// As many keys as an answer holds.
    private func listKeys(_ query: ReceivedQuery) {
        var answer = KeyAnswer()
        guard let primary = memberlist.keyring.primary else {
            answer.message = "Keyring is empty (encryption not enabled)"
            state.log(.error, answer.message)
            return send(answer, to: query)
        }
        let keys = memberlist.keyring.keys.map { Base64.encode($0) }
        answer.result = true
        answer.primaryKey = Base64.encode(primary)
        answer.keys = keys
        var shown = keys.count
        while shown > 0, state.response(to: query, payload: answer.message()).count > config.queryResponseSizeLimit {
            shown -= 1
            answer.keys = Array(keys.prefix(shown))
            answer.message = "truncated key list response, showing first \(shown) of \(keys.count) keys"
        }
        send(answer, to: query)
    }

    private func send(_ answer: KeyAnswer, to query: ReceivedQuery) {
        do throws(TextError) {
            try state.respond(to: query, payload: answer.message(), at: now)
        } catch {
            state.log(.error, "Failed to respond to key query: \(error.text)")
        }
    }
}

extension KeyOperation {
    /// Throws the decoder's text.
    fileprivate func rawKey() throws(TextError) -> [UInt8] {
        switch self {
        case .list: return []
        case .install(let text), .use(let text), .remove(let text):
            do throws(Base64Error) {
                return try Base64.decode(text)
            } catch {
                throw TextError(error.text)
            }
        }
    }
}
