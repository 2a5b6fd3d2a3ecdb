import Core

/// One thing that `consul` can do.
protocol Command {
    /// `kv get`
    var name: String { get }
    /// One line for the list of commands.
    var synopsis: String { get }
    /// The text above the flags, beginning with `Usage: `.
    var usage: String { get }
    var flags: [Flag] { get }
    /// What precedes the mistake in a line of its own below the list of flags; nil: no such line.
    var flagErrorPrefix: String? { get }
    /// Returns the exit code.
    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32
}

extension Command {
    var flags: [Flag] { [] }
    var flagErrorPrefix: String? { nil }
    var help: String { Self.help(usage, FlagSet(flags: flags).help) }

    /// Usage and flags with one empty line between them, without newlines at the end.
    static func help(_ usage: String, _ flags: String) -> String {
        var text = TextLayout.trimmed(usage)
        if !flags.isEmpty { text += "\n\n" + flags }
        while text.utf8.last == 10 { text.unicodeScalars.removeLast() }
        return text
    }
}

/// Commands that only hold others.
struct CommandGroup {
    var name: String
    var synopsis: String
    var usage: String
}

/// What a running command works with.
struct CommandContext {
    var console: Console
    /// Connects to an agent.
    var transport: any Transport
    /// The help of the running command, for those that show it themselves.
    var help: String

    func output(_ text: String) { console.output(text) }
    /// Writes a line on standard error and returns the code for failure.
    func fail(_ text: String) -> Int32 {
        console.error(text)
        return 1
    }
    /// A mistake in the arguments: the line, an empty one, and the help.
    func failWithHelp(_ text: String) -> Int32 {
        console.error(text)
        console.error("")
        return fail(help)
    }
    /// Reports the failure itself.
    func client(_ arguments: Arguments, orFail prefix: String = "Error connecting to Consul agent") -> APIClient? {
        do {
            return try APIClient(arguments, console, transport)
        } catch {
            console.error("\(prefix): \(error.text)")
            return nil
        }
    }
}
