/// `consul leave`. Spec: cli §17.
struct Leave: Command {
    let name = "leave"
    let synopsis = "Makes the agent leave the cluster gracefully and stop"
    let usage = """
        Usage: consul leave [options]

          Makes the agent leave the cluster gracefully and stop.
        """
    let flags = ClientFlags.connection

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        if !arguments.positional.isEmpty {
            context.console.error("Error found unexpected args: [\(arguments.positional.joined(separator: " "))]")
            context.output(context.help)
            return 1
        }
        guard let client = context.client(arguments) else { return 1 }
        do {
            _ = try client.body("PUT", "/v1/agent/leave")
        } catch {
            return context.fail("Error leaving: \(error.text)")
        }
        context.output("Graceful leave complete")
        return 0
    }
}
