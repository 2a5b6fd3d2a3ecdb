/// `consul reload`. Spec: cli §17.
struct Reload: Command {
    let name = "reload"
    let synopsis = "Makes the agent read its configuration files again"
    let usage = """
        Usage: consul reload [options]

          Makes the agent read its configuration files again.
        """
    let flags = ClientFlags.connection

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        guard let client = context.client(arguments) else { return 1 }
        do {
            _ = try client.body("PUT", "/v1/agent/reload")
        } catch {
            return context.fail("Error reloading: \(error.text)")
        }
        context.output("Configuration reload triggered")
        return 0
    }
}
