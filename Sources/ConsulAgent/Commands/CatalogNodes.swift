import Core

/// `consul catalog nodes`. Spec: cli §8.
struct CatalogNodes: Command {
    let name = "catalog nodes"
    let synopsis = "Lists nodes"
    let usage = """
        Usage: consul catalog nodes [options]

          Lists the nodes of a datacenter, or those that offer a service.

              $ consul catalog nodes
              $ consul catalog nodes -service=web
        """
    let flags =
        ClientFlags.connection + ClientFlags.server + [
            Flag("detailed", .bool, "Prints whole ids, tagged addresses and metadata."),
            Flag("filter", .string, "Expression that nodes must match; @FILE reads it from a file, - from standard input."),
            Flag("near", .string, "Name of the node that the list is sorted by distance from."),
            CatalogCommands.nodeMetaFlag,
            Flag("service", .string, "Name of a service that the nodes must offer."),
        ]

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        if let refusal = CatalogCommands.refusal(arguments) { return context.fail(refusal) }
        var query = CatalogCommands.nodeMeta(arguments)
        if !arguments.string("filter").isEmpty {
            do {
                query.append(("filter", String(decoding: try DataSource.read(arguments.string("filter"), context.console), as: UTF8.self)))
            } catch {
                return context.fail("Could not process filter argument: \(error.text)")
            }
        }
        if !arguments.string("near").isEmpty { query.append(("near", arguments.string("near"))) }
        guard let client = context.client(arguments) else { return 1 }
        let service = arguments.string("service")
        let path = service.isEmpty ? "/v1/catalog/nodes" : "/v1/catalog/service/\(service)"
        let nodes: [DynamicValue]
        do {
            nodes = try client.json("GET", path, query: query).elements
        } catch {
            return context.fail(service.isEmpty ? "Error listing nodes: \(error.text)" : "Error listing nodes for service: \(error.text)")
        }
        if nodes.isEmpty {
            context.console.error("No nodes match the given query - try expanding your search.")
            return 0
        }
        context.output(TextLayout.columns(Self.table(nodes, isDetailed: arguments.isSet("detailed"), ofService: !service.isEmpty)))
        return 0
    }

    private static func table(_ nodes: [DynamicValue], isDetailed: Bool, ofService: Bool) -> [[String]] {
        if isDetailed {
            return [["Node", "ID", "Address", "DC", "TaggedAddresses", "Meta"]]
                + nodes.map { node in
                    let meta = node[ofService ? "NodeMeta" : "Meta"] ?? .null
                    let addresses = (node["TaggedAddresses"] ?? .null).pairs(separator: ", ")
                    return [
                        node.text("Node"), node.text("ID"), node.text("Address"), node.text("Datacenter"), addresses,
                        meta.pairs(separator: ", "),
                    ]
                }
        }
        return [["Node", "ID", "Address", "DC"]]
            + nodes.map { [$0.text("Node"), String($0.text("ID").prefix { $0 != "-" }), $0.text("Address"), $0.text("Datacenter")] }
    }
}
