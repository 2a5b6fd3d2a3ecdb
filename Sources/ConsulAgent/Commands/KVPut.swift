import Core

/// `consul kv put`. Spec: cli §6.2.
struct KVPut: Command {
    let name = "kv put"
    let synopsis = "Writes the value of a key"
    let usage = """
        Usage: consul kv put [options] KEY [DATA]

          Writes a value. DATA may be the value itself, @FILE for the content of a file,
          or - for standard input; without it the value is empty.

              $ consul kv put redis/config/connections 5
              $ consul kv put webapp/beta/active @active.json
        """
    let flags =
        KVCommands.flags + [
            Flag("acquire", .bool, "Locks the key with the session given by -session."),
            Flag("base64", .bool, "DATA is base64 and is decoded before it is written."),
            Flag("cas", .bool, "Writes only if the key's ModifyIndex is still the one given by -modify-index."),
            Flag("flags", .uint, "Number that is stored with the value.", initial: "0"),
            Flag("modify-index", .uint, "ModifyIndex that -cas expects the key to have.", initial: "0"),
            Flag("release", .bool, "Unlocks the key, held by the session given by -session."),
            Flag("session", .string, "Id of the session that locks or unlocks the key."),
        ]

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        guard let key = arguments.positional.first, !key.isEmpty else { return context.fail("Error! Missing KEY argument") }
        if arguments.positional.count > 2 {
            return context.fail("Error! Too many arguments (expected 1 or 2, got \(arguments.positional.count))")
        }
        var data: [UInt8] = []
        do {
            if arguments.positional.count == 2 { data = try DataSource.read(arguments.positional[1], context.console) }
        } catch {
            return context.fail("Error! \(error.text)")
        }
        if arguments.isSet("base64") {
            do {
                data = try Base64.decode(data)
            } catch {
                context.console.error("Error! Cannot base 64 decode data: illegal base64 data at input byte \(error.offset)")
                data = error.partial
            }
        }
        let locks = arguments.isSet("acquire") || arguments.isSet("release")
        if locks, arguments.string("session").isEmpty {
            return context.fail("Error! Missing -session (required with -acquire and -release)")
        }
        if arguments.isSet("cas"), arguments.number("modify-index") == 0 {
            return context.fail("Must specify -modify-index with -cas!")
        }
        do {
            let client = try APIClient(arguments, context.console, context.transport)
            return put(key, data, client, arguments, context)
        } catch {
            return context.fail("Error connecting to Consul agent: \(error.text)")
        }
    }

    private func put(
        _ key: String, _ data: [UInt8], _ client: APIClient, _ arguments: Arguments, _ context: CommandContext
    ) -> Int32 {
        var query: APIClient.Query = []
        if arguments.number("flags") != 0 { query.append(("flags", String(arguments.number("flags")))) }
        if arguments.isSet("cas") {
            query.append(("cas", String(arguments.number("modify-index"))))
        } else if arguments.isSet("acquire") {
            query.append(("acquire", arguments.string("session")))
        } else if arguments.isSet("release") {
            query.append(("release", arguments.string("session")))
        }
        let isDone: Bool
        do throws(APIFailure) {
            if key.hasPrefix("/") { throw APIFailure("Invalid key. Key must not begin with a '/': \(key)") }
            isDone = Self.isTrue(try client.body("PUT", KVCommands.path(key), query: query, body: data))
        } catch {
            if arguments.isSet("cas") { return context.fail("Error! Did not write to \(key): \(error.text)") }
            let isRelease = arguments.isSet("release") && !arguments.isSet("acquire")
            return context.fail("Error! Failed writing data: \(isRelease ? key : error.text)")
        }
        if arguments.isSet("cas") {
            if !isDone { return context.fail("Error! Did not write to \(key): CAS failed") }
        } else if arguments.isSet("acquire") {
            if !isDone { return context.fail("Error! Did not acquire lock") }
            context.output("Success! Lock acquired on: \(key)")
            return 0
        } else if arguments.isSet("release") {
            if !isDone { return context.fail("Error! Did not release lock") }
            context.output("Success! Lock released on: \(key)")
            return 0
        }
        context.output("Success! Data written to: \(key)")
        return 0
    }

    /// The body of an answer that says whether a write was made.
    static func isTrue(_ body: [UInt8]) -> Bool { TextLayout.trimmed(String(decoding: body, as: UTF8.self)) == "true" }
}
