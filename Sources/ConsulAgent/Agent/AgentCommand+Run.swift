extension AgentCommand {
    /// Builds an agent and its driver and runs them until the agent stops.
    static func run(_ start: AgentStart) -> Int32 {
        Console.system.error("==> Error starting agent: this build holds no driver")
        return 1
    }
}
