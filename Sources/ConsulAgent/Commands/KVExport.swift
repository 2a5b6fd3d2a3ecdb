import Core

/// `consul kv export`. Spec: cli §6.4.
struct KVExport: Command {
    let name = "kv export"
    let synopsis = "Exports keys and their values as JSON"
    let usage = """
        Usage: consul kv export [options] [PREFIX]

          Prints all keys that begin with a prefix as JSON, in the form that
          "consul kv import" reads.

              $ consul kv export vault > vault.json
        """
    let flags = KVCommands.flags

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        if arguments.positional.count > 1 {
            return context.fail("Too many arguments (expected 1, got \(arguments.positional.count))")
        }
        guard let client = context.client(arguments) else { return 1 }
        let prefix = KVCommands.withoutSlash(arguments.positional.first ?? "")
        do {
            let query: APIClient.Query = [("recurse", "")] + (arguments.isSet("stale") ? [("stale", "")] : [])
            context.output(Self.text(try KVEntry.read(client, prefix, query: query) ?? []))
            return 0
        } catch {
            return context.fail("Error querying Consul agent: \(error.text)")
        }
    }

    private static func text(_ entries: [KVEntry]) -> String {
        if entries.isEmpty { return "[]" }
        let objects = entries.map { entry in
            var lines = [
                "\t\t\"key\": \(quoted(entry.key))", "\t\t\"flags\": \(entry.json.printed("Flags"))",
                "\t\t\"value\": \(quoted(entry.json.text("Value")))",
            ]
            if !entry.json.text("Namespace").isEmpty { lines.append("\t\t\"namespace\": \(quoted(entry.json.text("Namespace")))") }
            return "\t{\n" + lines.joined(separator: ",\n") + "\n\t}"
        }
        return "[\n" + objects.joined(separator: ",\n") + "\n]"
    }

    private static func quoted(_ text: String) -> String {
        var writer = JSONWriter()
        writer.string(text)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
