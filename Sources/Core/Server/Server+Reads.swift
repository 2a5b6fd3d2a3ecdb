// Reads: where they are carried out (behaviour §3.1), and how they wait (§2.1).

extension Server {
    /// Carries out what this agent wants, here, at the leader, or once there is one. Ends in exactly one answer for `requester`.
    public func execute(_ work: ServerWork, _ context: RequestContext, for requester: Requester, at now: Instant) {
        guard calls.allows(at: now) else { return fail(work, requester, .rateLimited, at: now) }
        route(work.addressed(to: settings.identity.datacenter), context, for: requester, giveUpAt: nil, at: now)
    }

    /// `giveUpAt` is set once a first attempt has failed for want of a leader.
    func route(_ work: ServerWork, _ context: RequestContext, for requester: Requester, giveUpAt: Instant?, at now: Instant) {
        let datacenter = work.datacenter
        if !datacenter.isEmpty && datacenter != settings.identity.datacenter { return fail(work, requester, .noPath, at: now) }
        let work = work.localized(settings.identity.datacenter)
        if case .read(let query, let options) = work, options.allowStale, state.isReadable, raft.isLeader || raft.lastContact != nil {
            evaluate(query, options, context, for: requester, deadline: nil, at: now)
            return
        }
        if case .operation(let operation, let options) = work, operation.isAnswered(by: self, options) {
            guard context.authorizer.allows(operation.permission) else {
                return fail(work, requester, ServerError(operation.denial), at: now)
            }
            return perform(operation, options, for: requester, at: now)
        }
        if calls.isClosed { return fail(work, requester, .noLeader, at: now) }
        if raft.isLeader {
            if isEstablished && (raft.isSoleVoter || now < raft.leaseExpiry ?? .zero || planted(.leaseIgnoredInCore)) {
                return lead(work, context, for: requester, at: now)
            }
        } else if let leader = raft.leaderAddress, leader != raft.identity.address {
            return forward(work, context, for: requester, to: leader, giveUpAt: giveUpAt, at: now)
        } else if work.isSnapshot {
            return fail(work, requester, .noLeader, at: now)
        }
        hold(
            work, context, for: requester, error: raft.isLeader && work.requiresConsistency ? .notReady : .noLeader,
            until: giveUpAt ?? now + settings.servers.rpcHoldTimeout, at: now)
    }

    /// This server leads and may answer.
    private func lead(_ work: ServerWork, _ context: RequestContext, for requester: Requester, at now: Instant) {
        switch work {
        case .read(let query, let options):
            if options.requireConsistent, !planted(.consistentAsDefaultInCore) {
                let read = VerifiedRead(requester: requester, since: now, query: query, options: options, context: context, deadline: nil)
                verify(read, at: now)
            } else {
                evaluate(query, options, context, for: requester, deadline: nil, at: now)
            }
        case .write(let request): propose(request, context, for: requester, at: now)
        case .renew(let session, let options): renew(session, options, context, for: requester, at: now)
        case .operation(let operation, let options):
            guard context.authorizer.allows(operation.permission) else {
                return fail(work, requester, ServerError(operation.denial), at: now)
            }
            lead(operation, options, for: requester, at: now)
        }
    }

    // MARK: Without a leader

    /// Waits for a leader, until the hold time is over.
    func hold(
        _ work: ServerWork, _ context: RequestContext, for requester: Requester, error: ServerError, until giveUpAt: Instant,
        at now: Instant
    ) {
        let waiting = WaitingWork(requester: requester, work: work, context: context, giveUpAt: giveUpAt, error: error)
        guard now < giveUpAt, calls.held.add(waiting, until: giveUpAt) else { return fail(work, requester, error, at: now) }
    }

    /// Somebody may lead now: what waited for that is tried again, in the order in which it came.
    func retryHeld(at now: Instant) {
        for held in planted(.heldNotRetried) ? [] : calls.held.takeAll() {
            route(held.work, held.context, for: held.requester, giveUpAt: held.giveUpAt, at: now)
        }
    }

    func expireHeld(at now: Instant) {
        while let held = calls.held.popDue(at: now) { fail(held.work, held.requester, held.error, at: now) }
    }

    func fail(_ work: ServerWork, _ requester: Requester, _ error: ServerError, at now: Instant) {
        switch work {
        case .read, .renew: finishRead(requester, .failure(error))
        case .write: finish(requester, .failure(error), at: now)
        case .operation: finishOperation(requester, .failure(error), at: now)
        }
    }

    // MARK: Evaluation

    /// Asks a quorum whether this server still leads, then evaluates.
    func verify(_ read: VerifiedRead, at now: Instant) {
        if raft.isSoleVoter || planted(.soleVoterAssumed) {
            measures.add(.verification)
            measures.add(.consistentRead(now - read.since))
            evaluate(read.query, read.options, read.context, for: read.requester, deadline: read.deadline, at: now)
        } else {
            reads.collect(read)
        }
    }

    /// One round of questions to the followers serves all reads that came in one batch of events.
    func verifyCollected(at now: Instant) {
        guard reads.isCollecting else { return }
        measures.add(.verification)
        let token = takeToken()
        reads.beginVerification(token)
        drive(.verifyLeader(token: token), at: now)
    }

    func verified(_ token: UInt64, _ error: String?, at now: Instant) {
        // The same question in a row is answered with one evaluation, which is also rendered once.
        var last: (read: VerifiedRead, answer: ReadAnswer)?
        for read in reads.endVerification(token) {
            measures.add(.consistentRead(now - read.since))
            if let error {
                finishRead(read.requester, .failure(ServerError(error)))
            } else if let last, read.isAnswered(like: last.read) {
                finishRead(read.requester, .success(last.answer))
            } else {
                let answer = evaluate(read.query, read.options, read.context, for: read.requester, deadline: read.deadline, at: now)
                last = answer.map { (read, $0) }
            }
        }
    }

    /// Evaluates against the present state and answers, or waits for a change. `deadline` is set once the wait has begun.
    ///
    /// Returns what it has answered, if that is more than an error.
    @discardableResult
    func evaluate(
        _ query: ReadQuery, _ options: QueryOptions, _ context: RequestContext, for requester: Requester, deadline: Instant?,
        at now: Instant
    ) -> ReadAnswer? {
        if case .txn(let txn) = query, let refused = refusal(of: txn.ops, context.authorizer) {
            return answer(requester, .txn(refused), 0, at: now)
        }
        measures.add(.reads(1))
        switch reads.outcome(of: query, options, context, in: store, deadline: deadline, at: now) {
        case .failed(let error): finishRead(requester, .failure(error))
        case .waits:
            let until = deadline ?? now + ReadService.waitTime(options, settings, random: &random)
            reads.block(requester, query, options, context, topics: store.topics(of: query, options: options), until: until)
        case .answer(let result, let index):
            if let lookup = query.measuredLookup(result) { measures.count(lookup) }
            if case .txn = query { measures.add(.transactionRead(.zero)) }
            return answer(requester, result, index, at: now)
        }
        return nil
    }

    private func answer(_ requester: Requester, _ result: QueryResult, _ index: UInt64, at now: Instant) -> ReadAnswer {
        _ = reads.nextEvaluation()
        let answer = answer(result, index, at: now)
        finishRead(requester, .success(answer))
        return answer
    }

    private func refusal(of operations: [TxnOp], _ authorizer: Authorizer) -> TxnResponse? {
        var request = TxnRequest()
        request.ops = operations
        let errors = WriteValidation.precheck(&request, authorizer)
        return errors.isEmpty ? nil : TxnResponse(errors: errors)
    }

    func answer(_ result: QueryResult, _ index: UInt64, at now: Instant) -> ReadAnswer {
        // A transaction reads many tables: it has no index.
        let least: UInt64 = if case .txn = result { 0 } else { 1 }
        return ReadAnswer(
            result: result, meta: meta(index: planted(.indexZero) ? index : max(least, index), at: now), evaluation: reads.lastEvaluation)
    }

    func meta(index: UInt64, at now: Instant) -> QueryMeta {
        var meta = QueryMeta()
        meta.index = index
        meta.knownLeader = raft.isLeader || raft.leaderAddress != nil
        if !raft.isLeader, let contact = raft.lastContact { meta.lastContact = max(.zero, now - contact) }
        return meta
    }

    func finishRead(_ requester: Requester, _ result: Result<ReadAnswer, ServerError>) {
        switch requester {
        case .client, .local, .question, .coordinate: answers.append(.read(requester, result))
        case .peer(let id): replyToRead(id, result)
        case .duty, .own: break
        }
    }

    // MARK: Waiting

    /// Something changed: evaluates every question that it concerns once, and answers those whose index it passed.
    func wake(_ changes: ChangeSet, at now: Instant) {
        guard reads.blocked.count > 0 else { return }
        for id in reads.blocked.woken(by: changes) { wakeGroup(id, at: now) }
    }

    /// The whole state was replaced: everybody is answered with what there is (behaviour §1.14).
    func wakeAll(at now: Instant) {
        for id in reads.blocked.allGroups() where !planted(.wokenBeforePublished) {
            guard let group = reads.blocked.group(id) else { continue }
            for (_, waiter) in group.waiters {
                reads.blocked.remove(waiter.requester)
                var options = waiter.options
                options.minQueryIndex = 0
                evaluate(group.question.query, options, waiter.context, for: waiter.requester, deadline: nil, at: now)
            }
        }
    }

    private func wakeGroup(_ id: UInt64, at now: Instant) {
        guard let group = reads.blocked.group(id) else { return }
        if group.question.consistent && !raft.isSoleVoter && !planted(.blockedConsistentUnverified) { return verifyGroup(group, at: now) }
        guard let first = group.waiters.first?.value else { return }
        measures.add(.reads(group.waiters.count))
        switch store.evaluate(group.question.query, options: first.options, authorizer: first.context.authorizer) {
        case .failure(let error):
            for (_, waiter) in group.waiters {
                reads.blocked.remove(waiter.requester)
                finishRead(waiter.requester, .failure(ServerError(error.text)))
            }
        case .success((let result, let index)):
            _ = reads.nextEvaluation()
            let answer = answer(result, index, at: now)
            let lookup = group.question.query.measuredLookup(result)
            for (_, waiter) in group.waiters {
                if answer.meta.index > waiter.options.minQueryIndex || planted(.answeredAtSameIndex) {
                    if let lookup { measures.count(lookup) }
                    reads.blocked.remove(waiter.requester)
                    finishRead(waiter.requester, .success(answer))
                }
            }
            // Waking ended the group's registration; whoever still waits watches what the answer depends on now.
            if reads.blocked.group(id) != nil, !planted(.topicsOfFirstEvaluation) {
                reads.blocked.watch(id, store.topics(of: group.question.query, options: first.options))
            }
        }
    }

    private func verifyGroup(_ group: BlockedQueries.Group, at now: Instant) {
        for (_, waiter) in group.waiters {
            let deadline = reads.blocked.deadline(of: waiter.requester)
            reads.blocked.remove(waiter.requester)
            let read = VerifiedRead(
                requester: waiter.requester, since: now, query: group.question.query, options: waiter.options, context: waiter.context,
                deadline: deadline)
            if raft.isLeader {
                verify(read, at: now)
            } else {
                finishRead(waiter.requester, .failure(ServerError("node is not the leader")))
            }
        }
    }

    /// The time of some waiters is over: they get the present result.
    func expireBlocked(at now: Instant) {
        while let requester = reads.blocked.expired(at: now), !planted(.blockedForEver) {
            guard let (question, waiter) = reads.blocked.remove(requester) else { break }
            var options = waiter.options
            options.minQueryIndex = 0
            evaluate(question.query, options, waiter.context, for: requester, deadline: nil, at: now)
        }
    }

    /// The requester went away: nothing it waited for is kept. False if it gets an answer all the same, which is on its way.
    @discardableResult
    public func cancel(_ requester: Requester) -> Bool {
        if reads.blocked.remove(requester) != nil || snapshots.cancel(requester) { return true }
        switch calls.cancel(requester) {
        case .unknown: return false
        case .kept: return true
        case .underWay(let call):
            effects.append(.giveUp(call))
            return true
        }
    }

    func takeToken() -> UInt64 { consensus.makeToken() }
}
