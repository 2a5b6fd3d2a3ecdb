import Core

/// Compares what members of the gossip pool know of each other with what is so.
struct PoolChecker {
    /// A member as another one sees it.
    struct Sighting {
        var name: String
        var status: MemberStatus
    }

    /// Names of the agents that run and of those that do not, each sorted; agents in neither may be taken for anything.
    var running: [String]
    var stopped: [String]
    /// Of those that do not run: who left in peace, and who did not and was told by nobody to be gone.
    var left: [String] = []
    var crashed: [String] = []

    /// What `observer` has wrong, nil for nothing. The agents that run are alive; the others are anything but alive, or forgotten.
    func mistake(of observer: String, _ members: [Sighting]) -> String? {
        var known = LookupTable<String, MemberStatus>()
        for member in members { known[member.name] = member.status }
        for name in running where known[name] != .alive {
            return "\(observer) holds \(name), which runs, for \(known[name].map { "\($0)" } ?? "unknown")"
        }
        for name in stopped where known[name] == .alive { return "\(observer) holds \(name), which is gone, for alive" }
        for name in left where known[name] == .failed { return "\(observer) holds \(name), which left, for failed" }
        for name in crashed where known[name] == .left { return "\(observer) holds \(name), which crashed, for one that left" }
        return nil
    }

    /// The same of a pool that nothing disturbs: whoever runs is never taken for anything else by who knows it.
    func mistakeInPeace(of observer: String, _ members: [Sighting]) -> String? {
        for member in members where member.status == .failed && running.contains(member.name) {
            return "\(observer) holds \(member.name), which runs, for failed"
        }
        return nil
    }
}
