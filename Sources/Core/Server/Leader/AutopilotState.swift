/// What the leader remembers of the servers' health (behaviour §4.4). Everything is forgotten with the leadership.
struct Autopilot {
    /// When health is next looked after.
    var healthAt: Instant?
    /// When servers are next promoted and cleaned up.
    var actAt: Instant?
    /// A server has joined or was promoted: one that it replaces may be cleaned up at once.
    var wantsCleanup = false

    var health = ClusterHealth()
    /// By id: since when a server has been as healthy as it is.
    var stableSince = LookupTable<String, Instant>()

    /// The question under way: answers of those that were asked, and how many are still to come.
    var round: UInt64 = 0
    var statistics = LookupTable<String, RaftStatistics>()
    var awaited = 0
    var deadline: Instant?

    /// A server that has answered the leader within this time is not dead, whatever gossip says.
    static let silenceMin: Duration = .seconds(5)

    /// From `stop`, or the beginning. Servers may have been added since.
    mutating func start(_ settings: AgentSettings, at now: Instant) {
        healthAt = now + settings.servers.healthInterval
        actAt = now + settings.servers.autopilotInterval
    }

    mutating func stop() { self = Autopilot() }

    var nextDeadline: Instant? {
        if wantsCleanup { return .zero }
        var earliest = healthAt
        earliest.bringForward(to: actAt)
        earliest.bringForward(to: deadline)
        return earliest
    }

    /// Whether `dead` of `voters` may be removed: never so many that those who stay could not have decided without them.
    static func mayRemove(_ dead: Int, of voters: Int, minQuorum: UInt64) -> Bool {
        !planted(.deadNeverRemoved) && voters - dead >= Int(clamping: minQuorum) && (dead <= (voters - 1) / 2 || planted(.quorumRemoved))
    }
}

extension ServerHealth {
    /// Whether the server follows closely, judged against the end of the leader's log.
    func follows(lastTerm: UInt64, lastIndex: UInt64, _ config: AutopilotConfiguration) -> Bool {
        guard status == .alive, lastContact >= .zero, lastContact <= config.lastContactThreshold, self.lastTerm == lastTerm else {
            return false
        }
        return lastIndex <= config.maxTrailingLogs || self.lastIndex >= lastIndex - config.maxTrailingLogs
    }
}
