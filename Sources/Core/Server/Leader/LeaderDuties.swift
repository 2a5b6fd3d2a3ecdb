/// Owns the duties of the leader, and whether this server has them: told of the leadership and of what happens under it, it tells each duty,
/// and hands the outcome of a write to the duty that wrote.
final class LeaderDuties {
    /// Where this server stands in the term: a new leader serves once it has applied an entry of its own term.
    enum Phase: Equatable {
        case following
        case establishing(term: UInt64)
        case established(term: UInt64)
    }

    private struct PendingWrite {
        var duty: any LeaderDuty
        var request: WriteRequest
        var since: Instant
    }

    private(set) var phase = Phase.following

    // Those that others than the leader itself turn to.

    let sessions = SessionExpiry()
    let coordinates: CoordinateWriting
    let autopilot = AutopilotDuty()

    /// In the order in which they begin and are woken. What autopilot is configured with comes before the registration of members.
    private let list: [any LeaderDuty]
    private var writes = LookupTable<UInt64, PendingWrite>()
    private var nextWrite: UInt64 = 1

    init(_ settings: AgentSettings) {
        coordinates = CoordinateWriting(settings)
        list = [
            sessions,
            TombstoneReaping(settings),
            coordinates,
            AutopilotSettings(),
            PoolReconciliation(),
            autopilot,
        ]
    }

    var isEstablished: Bool { if case .established = phase { true } else { false } }

    /// nil while this server does not lead.
    var deadline: Instant? {
        guard isEstablished else { return nil }
        var earliest: Instant?
        for duty in list { earliest.bringForward(to: duty.deadline) }
        return earliest
    }

    // MARK: Leadership

    func elected(term: UInt64) { phase = .establishing(term: term) }

    /// Whether the duties begin once an entry of that term is applied: then this server has applied all that was ever acknowledged (Raft §8).
    func isEstablishing(term: UInt64) -> Bool { phase == .establishing(term: term) }

    /// This server serves as the leader from now on.
    func begin(term: UInt64, _ leader: any LeadingServer, at now: Instant) {
        phase = .established(term: term)
        for duty in list { duty.began(leader, at: now) }
    }

    func end() {
        phase = .following
        for duty in list { duty.ended() }
    }

    /// The whole state was replaced.
    func restart(_ leader: any LeadingServer, at now: Instant) {
        guard isEstablished else { return }
        for duty in list { duty.stateReplaced() }
        for duty in list { duty.began(leader, at: now) }
    }

    // MARK: What happens

    func applied(_ changes: ChangeSet, _ leader: any LeadingServer, at now: Instant) {
        guard isEstablished else { return }
        for duty in list { duty.applied(changes, leader, at: now) }
    }

    func wake(_ leader: any LeadingServer, at now: Instant) {
        // A duty may end the leadership: it may remove this server.
        for duty in list where isEstablished { duty.wake(leader, at: now) }
    }

    func changed(_ member: Member, isReaped: Bool, _ leader: any LeadingServer, at now: Instant) {
        for duty in list where isEstablished { duty.changed(member, isReaped: isReaped, leader, at: now) }
    }

    func willChange(_ change: MembershipChange) {
        switch change {
        case .addVoter, .addNonvoter: for duty in list { duty.willAddServer() }
        case .demoteVoter, .removeServer, .removeAddress: break
        }
    }

    // MARK: Writes

    /// A write is proposed. Returns the number under which its outcome is to be told.
    func add(_ request: WriteRequest, for duty: any LeaderDuty, at now: Instant) -> UInt64 {
        let number = nextWrite
        nextWrite += 1
        writes[number] = PendingWrite(duty: duty, request: request, since: now)
        return number
    }

    func written(_ id: UInt64, _ result: Result<ApplyResult, ServerError>, _ leader: any LeadingServer, at now: Instant) {
        guard let write = writes.removeValue(forKey: id) else { return }
        let problem: String? =
            switch result {
            case .success(.error(let text)): text
            case .failure(let error): error.text
            case .success: nil
            }
        write.duty.written(write.request, since: write.since, problem: problem, leader, at: now)
    }
}
