import Core

/// `consul kv get`. Spec: cli §6.1.
struct KVGet: Command {
    let name = "kv get"
    let synopsis = "Reads keys and their values"
    let usage = """
        Usage: consul kv get [options] [KEY_OR_PREFIX]

          Reads the value of a key:

              $ consul kv get redis/config/connections

          With -recurse, all keys that begin with a prefix and their values:

              $ consul kv get -recurse redis/config/

          With -keys, only the names of the keys that begin with a prefix, up to the
          next separator:

              $ consul kv get -keys redis/
        """
    let flags =
        KVCommands.flags + [
            Flag("base64", .bool, "Prints values in base64."),
            Flag("detailed", .bool, "Prints what is known of the key besides its value, such as its indexes, flags and session."),
            Flag("keys", .bool, "Prints names only, of the keys that begin with the prefix."),
            Flag("recurse", .bool, "Prints all keys that begin with the prefix."),
            Flag(
                "separator", .string, "With -keys, names are cut after the first separator behind the prefix; empty for whole names.",
                initial: "/"),
        ]

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        if arguments.positional.count > 1 {
            return context.fail("Too many arguments (expected 1, got \(arguments.positional.count))")
        }
        let key = KVCommands.withoutSlash(arguments.positional.first ?? "")
        let wantsKeys = arguments.isSet("keys"), recurses = arguments.isSet("recurse")
        if key.isEmpty, !wantsKeys, !recurses { return context.fail("Error! Missing KEY argument") }
        guard let client = context.client(arguments) else { return 1 }
        do {
            if wantsKeys { return try printKeys(client, key, arguments, context) }
            return try printEntries(client, key, recurses, arguments, context)
        } catch {
            return context.fail("Error querying Consul agent: \(error.text)")
        }
    }

    private func stale(_ arguments: Arguments) -> APIClient.Query { arguments.isSet("stale") ? [("stale", "")] : [] }

    private func printKeys(
        _ client: APIClient, _ prefix: String, _ arguments: Arguments, _ context: CommandContext
    ) throws(APIFailure) -> Int32 {
        var query = stale(arguments) + [("keys", "")]
        let separator = arguments.string("separator", default: "/")
        if !separator.isEmpty { query.append(("separator", separator)) }
        guard let body = try KVEntry.read(client, path: KVCommands.path(prefix), query) else { return 0 }
        for element in try APIClient.decoded(body).elements {
            if case .string(let name) = element { context.output(name) }
        }
        return 0
    }

    private func printEntries(
        _ client: APIClient, _ key: String, _ recurses: Bool, _ arguments: Arguments, _ context: CommandContext
    ) throws(APIFailure) -> Int32 {
        let found = try KVEntry.read(client, key, query: stale(arguments) + (recurses ? [("recurse", "")] : [])) ?? []
        if found.isEmpty, !recurses { return context.fail("Error! No key exists at: \(key)") }
        let inBase64 = arguments.isSet("base64")
        for (index, entry) in found.enumerated() {
            let value = inBase64 ? Array(Base64.encode(entry.value).utf8) : entry.value
            if arguments.isSet("detailed") {
                if index > 0 { context.output("") }
                context.console.writeOutput(details(of: entry, value) + [10])
            } else {
                let label = recurses ? Array((entry.key + ":").utf8) : []
                context.console.writeOutput(label + value + [10])
            }
        }
        return 0
    }

    private func details(of entry: KVEntry, _ value: [UInt8]) -> [UInt8] {
        var rows = [
            ["CreateIndex", entry.json.printed("CreateIndex")], ["Flags", entry.json.printed("Flags")], ["Key", entry.key],
            ["LockIndex", entry.json.printed("LockIndex")], ["ModifyIndex", entry.json.printed("ModifyIndex")],
            ["Session", entry.session.isEmpty ? "-" : entry.session],
        ]
        if !entry.json.text("Namespace").isEmpty { rows.append(["Namespace", entry.json.text("Namespace")]) }
        rows.append(["Value", ""])
        // The value is bytes, not always text; an empty one leaves no blanks behind.
        var lines = Array(TextLayout.tabs(rows).utf8)
        lines += value
        if value.isEmpty { while lines.last == UInt8(ascii: " ") { lines.removeLast() } }
        return lines
    }
}
