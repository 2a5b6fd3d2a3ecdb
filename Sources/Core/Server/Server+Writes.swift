// Writes on the leader: checked, normalised, proposed; answered when they are applied.

extension Server {
    func propose(_ request: WriteRequest, _ context: RequestContext, for requester: Requester, at now: Instant) {
        var request = request
        let refusal = writes.prepare(
            &request, context, in: store, sessionTTLMin: settings.servers.sessionTTLMin, random: &random, at: now)
        if let refusal {
            if let warning = refusal.warning { log(.warn, warning) }
            return finish(requester, refusal.result, at: now)
        }
        let command = request.logCommand
        let token = takeToken()
        writes.began(token, request, for: requester, at: now)
        if case .kv = request, command.count > ChunkInfo.chunkSize {
            consensus.propose(ChunkInfo.proposals(token: token, command: command, operation: random.next()))
        } else {
            consensus.propose(Proposal(token: token, data: command))
        }
    }

    /// A proposal came to nothing.
    func rejected(_ token: UInt64, _ reason: String, at now: Instant) {
        guard let requester = endWrite(token, at: now), !planted(.lostWriteAnswered) else { return }
        finish(requester, .failure(ServerError(reason)), at: now)
    }

    /// The write of that token is applied, or has come to nothing. Returns who waits for it.
    func endWrite(_ token: UInt64, at now: Instant) -> Requester? {
        guard let (requester, measure) = writes.ended(token, at: now) else { return nil }
        if let measure { measures.add(measure) }
        return requester
    }

    /// Restarts the timer of a session and answers with it; writes nothing. A session that is about to go because its time was over is
    /// not found any more.
    func renew(_ id: String, _ options: QueryOptions, _ context: RequestContext, for requester: Requester, at now: Instant) {
        var options = options
        options.minQueryIndex = 0
        measures.add(.renewal(.zero))
        if let session = (try? store.session(id))?.value {
            guard context.authorizer.allows(SessionRenewal.permission(session)) else {
                return finishRead(requester, .failure(ServerError(Denied().text)))
            }
            guard duties.sessions.renew(session, at: now) else {
                return finishRead(requester, .success(answer(.sessions([]), 0, at: now)))
            }
        }
        evaluate(.session(.get(id: id)), options, context, for: requester, deadline: nil, at: now)
    }
}
