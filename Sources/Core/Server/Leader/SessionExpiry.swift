/// Destroys sessions whose TTL is over (behaviour §5, http-2 §4.5). Owns their timers.
final class SessionExpiry: LeaderDuty {
    private var timers = SessionTimers()
    private var isActive = false

    /// Sessions that have a timer.
    var count: Int { timers.count }
    var deadline: Instant? { timers.deadline }

    /// Every session gets a fresh timer (behaviour §4.2).
    func began(_ leader: any LeadingServer, at now: Instant) {
        isActive = true
        for session in leader.store.sessionsWithTTL where !planted(.newLeaderForgetsTTL) {
            timers.arm(session: session.id, ttl: session.ttl, at: now)
        }
    }

    func ended() {
        isActive = false
        timers.removeAll()
    }

    func applied(_ changes: ChangeSet, _ leader: any LeadingServer, at now: Instant) {
        for change in changes.sessions {
            switch change {
            case .created(let session): timers.arm(session: session.value.id, ttl: session.value.ttl, at: now)
            case .ended(let session): if !planted(.destroyedTimerStays) { timers.disarm(session: session.value.id) }
            }
        }
    }

    func wake(_ leader: any LeadingServer, at now: Instant) {
        while let id = timers.popExpired(at: now) {
            leader.log(.debug, "Session TTL expired: session=\(id)")
            var request = SessionRequest()
            request.datacenter = leader.settings.identity.datacenter
            request.op = .destroy
            request.session.id = id
            leader.write(.session(request), for: self, at: now)
        }
    }

    func written(_ request: WriteRequest, since: Instant, problem: String?, _ leader: any LeadingServer, at now: Instant) {
        leader.measure(.sessionInvalidated(now - since))
        guard let problem, case .session(let request) = request else { return }
        leader.log(.error, "Invalidation failed: error=\(LogText.value(problem))")
        if isActive, !planted(.failedExpiryForgotten) { timers.retry(session: request.session.id, at: now) }
    }

    /// Restarts the timer of a session. Returns whether it could: a session whose time was over goes away as soon as the log has taken
    /// its destruction, and its owner would believe that it has it for another TTL.
    func renew(_ session: Session, at now: Instant) -> Bool {
        if timers.isEnding(session: session.id), !planted(.renewedWhileEnding) { return false }
        if planted(.renewalIgnored) { return true }
        if planted(.sessionNeverExpires) {
            timers.disarm(session: session.id)
        } else {
            timers.arm(session: session.id, ttl: session.ttl, at: now)
        }
        return true
    }
}

extension Store {
    /// In the order of their ids.
    fileprivate var sessionsWithTTL: [Session] { sessions.map(\.value.value).filter { !$0.ttl.isEmpty } }
}
