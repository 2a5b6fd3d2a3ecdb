// What happens when entries commit: the store changes, writers are answered, watchers wake.

extension Server {
    /// Applies committed entries, in order, and answers those who proposed them.
    func apply(_ entries: [LogEntry], at now: Instant) {
        var changes = ChangeSet()
        var outcomes: [(Requester, ApplyResult)] = []
        for entry in entries {
            precondition(entry.index == appliedIndex + 1, "entries are applied in the order of their indexes")
            appliedIndex = entry.index
            appliedTerm = entry.term
            var result = ApplyResult.none
            if entry.kind == .command || entry.kind == .barrier { lastCommand = (entry.index, entry.term) }
            if entry.kind == .command {
                if entry.extensions.isEmpty {
                    result = store.apply(entry.data, index: entry.index, changes: &changes)
                } else {
                    let whole = store.applyChunk(entry.extensions, entry.data, term: entry.term, index: entry.index, changes: &changes)
                    result = whole ?? .error("please resubmit call for rechunking")
                }
            }
            if entry.token != 0, let write = pendingWrites.removeValue(forKey: entry.token) { outcomes.append((write, result)) }
            establishIfReady(entry, at: now)
        }
        publishes = true
        follow(changes, at: now)
        publish(at: now)
        for (requester, result) in outcomes { finish(requester, .success(result), at: now) }
        wake(changes, at: now)
    }

    /// What must be done beside the tables: timers of the leader, delays of locks.
    private func follow(_ changes: ChangeSet, at now: Instant) {
        for delay in changes.lockDelays { lockDelays.start(delay.key, for: delay.delay, at: now) }
        guard isEstablished else { return }
        for change in changes.sessions {
            switch change {
            case .created(let session): sessionTimers.arm(session: session.value.id, ttl: session.value.ttl, at: now)
            case .ended(let session): sessionTimers.disarm(session: session.value.id)
            }
        }
        if changes.tombstoneIndex > 0 { tombstones.hint(changes.tombstoneIndex, at: now) }
    }

    /// A write is over, whichever way.
    func finish(_ requester: Requester, _ result: Result<ApplyResult, ServerError>, at now: Instant) {
        switch requester {
        case .client, .local, .question, .coordinate: answers.append(.write(requester, result))
        case .peer(let id): replyToWrite(id, result)
        case .duty(let id): dutyDone(id, result, at: now)
        }
    }
}
