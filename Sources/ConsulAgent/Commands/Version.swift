import Core

/// `consul version`. Spec: cli §1.6.
struct Version: Command {
    let name = "version"
    let synopsis = "Prints the version"
    let usage = """
        Usage: consul version [options]

          Prints the version of Consul that this program is compatible with, and its own.
        """
    let flags = [Flag("format", .string, "Either pretty or json.", initial: "pretty")]

    /// This project's version; `AgentSettings.compatibilityVersion` is the reference's.
    static let own = "0.1.0"

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        let version = AgentSettings.compatibilityVersion, revision = AgentSettings.revision
        switch arguments.string("format", default: "pretty") {
        case "pretty":
            context.output(
                """
                Consul v\(version)
                Revision \(revision)
                Protocol 2 spoken by default, understands 2 to 3 (agent will automatically use protocol >2 when speaking to compatible agents)
                Consul in Swift v\(Self.own)

                """)
        case "json":
            context.output(
                """
                {
                   "Version": "\(version)",
                   "Revision": "\(revision)",
                   "Prerelease": "",
                   "RPC": {
                      "Default": 2,
                      "Min": 2,
                      "Max": 3
                   }
                }
                """)
        case let format: return context.fail("Unknown format: \(format)")
        }
        return 0
    }
}
