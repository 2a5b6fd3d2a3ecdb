import Core

/// `consul kv import`. Spec: cli §6.4.
struct KVImport: Command {
    let name = "kv import"
    let synopsis = "Imports keys and their values from JSON"
    let usage = """
        Usage: consul kv import [options] [DATA]

          Writes the keys of a JSON text as "consul kv export" prints it. DATA may be the
          text itself, @FILE for the content of a file, or - for standard input.

              $ consul kv import @values.json
        """
    let flags = KVCommands.flags

    private struct Entry {
        var key = ""
        var flags: UInt64 = 0
        var value = ""
    }

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        let entries: [Entry]
        do {
            entries = try Self.entries(arguments, context.console)
        } catch {
            return context.fail(error.text)
        }
        guard let client = context.client(arguments) else { return 1 }
        for entry in entries {
            let value: [UInt8]
            do {
                value = try Base64.decode(entry.value)
            } catch {
                return context.fail("Error base 64 decoding value for key \(entry.key): illegal base64 data at input byte \(error.offset)")
            }
            do throws(APIFailure) {
                let query: APIClient.Query = entry.flags == 0 ? [] : [("flags", String(entry.flags))]
                if entry.key.hasPrefix("/") { throw APIFailure("Invalid key. Key must not begin with a '/': \(entry.key)") }
                _ = try client.body("PUT", KVCommands.path(entry.key), query: query, body: value)
            } catch {
                return context.fail("Error! Failed writing data for key \(entry.key): \(error.text)")
            }
            context.output("Imported: \(entry.key)")
        }
        return 0
    }

    private static func entries(_ arguments: Arguments, _ console: Console) throws(APIFailure) -> [Entry] {
        guard let source = arguments.positional.first else { throw APIFailure("Error! Missing DATA argument") }
        if arguments.positional.count > 1 {
            throw APIFailure("Error! Too many arguments (expected 1, got \(arguments.positional.count))")
        }
        let text: [UInt8]
        do { text = try DataSource.read(source, console) } catch { throw APIFailure("Error! \(error.text)") }
        if text.isEmpty { throw APIFailure("Error! Empty DATA argument") }
        let json: DynamicValue
        do { json = try JSON.parseDocument(text) } catch { throw APIFailure("Cannot unmarshal data: \(error.documentText)") }
        switch json {
        case .null: return []
        case .array(let elements):
            var entries: [Entry] = []
            for element in elements { entries.append(try entry(element)) }
            return entries
        default: throw mismatch(json, "[]*impexp.Entry")
        }
    }

    /// Members match in any case; a value of another type is an error.
    private static func entry(_ json: DynamicValue) throws(APIFailure) -> Entry {
        guard case .map(let members) = json else { throw mismatch(json, "impexp.Entry") }
        var entry = Entry()
        for member in members {
            switch (member.name.lowercased(), member.value) {
            case (_, .null): break
            case ("key", .string(let text)): entry.key = text
            case ("value", .string(let text)): entry.value = text
            case ("flags", .int(let number)) where number >= 0: entry.flags = UInt64(number)
            case ("flags", .uint(let number)): entry.flags = number
            case ("key", _), ("value", _): throw mismatch(member.value, "Go struct field Entry.\(member.name.lowercased()) of type string")
            case ("flags", _): throw mismatch(member.value, "Go struct field Entry.flags of type uint64")
            default: break
            }
        }
        return entry
    }

    private static func mismatch(_ json: DynamicValue, _ target: String) -> APIFailure {
        let kind =
            switch json {
            case .null: "null"
            case .bool: "bool"
            case .int(let number): "number \(number)"
            case .uint, .double: "number"
            case .string, .bytes: "string"
            case .array: "array"
            case .map: "object"
            }
        let place = target.hasPrefix("Go struct") ? target : "Go value of type \(target)"
        return APIFailure("Cannot unmarshal data: json: cannot unmarshal \(kind) into \(place)")
    }
}
