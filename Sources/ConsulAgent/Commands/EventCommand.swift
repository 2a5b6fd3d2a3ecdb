import Core

/// `consul event`. Spec: cli §12.
struct EventCommand: Command {
    let name = "event"
    let synopsis = "Fires an event that all agents of the datacenter see"
    let usage = """
        Usage: consul event [options] [PAYLOAD]

          Fires an event that reaches all agents of the datacenter, or those that the
          filters select. Agents pass it to their watches.

              $ consul event -name=deploy -service=web 1.4.2
        """
    let flags =
        ClientFlags.connection + EventFilters.flags + [Flag("name", .string, "Name of the event.")]

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        let name = arguments.string("name")
        if name.isEmpty { return context.failWithHelp("Event name must be specified") }
        if arguments.positional.count > 1 { return context.failWithHelp("Too many command line arguments.") }
        let filters = EventFilters(arguments)
        if let problem = filters.problem { return context.fail(problem) }
        guard let client = context.client(arguments) else { return 1 }
        do {
            _ = try client.json("GET", "/v1/agent/self")
        } catch {
            return context.fail("Error querying Consul agent: \(error.text)")
        }
        do {
            let payload = Array((arguments.positional.first ?? "").utf8)
            let event = try APIClient.decoded(try client.body("PUT", "/v1/event/fire/\(name)", query: filters.query, body: payload))
            context.output("Event ID: \(event.text("ID"))")
            return 0
        } catch {
            return context.fail("Error firing event: \(error.text)")
        }
    }
}

/// Which agents an event is meant for.
struct EventFilters {
    static let flags: [Flag] = [
        Flag("node", .string, "Regular expression that the names of the nodes must match."),
        Flag("service", .string, "Regular expression for the name of a service that the nodes must offer."),
        Flag("tag", .string, "Regular expression that a tag of that service must match; only with -service."),
    ]

    private let node: String, service: String, tag: String

    init(_ arguments: Arguments) {
        node = arguments.string("node")
        service = arguments.string("service")
        tag = arguments.string("tag")
    }

    var problem: String? {
        for (name, pattern) in [("node", node), ("service", service), ("tag", tag)] where !pattern.isEmpty {
            do {
                _ = try RegularExpression(pattern)
            } catch {
                return "Failed to compile \(name) filter regexp: \(error)"
            }
        }
        return !tag.isEmpty && service.isEmpty ? "Cannot provide tag filter without service filter." : nil
    }

    var query: APIClient.Query { [("node", node), ("service", service), ("tag", tag)].filter { !$0.1.isEmpty } }
}
