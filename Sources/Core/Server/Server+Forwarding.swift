// Calls between servers: to the leader, and from others (rpc-raft-wire §2.5, §3).

extension Server {
    /// Lets the leader carry out `work`.
    func forward(
        _ work: ServerWork, _ context: RequestContext, for requester: Requester, to leader: Address, giveUpAt: Instant?, at now: Instant
    ) {
        let call = ServerCaller.Call(requester: requester, work: work, context: context, target: .leader, giveUpAt: giveUpAt)
        guard let outgoing = calls.caller.attempt(call, at: leader) else { return fail(work, requester, .noLeader, at: now) }
        effects.append(ServerEffect(outgoing))
    }

    /// What came of a call to another server.
    func callEnded(_ outcome: ServerCaller.Outcome, at now: Instant) {
        switch outcome {
        case .answered(let call, .read(let result, let meta, let size)):
            let answer = ReadAnswer(result: result, meta: meta, evaluation: reads.nextEvaluation(), size: size)
            finishRead(call.requester, .success(answer))
        case .answered(let call, .write(let result)): finish(call.requester, .success(result), at: now)
        case .answered(let call, .operation(let result)): finishOperation(call.requester, .success(result), at: now)
        case .failed(_, _, .waits): break
        case .failed(let call, let error, .over), .failed(let call, let error, .elsewhere): fail(call.work, call.requester, error, at: now)
        }
    }

    func performRetries(at now: Instant) {
        while let call = calls.caller.popDue(at: now) {
            route(call.work, call.context, for: call.requester, giveUpAt: call.giveUpAt, at: now)
        }
    }

    /// There is a leader: what failed for want of one is tried again at once, in the order in which it came.
    func hastenRetries(at now: Instant) {
        for call in calls.caller.takeWaiting() { route(call.work, call.context, for: call.requester, giveUpAt: call.giveUpAt, at: now) }
    }

    // MARK: From others

    /// Carries out what another server asks for; the answer goes back under the same id.
    func callArrived(_ id: CallID, from address: Address, _ bytes: [UInt8], at now: Instant) {
        let request: RPCRequest
        do {
            request = try RPCRequest(decoding: bytes)
        } catch {
            measures.add(.misunderstoodCall)
            return effects.append(.refuse(id))
        }
        do throws(MessagePackError) {
            guard let work = try ServerWork(method: request.method, body: request.body) else {
                return reply(id, request, error: AbsentMethods.refusal(of: request.method) ?? unknownMethod(request.method))
            }
            if let problem = problem(with: work) { return reply(id, request, error: problem) }
            take(work, request, id, from: address, at: now)
        } catch {
            reply(id, request, error: error.text)
        }
    }

    /// Why a call is refused whatever the state is. No other datacenter can be reached, and a call that names none is for another one.
    private func problem(with work: ServerWork) -> String? {
        if work.datacenter != settings.identity.datacenter, !(work.datacenter.isEmpty && work.needsNoDatacenter) {
            return ServerError.noPath.text
        }
        if case .read(let query, _) = work { return query.problem }
        return nil
    }

    private func take(_ work: ServerWork, _ request: RPCRequest, _ id: CallID, from address: Address, at now: Instant) {
        var work = work
        var call = CallRouter.Incoming(
            sequence: request.sequence, method: request.method, work: work, source: CallRouter.source(of: address))
        do throws(FilterError) {
            call.filter = try work.makeFilter()
        } catch {
            // Said once it is clear that no other server is to carry it out; that one would say so itself.
            call.filterError = error
            work = work.withoutWaiting
        }
        guard calls.arrived(id, call) else { return reply(id, request, error: ServerError.rateLimited.text) }
        route(work, settings.access.context(token: work.token, source: address), for: .peer(id), giveUpAt: nil, at: now)
    }

    /// Nobody waits for the answers to these calls any more: what waits for a change, for a leader or for another server is dropped. What is
    /// being written, or is about to be answered, takes its course.
    public func callersGone(_ ids: [CallID]) {
        for id in ids {
            guard cancel(.peer(id)) else { continue }
            _ = calls.takeIncoming(id)
            effects.append(.refuse(id))
        }
    }

    private func unknownMethod(_ method: String) -> String {
        guard let dot = method.utf8.lastIndex(of: UInt8(ascii: ".")) else { return "rpc: service/method request ill-formed: \(method)" }
        let service = String(method.utf8[..<dot]) ?? ""
        return ServerWork.services.contains(service) ? "rpc: can't find method \(method)" : "rpc: can't find service \(method)"
    }

    private func reply(_ id: CallID, _ request: RPCRequest, error: String) {
        effects.append(.reply(id, RPCReply.encode(sequence: request.sequence, method: request.method, error: error)))
    }

    private func reply(_ id: CallID, _ call: CallRouter.Incoming, _ result: Result<[UInt8], ServerError>) {
        let bytes =
            switch result {
            case .success(let body): RPCReply.encode(sequence: call.sequence, method: call.method, body: body)
            case .failure(let error): RPCReply.encode(sequence: call.sequence, method: call.method, error: error.text)
            }
        effects.append(.reply(id, bytes))
    }

    func replyToRead(_ id: CallID, _ result: Result<ReadAnswer, ServerError>) {
        guard let call = calls.takeIncoming(id) else { return }
        if let error = call.filterError, case .success = result { return reply(id, call, .failure(ServerError(error.text))) }
        reply(
            id, call,
            result.map { answer in
                if case .read(let query, _) = call.work {
                    return query.encodeReply(call.filter.map { answer.result.filtered(by: $0) } ?? answer.result, answer.meta)
                }
                guard case .sessions(let found) = answer.result else { preconditionFailure("a renewal is answered with a session") }
                return SessionRenewal.encodeReply(found.first, answer.meta)
            })
    }

    func replyToWrite(_ id: CallID, _ result: Result<ApplyResult, ServerError>) {
        guard let call = calls.takeIncoming(id) else { return }
        guard case .write(let request) = call.work else { preconditionFailure("a write is answered as one") }
        switch result {
        case .failure(let error): reply(id, call, .failure(error))
        case .success(.error(let text)): reply(id, call, .failure(ServerError(text)))
        case .success(let outcome): reply(id, call, .success(request.encodeReply(outcome) ?? []))
        }
    }

    func replyToOperation(_ id: CallID, _ result: Result<ServerOperationResult, ServerError>, at now: Instant) {
        guard let call = calls.takeIncoming(id) else { return }
        guard case .operation(let operation, _) = call.work else { preconditionFailure("an operation is answered as one") }
        if operation.isSnapshot { return replyToSnapshot(id, result) }
        reply(id, call, result.map { operation.encodeReply($0, meta(index: 0, at: now)) })
    }
}
