import Core

/// `consul maint`. Spec: cli §17.
struct Maint: Command {
    let name = "maint"
    let synopsis = "Switches maintenance mode on and off"
    let usage = """
        Usage: consul maint [options]

          Puts the node or one of its services into maintenance: clients that look for
          healthy services no longer find it. Without flags, tells what is in maintenance.

              $ consul maint -enable -service=web -reason="new disks"
        """
    let flags =
        ClientFlags.connection + [
            Flag("disable", .bool, "Ends maintenance."),
            Flag("enable", .bool, "Begins maintenance."),
            Flag("reason", .string, "Text that tells others why."),
            Flag("service", .string, "Id of the service; without it, the whole node is meant."),
        ]

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        let enables = arguments.isSet("enable"), disables = arguments.isSet("disable")
        let reason = arguments.string("reason"), service = arguments.string("service")
        if enables, disables { return context.fail("Only one of -enable or -disable may be provided") }
        if !enables, !reason.isEmpty { return context.fail("Reason may only be provided with -enable") }
        if !enables, !disables, !service.isEmpty { return context.fail("Service requires either -enable or -disable") }
        guard let client = context.client(arguments) else { return 1 }
        if !enables, !disables { return show(client, context) }
        let query: APIClient.Query = [("enable", String(enables))] + (enables ? [("reason", reason)] : [])
        let path = service.isEmpty ? "/v1/agent/maintenance" : "/v1/agent/service/maintenance/\(service)"
        do {
            _ = try client.body("PUT", path, query: query)
        } catch {
            let action = enables ? "enabling" : "disabling"
            return context.fail("Error \(action) \(service.isEmpty ? "node" : "service") maintenance: \(error.text)")
        }
        let state = enables ? "enabled" : "disabled"
        context.output(
            service.isEmpty ? "Node maintenance is now \(state)" : "Service maintenance is now \(state) for \(GoQuote.quote(service))")
        return 0
    }

    private func show(_ client: APIClient, _ context: CommandContext) -> Int32 {
        let nodeName: String
        do {
            nodeName = try client.json("GET", "/v1/agent/self")["Config"]?.text("NodeName") ?? ""
        } catch {
            return context.fail("Error querying Consul agent: \(error.text)")
        }
        do {
            for check in try client.json("GET", "/v1/agent/checks").members {
                let reason = check.value.text("Notes")
                if check.name == "_node_maintenance" {
                    context.output("Node:\n  Name:   \(nodeName)\n  Reason: \(reason)\n")
                } else if check.name.hasPrefix("_service_maintenance:") {
                    context.output("Service:\n  ID:     \(check.value.text("ServiceID"))\n  Reason: \(reason)\n")
                }
            }
            return 0
        } catch {
            return context.fail("Error getting checks: \(error.text)")
        }
    }
}
