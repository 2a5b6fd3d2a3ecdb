import Core

extension OperatorCommands {
    static let autopilotGroup = CommandGroup(
        name: "operator autopilot", synopsis: "Shows and changes the configuration of autopilot",
        usage: """
            Usage: consul operator autopilot <subcommand> [options]

              Shows and changes how the leader looks after the servers of the cluster.
            """)

    static let autopilotPath = "/v1/operator/autopilot/configuration"
}

/// `consul operator autopilot get-config`. Spec: cli §19.
struct AutopilotGetConfig: Command {
    let name = "operator autopilot get-config"
    let synopsis = "Shows the configuration of autopilot"
    let usage = """
        Usage: consul operator autopilot get-config [options]

          Shows the configuration of autopilot.
        """
    let flags = ClientFlags.connection + ClientFlags.server
    let flagErrorPrefix: String? = "Failed to parse args: "

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        guard let client = context.client(arguments, orFail: "Error initializing client") else { return 1 }
        let config: DynamicValue
        do {
            config = try client.json("GET", OperatorCommands.autopilotPath, query: arguments.isSet("stale") ? [("stale", "")] : [])
        } catch {
            return context.fail("Error querying Autopilot configuration: \(error.text)")
        }
        for name in ["CleanupDeadServers", "LastContactThreshold", "MaxTrailingLogs", "MinQuorum", "ServerStabilizationTime"] {
            context.output("\(name) = \(config.printed(name))")
        }
        context.output("RedundancyZoneTag = \(GoQuote.quote(config.text("RedundancyZoneTag")))")
        context.output("DisableUpgradeMigration = \(config["DisableUpgradeMigration"] == .bool(true))")
        context.output("UpgradeVersionTag = \(GoQuote.quote(config.text("UpgradeVersionTag")))")
        return 0
    }
}

/// `consul operator autopilot set-config`. Spec: cli §19.
struct AutopilotSetConfig: Command {
    let name = "operator autopilot set-config"
    let synopsis = "Changes the configuration of autopilot"
    let usage = """
        Usage: consul operator autopilot set-config [options]

          Changes what the flags mention in the configuration of autopilot.
        """
    let flags =
        ClientFlags.connection + ClientFlags.server + [
            Flag("cleanup-dead-servers", .looseBool, "Whether servers that failed are removed when a new one has taken their place."),
            Flag("disable-upgrade-migration", .looseBool, "(Enterprise-only) Whether servers of a new version become voters at once."),
            Flag("last-contact-threshold", .looseDuration, "Longest time without contact to the leader for which a server is healthy."),
            Flag("max-trailing-logs", .looseUint, "Most log entries that a healthy server may be behind the leader."),
            Flag("min-quorum", .looseUint, "Number of voters below which no server is removed."),
            Flag("redundancy-zone-tag", .value, "(Enterprise-only) Name of the metadata that tells a server's zone."),
            Flag("server-stabilization-time", .looseDuration, "How long a new server must be healthy before it becomes a voter."),
            Flag("upgrade-version-tag", .value, "(Enterprise-only) Name of the metadata that tells a server's version."),
        ]
    let flagErrorPrefix: String? = "Failed to parse args: "

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        guard let client = context.client(arguments, orFail: "Error initializing client") else { return 1 }
        let current: DynamicValue
        do {
            current = try client.json("GET", OperatorCommands.autopilotPath)
        } catch {
            return context.fail("Error querying Autopilot configuration: \(error.text)")
        }
        do {
            let body = try client.body(
                "PUT", OperatorCommands.autopilotPath, query: [("cas", current.printed("ModifyIndex"))],
                body: Self.body(current, arguments))
            if KVPut.isTrue(body) {
                context.output("Configuration updated!")
                return 0
            }
            context.output("Configuration could not be atomically updated, please try again")
            return 1
        } catch {
            return context.fail("Error setting Autopilot configuration: \(error.text)")
        }
    }

    private static func body(_ current: DynamicValue, _ arguments: Arguments) -> [UInt8] {
        var members = current.members
        func set(_ name: String, _ flag: String, _ value: (String) -> DynamicValue) {
            guard let text = arguments.value(flag) else { return }
            members.removeAll { $0.name == name }
            members.append(DynamicMember(name, value(text)))
        }
        func number(_ text: String) -> DynamicValue { .uint(UInt64(text) ?? 0) }
        func duration(_ text: String) -> DynamicValue { .string((try? GoDuration.parse(text)).map(GoDuration.format) ?? text) }
        set("CleanupDeadServers", "cleanup-dead-servers") { .bool($0 == "true") }
        set("LastContactThreshold", "last-contact-threshold", duration)
        set("MaxTrailingLogs", "max-trailing-logs", number)
        set("MinQuorum", "min-quorum", number)
        set("ServerStabilizationTime", "server-stabilization-time", duration)
        set("RedundancyZoneTag", "redundancy-zone-tag") { .string($0) }
        set("DisableUpgradeMigration", "disable-upgrade-migration") { .bool($0 == "true") }
        set("UpgradeVersionTag", "upgrade-version-tag") { .string($0) }
        var json = JSONWriter()
        json.dynamic(.map(members))
        return json.finish() + [10]
    }
}
