import Core
import Glibc

/// What `consul agent` starts with.
struct AgentStart: Sendable {
    /// With the node's id filled in.
    var configuration: Configuration
    /// Printed before the log, unless that is JSON.
    var banner: String
    /// Reads all sources again, for a reload.
    var readConfiguration: @Sendable () -> Result<Configuration, TextError>
}

/// `consul agent`. Spec: config §6, §12; cli §5.
struct AgentCommand: Command {
    /// Runs the agent until it ends; the process's exit code.
    let start: (AgentStart) -> Int32

    let name = "agent"
    let synopsis = "Runs a Consul agent"
    let usage = """
        Usage: consul agent [options]

          Starts the agent and runs until it is stopped. An agent runs on every machine
          of a cluster, as a server or as a client.
        """
    let flagErrorPrefix: String? = "==> error parsing flags: "

    var flags: [Flag] {
        let own = [
            Flag("config-dir", .list, "Directory of configuration files, or a single file. May be given several times."),
            Flag("config-file", .list, "Configuration file, or a directory of them. May be given several times."),
            Flag("config-format", .value, "Format of all configuration files, whatever their extension: hcl or json."),
            Flag("dev", .looseBool, "Runs a server for development, which keeps everything in memory."),
            Flag("hcl", .list, "Text of configuration. May be given several times."),
        ]
        return own
            + AgentFlags.all.map { flag in
                let kind: Flag.Kind =
                    switch flag.kind {
                    case .string: .value
                    case .bool: .looseBool
                    case .int: .number
                    case .list, .map: .list
                    }
                let isShared = ClientFlags.server.contains { $0.name == flag.name }
                return Flag(flag.name, kind, flag.help, section: isShared ? .client : .command)
            }
    }

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        if !arguments.positional.isEmpty {
            return context.fail("==> Unexpected extra arguments: [\(arguments.positional.joined(separator: " "))]")
        }
        let sources = AgentSources(arguments)
        let environment = SystemFacts.environment(context.console)
        var configuration: Configuration
        do {
            configuration = try sources.read(environment)
        } catch {
            return context.fail("==> \(error.text)")
        }
        if let problem = configuration.startProblem { return context.fail("==> \(problem)") }
        do {
            configuration.agent.identity.nodeID = try NodeIdentity.resolve(configuration.process)
        } catch {
            return context.fail("==> failed to setup node ID: \(error.text)")
        }
        let nodeID = configuration.agent.identity.nodeID
        return start(
            AgentStart(
                configuration: configuration, banner: Banner.text(configuration),
                readConfiguration: { sources.readAgain(environment, nodeID: nodeID) }))
    }
}

/// Where the configuration of an agent comes from.
private struct AgentSources: Sendable {
    private let paths: [String]
    private let formatName: String
    private let fragments: [String]
    private let isDev: Bool
    private let flags: [AgentFlags.Given]

    init(_ arguments: Arguments) {
        paths = arguments.given.filter { $0.name == "config-file" || $0.name == "config-dir" }.map(\.value)
        formatName = arguments.string("config-format")
        fragments = arguments.list("hcl")
        isDev = arguments.isSet("dev")
        flags = arguments.given.map { AgentFlags.Given(name: $0.name, value: $0.value) }
    }

    func read(_ environment: ConfigEnvironment) throws(TextError) -> Configuration {
        let files = try ConfigFiles(paths, formatName: formatName)
        let given = AgentFlags.sources(flags)
        return try ConfigBuilder.build(
            files: files.sources, listFlags: given.lists, valueFlags: given.values, fragments: fragments, isDev: isDev,
            environment: environment, warnings: files.warnings)
    }

    /// The id of a node does not change while it runs.
    func readAgain(_ environment: ConfigEnvironment, nodeID: String) -> Result<Configuration, TextError> {
        do throws(TextError) {
            var configuration = try read(environment)
            configuration.agent.identity.nodeID = nodeID
            return .success(configuration)
        } catch {
            return .failure(error)
        }
    }
}
