/// Has tombstones reaped when their time is over (behaviour §1.8, §4.2). Owns the schedule.
final class TombstoneReaping: LeaderDuty {
    private var schedule: TombstoneSchedule
    private var isActive = false

    init(_ settings: AgentSettings) {
        schedule = TombstoneSchedule(ttl: settings.servers.tombstoneTTL, granularity: settings.servers.tombstoneGranularity)
    }

    var deadline: Instant? { schedule.deadline }

    /// What is in the graveyard gets its whole time again.
    func began(_ leader: any LeadingServer, at now: Instant) {
        isActive = true
        if leader.store.hasTombstones { schedule.hint(leader.appliedIndex, at: now) }
    }

    func ended() {
        isActive = false
        schedule.removeAll()
    }

    func applied(_ changes: ChangeSet, _ leader: any LeadingServer, at now: Instant) {
        if changes.tombstoneIndex > 0 { schedule.hint(changes.tombstoneIndex, at: now) }
    }

    func wake(_ leader: any LeadingServer, at now: Instant) {
        while let index = schedule.popExpired(at: now) {
            var request = TombstoneRequest()
            request.datacenter = leader.settings.identity.datacenter
            request.op = .reap
            request.reapIndex = index
            leader.write(.tombstone(request), for: self, at: now)
        }
    }

    func written(_ request: WriteRequest, since: Instant, problem: String?, _ leader: any LeadingServer, at now: Instant) {
        leader.measure(.tombstonesReaped(now - since))
        guard let problem, case .tombstone(let request) = request else { return }
        leader.log(.error, "failed to reap tombstones up to index: index=\(request.reapIndex) error=\(LogText.value(problem))")
        if isActive { schedule.hint(request.reapIndex, at: now) }
    }
}

extension Store {
    fileprivate var hasTombstones: Bool { !tombstones.isEmpty }
}
