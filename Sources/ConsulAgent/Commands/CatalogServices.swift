import Core

/// `consul catalog services`. Spec: cli §8.
struct CatalogServices: Command {
    let name = "catalog services"
    let synopsis = "Lists services"
    let usage = """
        Usage: consul catalog services [options]

          Lists the names of the services of a datacenter, or of one node.

              $ consul catalog services
              $ consul catalog services -node=node1 -tags
        """
    let flags =
        ClientFlags.connection + ClientFlags.server + ClientFlags.namespace + [
            Flag("node", .string, "Id or name of the node whose services are listed."),
            CatalogCommands.nodeMetaFlag,
            Flag("tags", .bool, "Prints the tags of each service."),
        ]

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        if let refusal = CatalogCommands.refusal(arguments) { return context.fail(refusal) }
        guard let client = context.client(arguments) else { return 1 }
        let node = arguments.string("node")
        var services: [(name: String, tags: [String])] = []
        do {
            let query = CatalogCommands.nodeMeta(arguments)
            if node.isEmpty {
                for member in try client.json("GET", "/v1/catalog/services", query: query).members {
                    services.append((member.name, Self.tags(member.value)))
                }
            } else {
                for member in try client.json("GET", "/v1/catalog/node/\(node)", query: query)["Services"]?.members ?? [] {
                    let name = member.value.text("Service"), tags = Self.tags(member.value["Tags"] ?? .null)
                    if let index = services.firstIndex(where: { $0.name == name }) {
                        services[index].tags += tags.filter { !services[index].tags.contains($0) }
                    } else {
                        services.append((name, tags))
                    }
                }
            }
        } catch {
            return context.fail(node.isEmpty ? "Error listing services: \(error.text)" : "Error listing services for node: \(error.text)")
        }
        if services.isEmpty {
            context.console.error("No services match the given query - try expanding your search.")
            return 0
        }
        services.sort { ByteString($0.name) < ByteString($1.name) }
        if arguments.isSet("tags") {
            let rows = services.map { [$0.name, $0.tags.sorted { ByteString($0) < ByteString($1) }.joined(separator: ",")] }
            context.output(TextLayout.trimmed(TextLayout.tabs(rows)))
        } else {
            for service in services { context.output(service.name) }
        }
        return 0
    }

    private static func tags(_ json: DynamicValue) -> [String] {
        json.elements.compactMap { if case .string(let tag) = $0 { tag } else { nil } }
    }
}
