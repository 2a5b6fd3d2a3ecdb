/// `consul kv delete`. Spec: cli §6.3.
struct KVDelete: Command {
    let name = "kv delete"
    let synopsis = "Deletes keys"
    let usage = """
        Usage: consul kv delete [options] KEY_OR_PREFIX

          Deletes a key, or with -recurse all keys that begin with a prefix. It is no
          error if there is none.

              $ consul kv delete foo
              $ consul kv delete -recurse foo/
        """
    let flags =
        KVCommands.flags + [
            Flag("cas", .bool, "Deletes only if the key's ModifyIndex is still the one given by -modify-index."),
            Flag("modify-index", .uint, "ModifyIndex that -cas expects the key to have.", initial: "0"),
            Flag("recurse", .bool, "Deletes all keys that begin with the prefix."),
        ]

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        if arguments.positional.count > 1 {
            return context.fail("Too many arguments (expected 1, got \(arguments.positional.count))")
        }
        let key = KVCommands.withoutSlash(arguments.positional.first ?? "")
        let recurses = arguments.isSet("recurse"), checks = arguments.isSet("cas"), index = arguments.number("modify-index")
        if key.isEmpty, !recurses { return context.fail("Error! Missing KEY argument") }
        if checks, index == 0 { return context.fail("Must specify -modify-index with -cas!") }
        if !checks, index != 0 { return context.fail("Cannot specify -modify-index without -cas!") }
        if checks, recurses { return context.fail("Cannot specify both -cas and -recurse!") }
        guard let client = context.client(arguments) else { return 1 }
        let query: APIClient.Query = recurses ? [("recurse", "")] : checks ? [("cas", String(index))] : []
        do {
            let body = try client.body("DELETE", KVCommands.path(key), query: query)
            if checks, !KVPut.isTrue(body) { return context.fail("Error! Did not delete key \(key): CAS failed") }
        } catch {
            if recurses { return context.fail("Error! Did not delete prefix \(key): \(error.text)") }
            return context.fail(checks ? "Error! Did not delete key \(key): \(error.text)" : "Error deleting key \(key): \(error.text)")
        }
        context.output(recurses ? "Success! Deleted keys with prefix: \(key)" : "Success! Deleted key: \(key)")
        return 0
    }
}
