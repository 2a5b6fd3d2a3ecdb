import Core

/// What the `services` commands share.
enum ServicesCommands {
    static let group = CommandGroup(
        name: "services", synopsis: "Registers and deregisters services",
        usage: """
            Usage: consul services <subcommand> [options] [args]

              Registers services with the agent and deregisters them, from configuration
              files or from flags.

                  $ consul services register web.hcl
                  $ consul services deregister web.hcl
            """)

    static let flags = ClientFlags.connection + ClientFlags.server + ClientFlags.namespace

    /// The services of configuration files, in whatever else they hold.
    static func services(_ paths: [String], _ context: CommandContext) throws(TextError) -> [ServiceDefinition] {
        let files = try ConfigFiles(paths, formatName: "")
        let configuration = try ConfigBuilder.build(
            files: files.sources, isDev: true, environment: SystemFacts.environment(context.console), warnings: files.warnings)
        for warning in configuration.warnings { context.console.error(warning) }
        return configuration.agent.reloadable.services
    }
}

/// `consul services register`. Spec: cli §20.
struct ServicesRegister: Command {
    let name = "services register"
    let synopsis = "Registers services with the agent"
    let usage = """
        Usage: consul services register [options] [FILE...]

          Registers the services that configuration files define, or the one that flags
          describe.

              $ consul services register web.hcl
              $ consul services register -name=web -port=8080
        """
    let flags =
        ServicesCommands.flags + [
            Flag("address", .string, "Address of the service; that of the node if empty."),
            Flag("id", .string, "Id of the service; its name if empty."),
            Flag("kind", .string, "Kind of the service, such as connect-proxy; empty for an ordinary one."),
            Flag("meta", .pairs, "Metadata in the form `key=value`. May be given several times."),
            Flag("name", .string, "Name of the service."),
            Flag("port", .int, "Port of the service.", initial: "0"),
            Flag("tag", .list, "Tag of the service. May be given several times."),
            Flag("tagged-address", .pairs, "Further address in the form `name=address:port`. May be given several times."),
        ]

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        let isNamed = !arguments.string("name").isEmpty
        if arguments.positional.isEmpty, !isNamed {
            return context.fail("Service registration requires at least one argument or flags.")
        }
        if !arguments.positional.isEmpty, isNamed { return context.fail("Service registration requires arguments or -id, not both.") }
        let services: [ServiceDefinition]
        if isNamed {
            do { services = [try Self.described(arguments)] } catch { return context.fail("Invalid Tagged Address: \(error.text)") }
        } else {
            do { services = try ServicesCommands.services(arguments.positional, context) } catch { return context.fail("Error: \(error)") }
        }
        guard let client = context.client(arguments) else { return 1 }
        for service in services {
            do {
                _ = try client.body("PUT", "/v1/agent/service/register", body: Registration.body(service))
            } catch {
                return context.fail("Error registering service \(GoQuote.quote(service.name)): \(error.text)")
            }
            context.output("Registered service: \(service.name)")
        }
        return 0
    }

    private static func described(_ arguments: Arguments) throws(TextError) -> ServiceDefinition {
        var service = ServiceDefinition()
        service.kind = arguments.string("kind")
        service.id = arguments.string("id")
        service.name = arguments.string("name")
        service.address = arguments.string("address")
        service.port = arguments.integer("port")
        service.tags = arguments.list("tag")
        service.meta = StringMap(arguments.pairs("meta").map { ($0.key, $0.value) })
        var addresses: [(String, ServiceAddress)] = []
        for (name, text) in arguments.pairs("tagged-address") {
            let (host, port) = try HostPort.split(text)
            addresses.append((name, ServiceAddress(address: host, port: try GoNumber.parseAtoi(port))))
        }
        service.taggedAddresses = SortedMap(addresses)
        return service
    }
}

/// `consul services deregister`. Spec: cli §20.
struct ServicesDeregister: Command {
    let name = "services deregister"
    let synopsis = "Deregisters services from the agent"
    let usage = """
        Usage: consul services deregister [options] [FILE...]

          Deregisters the services that configuration files define, or the one whose id is
          given. Only services of this agent can be deregistered.

              $ consul services deregister web.hcl
              $ consul services deregister -id=web
        """
    let flags = ServicesCommands.flags + [Flag("id", .string, "Id of the service.")]

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        let id = arguments.string("id")
        if arguments.positional.isEmpty, id.isEmpty {
            return context.fail("Service deregistration requires at least one argument or -id.")
        }
        if !arguments.positional.isEmpty, !id.isEmpty { return context.fail("Service deregistration requires arguments or -id, not both.") }
        var services: [(id: String, name: String)] = [(id, "")]
        if id.isEmpty {
            do {
                services = try ServicesCommands.services(arguments.positional, context).map { ($0.id.isEmpty ? $0.name : $0.id, $0.name) }
            } catch {
                return context.fail("Error: \(error.text)")
            }
        }
        guard let client = context.client(arguments) else { return 1 }
        for service in services where !service.id.isEmpty {
            do {
                _ = try client.body("PUT", "/v1/agent/service/deregister/\(service.id)")
            } catch {
                return context.fail("Error registering service \(GoQuote.quote(service.name)): \(error.text)")
            }
            context.output("Deregistered service: \(service.id)")
        }
        return 0
    }
}
