/// `consul join`. Spec: cli §17.
struct Join: Command {
    let name = "join"
    let synopsis = "Makes the agent join a cluster"
    let usage = """
        Usage: consul join [options] ADDRESS...

          Makes the agent join a cluster through members of it. One address that works
          is enough.
        """
    let flags =
        ClientFlags.connection + [Flag("wan", .bool, "Joins a server to the servers of other datacenters.")]

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        if arguments.positional.isEmpty { return context.failWithHelp("At least one address to join must be specified.") }
        guard let client = context.client(arguments) else { return 1 }
        let query: APIClient.Query = arguments.isSet("wan") ? [("wan", "1")] : []
        var joined = 0
        for address in arguments.positional {
            do {
                _ = try client.body("PUT", "/v1/agent/join/\(address)", query: query)
                joined += 1
            } catch {
                context.console.error("Error joining address '\(address)': \(error.text)")
            }
        }
        if joined == 0 { return context.fail("Failed to join any nodes.") }
        context.output("Successfully joined cluster by contacting \(joined) nodes.")
        return 0
    }
}
