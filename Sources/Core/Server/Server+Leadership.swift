// The leader's duties (behaviour §4): what it begins with, timers of sessions, tombstones.

extension Server {
    /// A new leader is established once it has applied an entry of its own term: then it has applied all that was ever
    /// acknowledged (Raft §8).
    func establishIfReady(_ entry: LogEntry, at now: Instant) {
        guard case .establishing(let term) = leadership, entry.term == term, raft.isLeader else { return }
        leadership = .established(term: term)
        publishes = true
        armTimers(at: now)
        startAutopilot(at: now)
        reconcileAll(reaps: false, at: now)
        retryHeld(at: now)
    }

    func loseLeadership(at now: Instant) {
        log(.info, "cluster leadership lost")
        leadership = .following
        sessionTimers.removeAll()
        tombstones.removeAll()
        coordinateUpdates.removeAll()
        reconciliation.removeAll()
        autopilot.stop()
        reconcileAt = nil
        publishes = true
    }

    /// Every session gets a fresh timer, and what is in the graveyard its whole time again (behaviour §4.2).
    func armTimers(at now: Instant) {
        sessionTimers.removeAll()
        tombstones.removeAll()
        for session in store.sessionsWithTTL { sessionTimers.arm(session: session.id, ttl: session.ttl, at: now) }
        if store.hasTombstones { tombstones.hint(appliedIndex, at: now) }
    }

    var dutyDeadline: Instant? {
        guard isEstablished else { return nil }
        var earliest = reconcileAt
        for other in [sessionTimers.deadline, tombstones.deadline, coordinateUpdates.deadline, autopilot.nextDeadline] {
            if let other { earliest = min(earliest ?? other, other) }
        }
        return earliest
    }

    func performDueDuties(at now: Instant) {
        guard isEstablished else { return }
        while let id = sessionTimers.popExpired(at: now) {
            log(.debug, "Session TTL expired: session=\(id)")
            var request = SessionRequest()
            request.datacenter = config.datacenter
            request.op = "destroy"
            request.session.id = id
            perform(.expireSession(id), .session(request), at: now)
        }
        while let index = tombstones.popExpired(at: now) {
            var request = TombstoneRequest()
            request.datacenter = config.datacenter
            request.op = "reap"
            request.reapIndex = index
            perform(.reapTombstones(index), .tombstone(request), at: now)
        }
        writeCoordinates(at: now)
        if let due = reconcileAt, due <= now { reconcileAll(reaps: true, at: now) }
        runAutopilot(at: now)
    }

    func perform(_ duty: Duty, _ request: WriteRequest, at now: Instant) {
        let id = nextID
        nextID += 1
        duties[id] = duty
        propose(request, for: .duty(id), at: now)
    }

    func dutyDone(_ id: UInt64, _ result: Result<ApplyResult, ServerError>, at now: Instant) {
        guard let duty = duties.removeValue(forKey: id) else { return }
        let problem: String? =
            switch result {
            case .success(.error(let text)): text
            case .failure(let error): error.text
            case .success: nil
            }
        if case .reconcile(let name) = duty { return reconciled(name, problem, at: now) }
        if let problem { dutyFailed(duty, problem, at: now) }
    }

    private func dutyFailed(_ duty: Duty, _ problem: String, at now: Instant) {
        switch duty {
        case .expireSession(let session):
            log(.error, "Invalidation failed: error=\(LogText.value(problem))")
            if isEstablished { sessionTimers.retry(session: session, at: now) }
        case .reapTombstones(let index):
            log(.error, "failed to reap tombstones up to index: index=\(index) error=\(LogText.value(problem))")
            if isEstablished { tombstones.hint(index, at: now) }
        case .updateCoordinates: log(.error, "coordinate update: batch update failed: error=\(LogText.value(problem))")
        case .configureAutopilot: log(.error, "failed to initialize autopilot config: error=\(LogText.value(problem))")
        case .reconcile: break
        }
    }
}

extension Store {
    /// In the order of their ids.
    var sessionsWithTTL: [Session] { sessions.map(\.value.value).filter { !$0.ttl.isEmpty } }
    var hasTombstones: Bool { !tombstones.isEmpty }
}
