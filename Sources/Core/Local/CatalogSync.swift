/// Makes the catalog agree with what is registered. Spec: behaviour §6.2-6.5.
///
/// The agent is authoritative for its node: whatever differs in the catalog is corrected, at once when something changes here and about
/// once a minute otherwise. Departure from the reference: writes to the catalog are not made under a lock, several of them are under way
/// at a time, and every entry has a version that tells whether an answer still concerns it.
final class CatalogSync {
    /// What is being done about the catalog; one thing at a time.
    enum Activity {
        case none
        /// A full sync has asked what the catalog holds under this node's name.
        case comparing(Comparison)
        case sending(SyncPass)
    }

    let context: LocalContext
    let registry: Registry
    let watches: ServiceWatches
    var schedule: AntiEntropySchedule
    var activity = Activity.none
    /// Requests that are answered when their changes have been sent.
    private var waiters: [RequestID] = []
    /// Nested holders of sync.
    private var pauses = 0
    /// Checks with a changed output that is not worth a write of its own yet (behaviour §6.5).
    private(set) var deferrals = DeadlineQueue<ByteString>()
    /// Where the last pass failed: the next one begins behind it, so that one entry that cannot be sent does not hold up the others.
    var resumeAfter: ByteString?

    init(_ context: LocalContext, _ registry: Registry, _ watches: ServiceWatches) {
        (self.context, self.registry, self.watches) = (context, registry, watches)
        schedule = AntiEntropySchedule(interval: context.settings.checks.antiEntropyInterval)
    }

    var deadline: Instant? {
        guard case .none = activity, let scheduled = schedule.deadline else { return deferrals.first }
        guard let first = deferrals.first else { return scheduled }
        return min(first, scheduled)
    }

    var isPaused: Bool { pauses > 0 }

    /// What is registered has changed.
    func trigger() { schedule.trigger(.changes) }

    func startSyncing(_ now: Instant) { schedule.start(at: now, &context.random) }

    func pause() { pauses += 1 }

    /// True if nobody else holds it.
    func resume() -> Bool {
        precondition(pauses > 0, "every resume has its pause")
        pauses -= 1
        if pauses == 0 { trigger() }
        return pauses == 0
    }

    // MARK: Waiting

    func answerWhenSent(_ requester: RequestID) { waiters.append(requester) }

    func cancel(_ requester: RequestID) {
        waiters.removeAll { $0 == requester }
        if case .sending(var pass) = activity {
            activity = .none
            pass.waiters.removeAll { $0 == requester }
            activity = .sending(pass)
        }
    }

    // MARK: Deferred outputs

    func deferOutput(of id: ByteString, _ now: Instant) {
        guard deferrals[id] == nil else { return }
        let interval = context.settings.checks.updateInterval
        deferrals[id] = now + interval / 2 + context.random.duration(below: interval)
    }

    func cancelDeferral(of id: ByteString) { deferrals[id] = nil }

    // MARK: Running

    /// Runs what has become due and starts what can be started.
    func settle(_ now: Instant, _ effects: inout [LocalEffect]) {
        while let id = deferrals.popExpired(at: now) {
            guard registry.liveCheck(id) != nil else { continue }
            registry.checkChanged(id)
            trigger()
        }
        while case .none = activity {
            switch schedule.poll(at: now, paused: isPaused, &context.random) {
            case .full: startComparison(&effects)
            case .changes: startPass(isFull: false, now, &effects)
            case nil:
                if waiters.isEmpty { return }
                startPass(isFull: false, now, &effects)
            }
        }
    }

    func startPass(isFull: Bool, _ now: Instant, _ effects: inout [LocalEffect]) {
        let pass = SyncPass(isFull: isFull, waiters: waiters, resumingAfter: resumeAfter)
        waiters = []
        resumeAfter = nil
        advance(pass, now, &effects)
    }
}
