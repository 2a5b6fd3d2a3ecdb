/// `consul force-leave`. Spec: cli §14.
struct ForceLeave: Command {
    let name = "force-leave"
    let synopsis = "Makes a failed member count as left"
    let usage = """
        Usage: consul force-leave [options] NODE

          Makes a member that failed count as one that left, so that the others stop
          trying to reach it. A member that still runs comes back at once.
        """
    let flags =
        ClientFlags.connection + [Flag("prune", .bool, "Removes the member from the list of members altogether.")]

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        if arguments.positional.count != 1 { return context.failWithHelp("A single node name must be specified to force leave.") }
        guard let client = context.client(arguments) else { return 1 }
        do {
            let query: APIClient.Query = arguments.isSet("prune") ? [("prune", "1")] : []
            _ = try client.body("PUT", "/v1/agent/force-leave/\(arguments.positional[0])", query: query)
            return 0
        } catch {
            return context.fail("Error force leaving: \(error.text)")
        }
    }
}
