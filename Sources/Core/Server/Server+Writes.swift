// Writes on the leader: checked, normalised, proposed; answered when they are applied.

extension Server {
    /// The most writes that may be under way; beyond it writes are refused.
    static let pendingWritesMax = 65_536

    func propose(_ request: WriteRequest, _ context: RequestContext, for requester: Requester, at now: Instant) {
        var request = request
        if case .kv(let kv) = request {
            if kv.op == "lock", lockDelays.isDelayed(kv.dirEnt.key, at: now) {
                log(.warn, "Rejecting lock of key due to lock-delay: key=\(LogText.value(kv.dirEnt.key.string))")
                return finish(requester, .success(.bool(false)), at: now)
            }
        }
        if let problem = WriteValidation.validate(&request, sessionTTLMin: config.sessionTTLMin) {
            return finish(requester, .failure(ServerError(problem)), at: now)
        }
        do throws(Denied) {
            try request.authorize(context.authorizer, in: store)
        } catch {
            return finish(requester, .failure(ServerError(error.text)), at: now)
        }
        if case .txn(var txn) = request {
            let errors = WriteValidation.precheck(&txn, context.authorizer) { lockDelays.isDelayed($0, at: now) }
            if !errors.isEmpty { return finish(requester, .success(.txn(TxnResponse(errors: errors))), at: now) }
            request = .txn(txn)
        }
        if case .session(var session) = request, session.op == "create" {
            repeat { session.session.id = random.uuid() } while (try? store.session(session.session.id)) != nil
            request = .session(session)
        }
        guard pendingWrites.count < Self.pendingWritesMax else {
            return finish(requester, .failure(ServerError("timed out enqueuing operation")), at: now)
        }
        append(request, requester, at: now)
    }

    private func append(_ request: WriteRequest, _ requester: Requester, at now: Instant) {
        let command = request.logCommand
        let token = takeToken()
        // What the leader writes of its own accord is no call.
        let measured: MeasuredWrite? = if case .duty = requester { nil } else { request.measured }
        pendingWrites[token] = PendingWrite(requester: requester, measured: measured, since: now)
        if case .kv = request, command.count > ChunkInfo.chunkSize {
            consensus.propose(ChunkInfo.proposals(token: token, command: command, operation: random.next()))
        } else {
            consensus.propose(Proposal(token: token, data: command))
        }
    }

    /// A proposal came to nothing.
    func rejected(_ token: UInt64, _ reason: String, at now: Instant) {
        guard let requester = endWrite(token, at: now) else { return }
        finish(requester, .failure(ServerError(reason)), at: now)
    }

    /// The write of that token is applied, or has come to nothing. Returns who waits for it.
    func endWrite(_ token: UInt64, at now: Instant) -> Requester? {
        guard let write = pendingWrites.removeValue(forKey: token) else { return nil }
        if let measured = write.measured { measures.add(.write(measured, now - write.since)) }
        return write.requester
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
