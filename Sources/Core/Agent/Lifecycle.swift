/// How an agent starts, reloads and goes: owns where it stands, and who waits for it (config §12, §21; behaviour §4.7; gossip §15.8).
///
/// Decides only; the agent does it. A graceful leave goes out of Raft, out of the pools, drains what is under way, and exits.
struct Lifecycle {
    /// Where this node's departure stands.
    enum Departure: Equatable {
        case none
        /// Out of the pools, the WAN first.
        case leaving(GossipPool)
        /// Everybody knows: what is under way is brought to its end.
        case draining
    }

    /// What comes next on the way out.
    enum Step: Equatable {
        case leave(GossipPool)
        case drain
    }

    private(set) var departure = Departure.none
    /// When a leaving agent stops.
    private(set) var deadline: Instant?
    /// Since when it waits only for the others to take it out of Raft's configuration.
    private var drainedAt: Instant?
    /// The pools that are still to be joined before the agent says that it runs.
    private var startJoins: [GossipPool]
    private var reloaders: [RequestID] = []
    private var leavers: [RequestID] = []

    /// The longest time that leaving the pools may take.
    static var departureMax: Duration { .seconds(20) }
    /// How long a server waits to be removed.
    static var removalMax: Duration { .seconds(5) }

    init(startJoins: [GossipPool]) { self.startJoins = startJoins }

    var isLeaving: Bool { departure != .none }

    /// The pool to join before the agent runs; nil: it runs.
    mutating func nextStartJoin() -> GossipPool? { startJoins.isEmpty ? nil : startJoins.removeFirst() }

    // MARK: Leaving

    /// False if it is under way already.
    mutating func beginLeaving(from first: GossipPool, drainTime: Duration, at now: Instant) -> Bool {
        guard departure == .none else { return false }
        // Whatever happens on the way, it ends.
        deadline = now + drainTime + Self.departureMax
        departure = .leaving(first)
        return true
    }

    /// The members of a pool know that this one goes; nil where that is not awaited.
    mutating func departed(from pool: GossipPool) -> Step? {
        guard departure == .leaving(pool) else { return nil }
        if pool == .lan { return .drain }
        departure = .leaving(.lan)
        return .leave(.lan)
    }

    /// Out of the pools. The agent stops after that time.
    mutating func drain(for time: Duration, at now: Instant) {
        departure = .draining
        deadline = now + time
        drainedAt = deadline
    }

    /// Whether it is time to stop, which it says once. A server that the others have not removed yet waits a little longer.
    mutating func exits(isRemoved: @autoclosure () -> Bool, at now: Instant) -> Bool {
        guard let due = deadline, due <= now else { return false }
        if let drainedAt, now < drainedAt + Self.removalMax, !isRemoved() {
            deadline = now + .milliseconds(50)
            return false
        }
        deadline = nil
        return true
    }

    // MARK: Who waits

    mutating func awaitReload(_ id: RequestID) { reloaders.append(id) }
    mutating func awaitDeparture(_ id: RequestID) { leavers.append(id) }

    mutating func takeReloaders() -> [RequestID] {
        defer { reloaders = [] }
        return reloaders
    }

    mutating func takeLeavers() -> [RequestID] {
        defer { leavers = [] }
        return leavers
    }
}
