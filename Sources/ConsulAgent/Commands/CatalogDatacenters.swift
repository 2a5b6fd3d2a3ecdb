/// What the `catalog` commands share.
enum CatalogCommands {
    static let group = CommandGroup(
        name: "catalog", synopsis: "Lists what is registered",
        usage: """
            Usage: consul catalog <subcommand> [options] [args]

              Lists datacenters, nodes and services of the catalog.

                  $ consul catalog datacenters
                  $ consul catalog nodes
                  $ consul catalog services
            """)

    /// These commands take no arguments.
    static func refusal(_ arguments: Arguments) -> String? {
        let count = arguments.positional.count
        return count == 0 ? nil : "Too many arguments (expected 0, got \(count))"
    }

    static func nodeMeta(_ arguments: Arguments) -> APIClient.Query {
        arguments.pairs("node-meta").map { ("node-meta", "\($0.key):\($0.value)") }
    }

    static let nodeMetaFlag = Flag(
        "node-meta", .pairs, "Metadata in the form `key=value` that a node must have. May be given several times.")
}

/// `consul catalog datacenters`. Spec: cli §8.
struct CatalogDatacenters: Command {
    let name = "catalog datacenters"
    let synopsis = "Lists all known datacenters"
    let usage = """
        Usage: consul catalog datacenters [options]

          Lists the names of all known datacenters, nearest first.

              $ consul catalog datacenters
        """
    let flags = ClientFlags.connection + ClientFlags.server

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        if let refusal = CatalogCommands.refusal(arguments) { return context.fail(refusal) }
        guard let client = context.client(arguments) else { return 1 }
        do {
            for element in try client.json("GET", "/v1/catalog/datacenters").elements {
                if case .string(let name) = element { context.output(name) }
            }
            return 0
        } catch {
            return context.fail("Error listing datacenters: \(error.text)")
        }
    }
}
