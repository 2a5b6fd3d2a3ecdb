// What happens when entries commit: the store changes, writers are answered, watchers wake.

extension Server {
    /// Applies committed entries, in order, and answers those who proposed them.
    func apply(_ entries: [LogEntry], at now: Instant) {
        var changes = ChangeSet()
        var outcomes: [(Requester, ApplyResult)] = []
        for entry in entries {
            let result = state.apply(entry, changes: &changes)
            if entry.token != 0, let write = endWrite(entry.token, at: now) { outcomes.append((write, result)) }
            establishIfReady(entry, at: now)
        }
        publishes = true
        follow(changes, at: now)
        if !planted(.publishedBeforeApplied) || changes.isEmpty { publish(at: now) }
        for (requester, result) in outcomes { finish(requester, .success(result), at: now) }
        wake(changes, at: now)
    }

    /// What must be done beside the tables: delays of locks, the leader's duties.
    private func follow(_ changes: ChangeSet, at now: Instant) {
        for delay in changes.lockDelays where raft.isLeader || !planted(.lockDelayOnlyOnLeader) {
            writes.lockDelays.start(delay.key, for: delay.delay, at: now)
        }
        duties.applied(changes, self, at: now)
    }

    /// A write is over, whichever way.
    func finish(_ requester: Requester, _ result: Result<ApplyResult, ServerError>, at now: Instant) {
        switch requester {
        case .client, .local, .question, .coordinate: answers.append(.write(requester, result))
        case .peer(let id): replyToWrite(id, result)
        case .duty(let id): duties.written(id, result, self, at: now)
        case .own: break
        }
    }
}
