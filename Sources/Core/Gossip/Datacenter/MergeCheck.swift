/// Who may be in a pool (gossip §15.5): asked for all nodes of a join, on both sides, and for the node of every alive message.
public enum MergeCheck: Hashable, Sendable {
    /// Everybody, as in a bare Serf.
    case none
    /// Agents of one datacenter, each with an id of its own. All of it the own agent's.
    case lan(datacenter: String, segment: String, nodeID: String, nodeName: String)
    /// Servers.
    case wan

    /// The versions whose ids are unique, before which they could be those of a cloned machine.
    private static let uniqueIDs = BuildVersion(0, 8, 5)

    /// Why not all of them may; nil: they may.
    public func veto(_ members: [Member]) -> String? {
        switch self {
        case .none:
            return nil
        case .wan:
            guard let stranger = members.first(where: { ServerTags($0) == nil }) else { return nil }
            return "Member '\(stranger.name)' is not a server"
        case .lan(let datacenter, let segment, let nodeID, let nodeName):
            var owners = LookupTable<String, String>()
            for member in members {
                if let id = member.tags["id"], !id.isEmpty {
                    if member.status == .left { continue }
                    if id == nodeID && member.name != nodeName {
                        return "Member '\(member.name)' has conflicting node ID '\(id)' with this agent's ID"
                    }
                    if let other = owners[id] { return "Member '\(member.name)' has conflicting node ID '\(id)' with member '\(other)'" }
                    if let build = BuildVersion(member.tags["build"] ?? ""), build >= Self.uniqueIDs { owners[id] = member.name }
                }
                if let problem = Self.misplacement(member, datacenter, segment) { return problem }
            }
            return nil
        }
    }

    private static func misplacement(_ member: Member, _ datacenter: String, _ segment: String) -> String? {
        let other = member.tags["dc"] ?? ""
        if other != datacenter && (member.tags["role"] == "node" || ServerTags(member) != nil) {
            return "Member '\(member.name)' part of wrong datacenter '\(other)'"
        }
        let part = member.tags["segment"] ?? ""
        if part != segment { return "Member '\(member.name)' part of wrong segment '\(part)' (expected '\(segment)')" }
        return nil
    }
}
