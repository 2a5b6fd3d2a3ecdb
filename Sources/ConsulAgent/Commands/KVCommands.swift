import Core

/// What the `kv` commands share.
enum KVCommands {
    static let group = CommandGroup(
        name: "kv", synopsis: "Reads and writes the key/value store",
        usage: """
            Usage: consul kv <subcommand> [options] [args]

              Reads and writes entries of Consul's key/value store. Without -datacenter the
              local datacenter is used.

              Write, read and delete a key:

                  $ consul kv put redis/config/connections 5
                  $ consul kv get redis/config/connections
                  $ consul kv delete redis/config/connections
            """)

    static let flags = ClientFlags.connection + ClientFlags.server + ClientFlags.namespace

    /// Keys do not begin with a slash, though users write one.
    static func withoutSlash(_ key: String) -> String { key.hasPrefix("/") ? String(key.dropFirst()) : key }

    static func path(_ key: String) -> String { "/v1/kv/" + key }
}

/// One entry as `/v1/kv` returns it.
struct KVEntry {
    var json: DynamicValue

    var key: String { json.text("Key") }
    var session: String { json.text("Session") }
    var value: [UInt8] { (try? Base64.decode(json.text("Value"))) ?? [] }

    /// The entries at or below a key; nil: there is none. Statuses other than 200 and 404 are reported without the body.
    static func read(_ client: APIClient, _ key: String, query: APIClient.Query) throws(APIFailure) -> [KVEntry]? {
        guard let body = try read(client, path: KVCommands.path(key), query) else { return nil }
        return try APIClient.decoded(body).elements.map(KVEntry.init)
    }

    static func read(_ client: APIClient, path: String, _ query: APIClient.Query) throws(APIFailure) -> [UInt8]? {
        let answer = try client.send("GET", path, query: query)
        switch answer.status {
        case 200: return answer.body
        case 404: return nil
        default: throw APIFailure("Unexpected response code: \(answer.status)")
        }
    }
}
