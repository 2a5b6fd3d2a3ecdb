import Core

/// `consul members`. Spec: cli §17.
struct Members: Command {
    let name = "members"
    let synopsis = "Lists the members of the cluster"
    let usage = """
        Usage: consul members [options]

          Lists the members of the cluster as the agent knows them. Exits with code 2 if
          no member matches.
        """
    let flags =
        ClientFlags.connection + [
            Flag("detailed", .bool, "Prints all tags of each member."),
            Flag("segment", .string, "(Enterprise-only) Network segment whose members are listed.", initial: "_all"),
            Flag("status", .string, "Regular expression that a member's status must match.", initial: ".*"),
            Flag("wan", .bool, "Lists the servers of all datacenters instead; only servers can be asked."),
        ]

    /// A member of the gossip pool.
    private struct Member {
        var json: DynamicValue
        var name: String { json.text("Name") }
        var segment: String
        var status: String {
            switch json.printed("Status") {
            case "1": "alive"
            case "2": "leaving"
            case "3": "left"
            case "4": "failed"
            default: "none"
            }
        }
        var address: String {
            let host = json.text("Addr")
            return HostPort.join(host, json.printed("Port"))
        }
        func tag(_ name: String) -> String { json["Tags"]?.text(name) ?? "" }
    }

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        let pattern: RegularExpression
        do {
            pattern = try RegularExpression(arguments.string("status", default: ".*"))
        } catch {
            return context.fail("Failed to compile status regexp: \(error)")
        }
        guard let client = context.client(arguments) else { return 1 }
        let segment = arguments.string("segment", default: "_all")
        var members: [Member]
        do {
            let query: APIClient.Query = [("segment", segment)] + (arguments.isSet("wan") ? [("wan", "1")] : [])
            members = try client.json("GET", "/v1/agent/members", query: query).elements.map { Self.member($0, segment) }
        } catch {
            return context.fail("Error retrieving members: \(error.text)")
        }
        members = members.filter { pattern.matches($0.status) }
        if members.isEmpty { return 2 }
        members.sort { (ByteString($0.segment), ByteString($0.name)) < (ByteString($1.segment), ByteString($1.name)) }
        context.output(TextLayout.columns(arguments.isSet("detailed") ? Self.detailed(members) : Self.standard(members)))
        return 0
    }

    /// Servers belong to all segments.
    private static func member(_ json: DynamicValue, _ requested: String) -> Member {
        var member = Member(json: json, segment: "")
        member.segment = member.tag("segment")
        if member.segment.isEmpty { member.segment = "<default>" }
        if requested == "_all", member.tag("role") == "consul" { member.segment = "<all>" }
        return member
    }

    private static func standard(_ members: [Member]) -> [[String]] {
        [["Node", "Address", "Status", "Type", "Build", "Protocol", "DC", "Segment"]]
            + members.map { member in
                var build = String(member.tag("build").prefix { $0 != ":" })
                if build.isEmpty { build = "< 0.3" }
                let start = [member.name, member.address, member.status]
                switch member.tag("role") {
                case "consul": return start + ["server", build, member.tag("vsn"), member.tag("dc"), member.segment]
                case "node": return start + ["client", build, member.tag("vsn"), member.tag("dc"), member.segment]
                default: return start + ["unknown", "", "", "", ""]
                }
            }
    }

    private static func detailed(_ members: [Member]) -> [[String]] {
        [["Node", "Address", "Status", "Tags"]]
            + members.map { member in
                var tags = (member.json["Tags"] ?? .null).members.filter { $0.name != "segment" }
                tags.append(DynamicMember("segment", .string(member.segment)))
                return [member.name, member.address, member.status, DynamicValue.map(tags).pairs(separator: ",")]
            }
    }
}
