import Core

/// What the `operator raft` commands share.
enum OperatorCommands {
    static let group = CommandGroup(
        name: "operator", synopsis: "Tools for operators of clusters",
        usage: """
            Usage: consul operator <subcommand> [options]

              Tools for operators of clusters, such as a look at the state of Raft. They
              need care: mistakes can make a cluster unavailable.
            """)

    static let raftGroup = CommandGroup(
        name: "operator raft", synopsis: "Shows and changes the Raft configuration",
        usage: """
            Usage: consul operator raft <subcommand> [options]

              Shows the servers that take part in Raft and removes ones that are gone.
            """)
}

/// `consul operator raft list-peers`. Spec: cli §19.
struct RaftListPeers: Command {
    let name = "operator raft list-peers"
    let synopsis = "Lists the servers that take part in Raft"
    let usage = """
        Usage: consul operator raft list-peers [options]

          Lists the servers that take part in Raft.
        """
    let flags = ClientFlags.connection + ClientFlags.server
    let flagErrorPrefix: String? = "Failed to parse args: "

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        guard let client = context.client(arguments, orFail: "Error initializing client") else { return 1 }
        do {
            let query: APIClient.Query = arguments.isSet("stale") ? [("stale", "")] : []
            let servers = try client.json("GET", "/v1/operator/raft/configuration", query: query)["Servers"]?.elements ?? []
            let rows = servers.map { server in
                let version = server.text("ProtocolVersion")
                return [
                    server.text("Node"), server.text("ID"), server.text("Address"),
                    server["Leader"] == .bool(true) ? "leader" : "follower", server["Voter"] == .bool(true) ? "true" : "false",
                    version.isEmpty ? "<=1" : version,
                ]
            }
            context.output(TextLayout.columns([["Node", "ID", "Address", "State", "Voter", "RaftProtocol"]] + rows))
            return 0
        } catch {
            return context.fail("Error getting peers: Failed to retrieve raft configuration: \(error.text)")
        }
    }
}

/// `consul operator raft remove-peer`. Spec: cli §19.
struct RaftRemovePeer: Command {
    let name = "operator raft remove-peer"
    let synopsis = "Removes a server from the Raft configuration"
    let usage = """
        Usage: consul operator raft remove-peer [options]

          Removes a server that is gone for good from the Raft configuration. A server
          that still runs is better removed with "consul leave".
        """
    let flags =
        ClientFlags.connection + ClientFlags.server + [
            Flag("address", .string, "Address of the server in the form ip:port."),
            Flag("id", .string, "Id of the server."),
        ]
    let flagErrorPrefix: String? = "Failed to parse args: "

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        guard let client = context.client(arguments, orFail: "Error initializing client") else { return 1 }
        let address = arguments.string("address"), id = arguments.string("id")
        if address.isEmpty, id.isEmpty {
            return context.fail("Error removing peer: an address or id is required for the peer to remove")
        }
        if !address.isEmpty, !id.isEmpty { return context.fail("Error removing peer: cannot give both an address and id") }
        do {
            let query: APIClient.Query = [address.isEmpty ? ("id", id) : ("address", address)]
            _ = try client.body("DELETE", "/v1/operator/raft/peer", query: query)
        } catch {
            return context.fail("Error removing peer: \(error.text)")
        }
        context.output(address.isEmpty ? "Removed peer with id \"\(id)\"" : "Removed peer with address \"\(address)\"")
        return 0
    }
}
