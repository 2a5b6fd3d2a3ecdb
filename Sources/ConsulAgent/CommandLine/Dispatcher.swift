import Core

/// Finds and runs the command that the user named. Spec: cli §1.1, §1.2.
struct Dispatcher {
    let commands: [any Command]
    let groups: [CommandGroup]
    /// Commands of the reference that this version does not have, with the groups among them.
    let unsupported: [String]

    /// The arguments of a call, sorted out.
    private struct Call {
        var wantsHelp = false
        var wantsVersion = false
        var wantsCompletion = false
        var invalidFlags: [String] = []
        /// From the first word that is no flag.
        var words: [String] = []

        init(_ arguments: [String]) {
            for (index, argument) in arguments.enumerated() {
                if argument == "--" {
                    words += arguments[index...]
                    break
                }
                if ["-h", "-help", "--help"].contains(argument) {
                    wantsHelp = true
                    // It stays among the arguments of a command that gets that far.
                    if !words.isEmpty { words.append(argument) }
                } else if ["autocomplete-install", "autocomplete-uninstall"].contains(argument.drop { $0 == "-" }), argument.hasPrefix("-")
                {
                    wantsCompletion = true
                } else if !words.isEmpty || !argument.hasPrefix("-") {
                    words.append(argument)
                } else if ["-v", "-version", "--version"].contains(argument) {
                    wantsVersion = true
                } else {
                    invalidFlags.append(argument)
                }
            }
        }
    }

    func run(_ arguments: [String], console: Console, transport: any Transport) -> Int32 {
        let call = Call(arguments)
        if call.wantsVersion { return execute("version", [], console, transport) }
        let (name, rest) = find(call.words)
        if call.wantsHelp, call.words.isEmpty {
            console.writeOutput(Array(rootHelp.utf8))
            return 0
        }
        if call.wantsCompletion {
            console.error("Error executing CLI: completion by the shell is not supported by this version")
            return 1
        }
        if let name, unsupported.contains(name) { return refuse(name, call, console) }
        guard let name, let help = help(of: name) else {
            console.writeError(Array(rootHelp.utf8))
            return 127
        }
        if call.wantsHelp {
            console.output(help)
            return 0
        }
        if !call.invalidFlags.isEmpty {
            console.error(
                "Invalid flags before the subcommand. If these flags are for\nthe subcommand, please put them after the subcommand.\n")
            console.error(help)
            return 1
        }
        return execute(name, rest, console, transport)
    }

    private func refuse(_ name: String, _ call: Call, _ console: Console) -> Int32 {
        let text = "The command \"consul \(name)\" is not supported by this version."
        if call.wantsHelp {
            console.output(text)
            return 0
        }
        console.error(text)
        return 1
    }

    /// The longest known name at the start of the words, and what follows it; nil if there is none.
    private func find(_ words: [String]) -> (name: String?, rest: [String]) {
        var candidates: [String] = []
        for word in words {
            if word.utf8.contains(UInt8(ascii: " ")) { break }
            candidates.append(word)
        }
        while !candidates.isEmpty {
            let name = candidates.joined(separator: " ")
            let isKnown = commands.contains { $0.name == name } || groups.contains { $0.name == name } || unsupported.contains(name)
            if isKnown { return (name, Array(words[candidates.count...])) }
            candidates.removeLast()
        }
        return (nil, words)
    }

    private func execute(_ name: String, _ words: [String], _ console: Console, _ transport: any Transport) -> Int32 {
        guard let command = commands.first(where: { $0.name == name }) else {
            console.error(help(of: name) ?? "")
            return 1
        }
        let flags = FlagSet(flags: command.flags)
        do {
            let arguments = try flags.parse(words)
            return command.run(arguments, CommandContext(console: console, transport: transport, help: command.help))
        } catch {
            console.error(error.text)
            console.writeError(Array(flags.usage.utf8))
            if let prefix = command.flagErrorPrefix { console.error(prefix + error.text) }
            return 1
        }
    }

    // MARK: Help

    private func help(of name: String) -> String? {
        if let command = commands.first(where: { $0.name == name }) { return command.help }
        guard let group = groups.first(where: { $0.name == name }) else { return nil }
        return TextLayout.trimmed(group.usage) + "\n\nSubcommands:\n" + list(below: name + " ")
    }

    private var rootHelp: String {
        "Usage: consul [--version] [--help] <command> [<args>]\n\nAvailable commands are:\n" + list(below: "") + "\n\n"
    }

    /// The commands one word below a prefix, with their synopses.
    private func list(below prefix: String) -> String {
        let all = commands.map { ($0.name, $0.synopsis) } + groups.map { ($0.name, $0.synopsis) }
        let entries = all.filter { $0.0.hasPrefix(prefix) && !$0.0.dropFirst(prefix.count).contains(" ") }
            .map { (String($0.0.dropFirst(prefix.count)), $0.1) }.sorted { ByteString($0.0) < ByteString($1.0) }
        let width = entries.map(\.0.count).max() ?? 0
        return entries.map { "    \(TextLayout.padded($0.0, width))    \($0.1)" }.joined(separator: "\n")
    }
}
