/// `consul monitor`. Spec: cli §17.
struct Monitor: Command {
    let name = "monitor"
    let synopsis = "Shows the log of the agent as it is written"
    let usage = """
        Usage: consul monitor [options]

          Shows the log of the agent as it is written, until it is interrupted. The level
          may be lower than the agent's own.
        """
    let flags =
        ClientFlags.connection + [
            Flag("log-json", .bool, "Accepted for compatibility: the log is shown as text all the same."),
            Flag("log-level", .string, "Least level that is shown: trace, debug, info, warn or err.", initial: "INFO"),
        ]

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        guard let client = context.client(arguments) else { return 1 }
        // Text in any case: the reference shows that with -log-json, too.
        let query: APIClient.Query = [("loglevel", arguments.string("log-level", default: "INFO"))]
        Interrupts.endQuietly()
        do {
            try client.lines("/v1/agent/monitor", query: query) { context.console.writeOutput($0 + [10]) }
        } catch {
            return context.fail("Error starting monitor: \(error.text)")
        }
        context.output("")
        context.output("Remote side ended the monitor! This usually means that the\nremote side has exited or crashed.")
        return 1
    }
}
