import Core
import Glibc
import Runtime
import Synchronization

/// `consul watch`. Spec: cli §24.
struct WatchCommand: Command {
    let name = "watch"
    let synopsis = "Tells of changes, or runs a program at each"
    let usage = """
        Usage: consul watch [options] [CHILD...]

          Watches a part of Consul's data. With a program, runs it at every change with the
          data as JSON on its standard input; without, prints the data once.

              $ consul watch -type=key -key=config/web ./reload.sh
        """
    let flags =
        ClientFlags.connection + ClientFlags.server + [
            Flag("key", .string, "Key to watch, with -type=key."),
            Flag("name", .string, "Name of the events to watch, with -type=event."),
            Flag("passingonly", .string, "true for instances only that are healthy, with -type=service."),
            Flag("prefix", .string, "Prefix of the keys to watch, with -type=keyprefix."),
            Flag("service", .string, "Service to watch, with -type=service or -type=checks."),
            Flag("shell", .bool, "Whether the program is run by a shell.", initial: "true"),
            Flag("state", .string, "State of the checks to watch, with -type=checks."),
            Flag("tag", .list, "Tag that instances must have, with -type=service. May be given several times."),
            Flag("type", .string, "What to watch: key, keyprefix, services, nodes, service, checks or event."),
        ]

    /// The program that runs at the moment, for signals.
    private struct Current {
        var child: ChildProcess?
        var isEnding = false
    }

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        if arguments.string("type").isEmpty { return context.failWithHelp("Watch type must be specified") }
        var plan: WatchPlan
        do {
            plan = try WatchPlan(arguments)
        } catch {
            return context.fail(error.text)
        }
        guard let client = context.client(arguments) else { return 1 }
        do {
            _ = try client.json("GET", "/v1/agent/self")
        } catch {
            return context.fail("Error querying Consul agent: \(error.text)")
        }
        let words = arguments.positional
        if words.isEmpty {
            Interrupts.endQuietly()
            let change = plan.next(client, context.console)
            context.console.writeOutput(Self.text(change.data, pretty: true))
            return 0
        }
        let program = arguments.value("shell") == "false" ? words : Shell.arguments(words.joined(separator: " "))
        return follow(&plan, client, program, context)
    }

    private func follow(_ plan: inout WatchPlan, _ client: APIClient, _ program: [String], _ context: CommandContext) -> Int32 {
        let current = SharedState(Current())
        Interrupts.watch { number in
            current.withLock { current in
                current.isEnding = true
                // Nothing to wait for: the process ends here.
                guard let child = current.child else { _exit(0) }
                child.send(number)
            }
        }
        while true {
            let change = plan.next(client, context.console)
            let child: ChildProcess
            do {
                child = try ChildProcess(
                    program, environment: ["CONSUL_INDEX=\(change.index)"], input: .bytes(Self.text(change.data, pretty: false)))
            } catch {
                return context.fail("Error starting handler: \(error)")
            }
            current.withLock { $0.child = child }
            let end = child.wait()
            let isEnding = current.withLock { current in
                current.child = nil
                return current.isEnding
            }
            if isEnding { return 0 }
            if end != .exited(0) { return context.fail("Error executing handler: \(end)") }
        }
    }

    private static func text(_ data: DynamicValue, pretty: Bool) -> [UInt8] {
        var json = JSONWriter(pretty: pretty)
        write(data, to: &json)
        var bytes = json.finish()
        if bytes.last != 10 { bytes.append(10) }
        return bytes
    }

    /// Members in the order in which they stand.
    private static func write(_ value: DynamicValue, to json: inout JSONWriter) {
        switch value {
        case .map(let members):
            json.beginObject()
            for member in members {
                json.key(member.name)
                write(member.value, to: &json)
            }
            json.endObject()
        case .array(let elements):
            json.beginArray()
            for element in elements { write(element, to: &json) }
            json.endArray()
        default: json.dynamic(value)
        }
    }
}

/// A value behind a lock that closures of several threads may hold.
private final class SharedState<Value: Sendable>: Sendable {
    private let value: Mutex<Value>
    init(_ value: Value) { self.value = Mutex(value) }
    func withLock<R: Sendable>(_ body: (inout Value) -> R) -> R { value.withLock { body(&$0) } }
}
