import Core
import Glibc
import Runtime

/// What the `snapshot` commands share.
enum SnapshotCommands {
    static let group = CommandGroup(
        name: "snapshot", synopsis: "Saves, restores and inspects the state of the servers",
        usage: """
            Usage: consul snapshot <subcommand> [options] [args]

              Saves what the servers of a datacenter keep - keys, catalog, sessions and the
              like - in a file, restores it from there, and tells about such files. A file
              is consistent as of one moment.

                  $ consul snapshot save backup.snap
                  $ consul snapshot restore backup.snap
                  $ consul snapshot inspect backup.snap
            """)

    static let flags = ClientFlags.connection + ClientFlags.server

    /// The only argument; reports anything else.
    static func file(_ arguments: Arguments, _ context: CommandContext) -> String? {
        switch arguments.positional.count {
        case 0: context.console.error("Missing FILE argument")
        case 1: return arguments.positional[0]
        case let count: context.console.error("Too many arguments (expected 1, got \(count))")
        }
        return nil
    }

    /// What the file holds; reports that it cannot be read.
    static func archive(in file: String, _ context: CommandContext) -> [UInt8]? {
        do {
            return try context.console.readFile(file)
        } catch {
            context.console.error("Error opening snapshot file: \(error.text)")
            return nil
        }
    }

    /// Reads all of an archive to see that it is whole.
    static func verify(_ archive: [UInt8]) throws(TextError) -> ArchiveDescription {
        var reader = ArchiveReader(archive, tools: SystemArchiveTools())
        while true {
            if case .done(let description) = try reader.next() { return description }
        }
    }
}

/// `consul snapshot save`. Spec: cli §21.
struct SnapshotSaveCommand: Command {
    let name = "snapshot save"
    let synopsis = "Saves the state of the servers in a file"
    let usage = """
        Usage: consul snapshot save [options] FILE

          Saves the state of the servers in a file, which is checked before it gets its
          name. With -stale any server provides it, also without a leader.

              $ consul snapshot save backup.snap
        """
    let flags = SnapshotCommands.flags

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        guard let file = SnapshotCommands.file(arguments, context), let client = context.client(arguments) else { return 1 }
        let answer: APIAnswer
        do {
            let query: APIClient.Query = arguments.isSet("stale") ? [("stale", "")] : []
            answer = try client.answer("GET", "/v1/snapshot", query: query)
        } catch {
            return context.fail("Error saving snapshot: \(error.text)")
        }
        let unverified = "\(file).unverified.tmp\(UInt32.random(in: .min ... .max))"
        defer { unlink(unverified) }
        let written: [UInt8]
        do {
            try Files.write(unverified, answer.body, mode: 0o666)
            written = try Files.read(unverified)
        } catch {
            return context.fail("Error writing unverified snapshot file: \(error.text)")
        }
        do {
            _ = try SnapshotCommands.verify(written)
        } catch {
            return context.fail("Error verifying snapshot file: \(error.text)")
        }
        do {
            try Files.rename(unverified, to: file)
        } catch {
            return context.fail("Error renaming \(GoQuote.quote(unverified)) to \(GoQuote.quote(file)): \(error.text)")
        }
        context.output("Saved and verified snapshot to index \(answer.index)")
        return 0
    }
}

/// `consul snapshot restore`. Spec: cli §21.
struct SnapshotRestoreCommand: Command {
    let name = "snapshot restore"
    let synopsis = "Restores the state of the servers from a file"
    let usage = """
        Usage: consul snapshot restore [options] FILE

          Replaces the state of the servers by that of a file. All that has been written
          since the file was saved is lost.

              $ consul snapshot restore backup.snap
        """
    let flags = SnapshotCommands.flags

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        guard let file = SnapshotCommands.file(arguments, context), let client = context.client(arguments),
            let archive = SnapshotCommands.archive(in: file, context)
        else { return 1 }
        do {
            _ = try client.body("PUT", "/v1/snapshot", body: archive)
        } catch {
            return context.fail("Error restoring snapshot: \(error.text)")
        }
        context.output("Restored snapshot")
        return 0
    }
}

/// `consul snapshot inspect`. Spec: cli §21.
struct SnapshotInspect: Command {
    let name = "snapshot inspect"
    let synopsis = "Tells about a file with the state of servers"
    let usage = """
        Usage: consul snapshot inspect [options] FILE

          Checks a file and tells what it holds. No agent is asked.

              $ consul snapshot inspect backup.snap
        """

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        guard let file = SnapshotCommands.file(arguments, context), let archive = SnapshotCommands.archive(in: file, context) else {
            return 1
        }
        do {
            let found = try SnapshotCommands.verify(archive)
            let rows = [
                ["ID", found.id], ["Size", String(found.size)], ["Index", String(found.index)], ["Term", String(found.term)],
                ["Version", String(found.version)],
            ]
            context.output(TextLayout.tabs(rows) + "\n")
            return 0
        } catch {
            return context.fail("Error verifying snapshot: \(error.text)")
        }
    }
}
