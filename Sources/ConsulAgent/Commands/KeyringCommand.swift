import Core

/// `consul keyring`. Spec: cli §17.
struct KeyringCommand: Command {
    let name = "keyring"
    let synopsis = "Lists and changes the keys that encrypt gossip"
    let usage = """
        Usage: consul keyring [options]

          Lists and changes the keys that encrypt gossip, on all agents of all datacenters.
          A new key is installed, then used, then the old one is removed.
        """
    let flags =
        ClientFlags.connection + [
            Flag("install", .string, "Key that all agents accept from now on."),
            Flag("list", .bool, "Lists the keys and how many agents have each."),
            Flag("list-primary", .bool, "Lists the keys with which agents encrypt."),
            Flag("local-only", .bool, "With -list, asks only the agent's own datacenter."),
            Flag("relay-factor", .int, "Number of other members, up to 5, that answers are also sent through.", initial: "0"),
            Flag("remove", .string, "Key that agents shall no longer accept. The one in use cannot be removed."),
            Flag("use", .string, "Key, already installed, with which agents shall encrypt."),
        ]

    private enum Action {
        case list
        case listPrimary
        case change(method: String, key: String, message: String)

        var message: String {
            switch self {
            case .list: "Gathering installed encryption keys..."
            case .listPrimary: "Gathering installed primary encryption keys..."
            case .change(_, _, let message): message
            }
        }
    }

    private static func actions(_ arguments: Arguments) -> [Action] {
        var actions: [Action] = []
        if arguments.isSet("list") { actions.append(.list) }
        if arguments.isSet("list-primary") { actions.append(.listPrimary) }
        for (flag, method, message) in [
            ("install", "POST", "Installing new gossip encryption key..."), ("use", "PUT", "Changing primary gossip encryption key..."),
            ("remove", "DELETE", "Removing gossip encryption key..."),
        ] where !arguments.string(flag).isEmpty {
            actions.append(.change(method: method, key: arguments.string(flag), message: message))
        }
        return actions
    }

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        let actions = Self.actions(arguments)
        guard let action = actions.first else { return context.fail(context.help) }
        if actions.count > 1 { return context.fail("Only a single action is allowed") }
        let relayFactor = arguments.integer("relay-factor")
        if !(0...5).contains(relayFactor) {
            return context.fail("Error parsing relay factor: Relay factor must be in range: [0, 5]")
        }
        if arguments.isSet("local-only"), !arguments.isSet("list") {
            return context.fail("Error validating local-only: local-only can only be set for list requests")
        }
        guard let client = context.client(arguments) else { return 1 }
        context.output("==> \(action.message)")
        var query: APIClient.Query = relayFactor == 0 ? [] : [("relay-factor", String(relayFactor))]
        if arguments.isSet("local-only") { query.append(("local-only", "true")) }
        do {
            switch action {
            case .change(let method, let key, _): _ = try client.body(method, "/v1/operator/keyring", query: query, body: Self.body(key))
            case .list, .listPrimary:
                let member = if case .listPrimary = action { "PrimaryKeys" } else { "Keys" }
                for pool in try client.json("GET", "/v1/operator/keyring", query: query).elements {
                    context.output(Self.text(pool, pool[member] ?? .null))
                }
            }
            return 0
        } catch {
            return context.fail("error: \(error.text)")
        }
    }

    private static func body(_ key: String) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("Key")
        json.string(key)
        json.endObject()
        return json.finish() + [10]
    }

    private static func text(_ pool: DynamicValue, _ keys: DynamicValue) -> String {
        var lines = [pool["WAN"] == .bool(true) ? "WAN" : "\(pool.text("Datacenter")) (LAN)"]
        if !pool.text("Segment").isEmpty { lines[0] += " [\(pool.text("Segment"))]" }
        lines[0] += ":"
        for message in pool["Messages"]?.members ?? [] {
            if case .string(let text) = message.value { lines.append("  ===> \(message.name): \(text)") }
        }
        for key in keys.members { lines.append("  \(key.name) [\(keys.printed(key.name))/\(pool.printed("NumNodes"))]") }
        return "\n" + lines.joined(separator: "\n")
    }
}
