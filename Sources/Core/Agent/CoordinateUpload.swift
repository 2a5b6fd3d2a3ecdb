/// When an agent tells the servers where it is (behaviour §6.9, gossip §16.6).
///
/// All agents together send about as many coordinates a second as the configuration says, so each does it the more rarely the larger the
/// cluster is.
struct CoordinateUpload {
    private(set) var deadline: Instant?
    private let rate: Double
    private let intervalMin: Duration

    /// Never, where the configuration turns it off. The first one comes an interval after the start.
    init(_ settings: AgentSettings, members: Int, at now: Instant, _ random: inout Random) {
        rate = settings.coordinates.sendRateTarget
        intervalMin = settings.coordinates.sendIntervalMin
        if !settings.coordinates.disabled { schedule(members: members, at: now, &random) }
    }

    /// Whether it is time; if so, the next time follows from the number of members now.
    mutating func isDue(at now: Instant, members: Int, _ random: inout Random) -> Bool {
        guard let due = deadline, due <= now else { return false }
        schedule(members: members, at: now, &random)
        return true
    }

    private mutating func schedule(members: Int, at now: Instant, _ random: inout Random) {
        let seconds = rate > 0 ? Double(members) / rate : 0
        let scaled = seconds < 1e9 ? Duration.nanoseconds(Int64(seconds * 1e9)) : .seconds(1_000_000_000)
        let interval = max(intervalMin, scaled)
        deadline = now + interval + random.duration(below: interval)
    }

    /// Whether all servers of the pool understand coordinates. Without servers there is nobody to tell.
    static func isUnderstood(by members: some Sequence<Member>) -> Bool {
        var hasServers = false
        for member in members where member.tags["role"] == "consul" {
            hasServers = true
            guard let lowest = number(member.tags["vsn_min"]), let highest = number(member.tags["vsn_max"]), lowest <= 3, highest >= 3
            else {
                return false
            }
        }
        return hasServers
    }

    private static func number(_ text: String?) -> Int? { text.flatMap { try? GoNumber.parseAtoi($0) } }
}

extension Agent {
    /// Tells the servers where this node is, if it is time and all of them understand it.
    func uploadCoordinate(at now: Instant) {
        guard let lan, membership.coordinateUpload?.isDue(at: now, members: lan.serf.memberCount, &random) == true, !isLeaving,
            CoordinateUpload.isUnderstood(by: lan.serf.members)
        else { return }
        var options = QueryOptions()
        options.datacenter = settings.identity.datacenter
        let place = NodeCoordinate(node: settings.identity.nodeName, segment: "", coordinate: lan.serf.coordinate)
        backend.execute(.operation(.updateCoordinate(place), options), ownContext(options.token), for: .coordinate, at: now)
    }
}
