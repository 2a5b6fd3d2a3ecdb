import Core

/// `consul info`. Spec: cli §15.
struct Info: Command {
    let name = "info"
    let synopsis = "Shows facts about the agent for debugging"
    let usage = """
        Usage: consul info [options]

          Shows facts about the agent for debugging, in groups.
        """
    let flags = ClientFlags.connection

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        guard let client = context.client(arguments) else { return 1 }
        do {
            let stats = try client.json("GET", "/v1/agent/self")["Stats"] ?? .null
            for group in Self.sorted(stats) {
                context.output("\(group.name):")
                for fact in Self.sorted(group.value) { context.output("\t\(fact.name) = \(group.value.printed(fact.name))") }
            }
            return 0
        } catch {
            return context.fail("Error querying agent: \(error.text)")
        }
    }

    private static func sorted(_ json: DynamicValue) -> [DynamicMember] {
        json.members.sorted { ByteString($0.name) < ByteString($1.name) }
    }
}
