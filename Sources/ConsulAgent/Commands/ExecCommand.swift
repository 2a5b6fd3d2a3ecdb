import Core
import Glibc
import Runtime

/// `consul exec`. Spec: cli §13.
struct ExecCommand: Command {
    let name = "exec"
    let synopsis = "Runs a command on many nodes"
    let usage = """
        Usage: consul exec [options] [-|COMMAND...]

          Runs a command on all nodes of the datacenter, or on those that the filters
          select, and prints what it writes. - reads a script from standard input. Agents
          take part only if disable_remote_exec is off.

              $ consul exec -service=web uptime
        """
    let flags =
        ClientFlags.connection + ClientFlags.server + EventFilters.flags + [
            Flag("prefix", .string, "Prefix in the key/value store for the command and its output.", initial: "_rexec"),
            Flag("shell", .bool, "Whether the command is run by a shell.", initial: "true"),
            Flag("verbose", .bool, "Tells what happens."),
            Flag("wait", .duration, "Time without news after which the command counts as done.", initial: "2s"),
            Flag("wait-repl", .duration, "Time for the command to reach the servers.", initial: "200ms"),
        ]

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        let usesShell = arguments.value("shell") != "false"
        let specification: [UInt8]
        do {
            guard let found = try Self.specification(arguments, context.console, usesShell: usesShell) else {
                return context.failWithHelp("Must specify a command to execute")
            }
            specification = found
        } catch {
            return context.fail(error.text)
        }
        let filters = EventFilters(arguments)
        if let problem = filters.problem { return context.fail(problem) }
        guard let client = context.client(arguments) else { return 1 }
        let config: DynamicValue
        do {
            config = try client.json("GET", "/v1/agent/self")["Config"] ?? .null
        } catch {
            return context.fail("Error querying Consul agent: \(error.text)")
        }
        var job = RemoteJob(client: LockClient(api: client), context: context, arguments)
        let datacenter = arguments.string("datacenter")
        if !datacenter.isEmpty, datacenter != config.text("Datacenter") {
            job.say("Remote exec in foreign datacenter, using Session TTL")
            job.caller = "\(config.text("NodeName"))@\(config.text("Datacenter"))"
        }
        return job.perform(specification, filters)
    }

    /// The job's description; nil if there is no command.
    private static func specification(_ arguments: Arguments, _ console: Console, usesShell: Bool) throws(APIFailure) -> [UInt8]? {
        let words = arguments.positional
        let wait = arguments.duration("wait") ?? .seconds(2)
        var json = JSONWriter()
        json.beginObject()
        if words == ["-"] {
            if !usesShell { throw APIFailure("Cannot configure -shell=false when reading from stdin") }
            let script: [UInt8]
            do { script = try console.readInput() } catch { throw APIFailure("Failed to read stdin: \(error.text)") }
            if script.isEmpty { return nil }
            json.key("Script")
            json.base64(script)
        } else if words.isEmpty {
            return nil
        } else if usesShell {
            json.key("Command")
            json.string(words.joined(separator: " "))
        } else {
            json.key("Args")
            json.strings(words)
        }
        json.key("Wait")
        json.int64(wait.nanoseconds)
        json.endObject()
        return json.finish()
    }
}

/// A command on its way to the nodes and back. The nodes leave what they have to tell below a prefix, under the session of the job.
private struct RemoteJob {
    let client: LockClient
    let context: CommandContext
    /// Set for another datacenter: `node@datacenter` of who asks.
    var caller: String?
    private let prefix: String
    private let wait: Duration
    private let replicationWait: Duration
    private let isVerbose: Bool
    private var session = ""
    private var seen: [String] = []
    private var acknowledged = 0
    private var completed = 0
    private var hasFailures = false

    init(client: LockClient, context: CommandContext, _ arguments: Arguments) {
        self.client = client
        self.context = context
        prefix = arguments.string("prefix", default: "_rexec")
        wait = arguments.duration("wait") ?? .seconds(2)
        replicationWait = arguments.duration("wait-repl") ?? .milliseconds(200)
        isVerbose = arguments.isSet("verbose")
    }

    private static let renewalInterval: Duration = .seconds(5)

    private var folder: String { "\(prefix)/\(session)/" }

    func say(_ text: String) { if isVerbose { context.output(text) } }

    mutating func perform(_ specification: [UInt8], _ filters: EventFilters) -> Int32 {
        do {
            session = try createSession()
        } catch {
            return context.fail("Failed to create session: \(error.text)")
        }
        let cleanUp = cleanUp
        Interrupts.watch { _ in
            cleanUp()
            _exit(1)
        }
        defer { cleanUp() }
        say("Created remote execution session: \(session)")
        do throws(APIFailure) {
            let query: APIClient.Query = [("acquire", session)]
            if try !client.write(folder + "job", specification, query: query) { throw APIFailure("failed to acquire key \(folder)job") }
        } catch {
            return context.fail("Failed to create job file: \(error.text)")
        }
        say("Uploaded remote execution spec")
        usleep(UInt32(clamping: replicationWait.nanoseconds / 1000))
        do {
            var json = JSONWriter()
            json.dynamic(.map([DynamicMember("Prefix", .string(prefix)), DynamicMember("Session", .string(session))]))
            let body = json.finish()
            let event = try APIClient.decoded(try client.api.body("PUT", "/v1/event/fire/_rexec", query: filters.query, body: body))
            say("Fired remote execution event: \(event.text("ID"))")
        } catch {
            return context.fail("Failed to fire event: \(error.text)")
        }
        do {
            try collect()
        } catch {
            return context.fail("Failed to read results: \(error.text)")
        }
        return hasFailures ? 2 : 0
    }

    private func createSession() throws(APIFailure) -> String {
        guard let caller else { return try client.createSession(name: "Remote Exec", behavior: "delete") }
        // The agent's own node is unknown there: a server of that datacenter stands in for it, without its checks.
        guard let node = try client.api.json("GET", "/v1/health/service/consul", query: [("passing", "1")]).elements.first?["Node"] else {
            throw APIFailure("Failed to find Consul server in remote datacenter")
        }
        say("Binding session to remote node \(node.text("Node"))@\(node.text("Datacenter"))")
        return try client.createSession(name: "Remote Exec via \(caller)", behavior: "delete", boundTo: node.text("Node"))
    }

    private var cleanUp: @Sendable () -> Void {
        let client = client, session = session, folder = "\(prefix)/\(session)"
        return {
            try? client.destroy(session)
            _ = try? client.delete(folder, query: [("recurse", "")])
        }
    }

    // MARK: Results

    private mutating func collect() throws(APIFailure) {
        let start = SystemClock.now()
        var lastNews = start, lastRenewal = start
        var index: UInt64 = 0
        while true {
            let quiet = acknowledged > completed ? wait * 2 : wait
            let left = quiet - (SystemClock.now() - lastNews)
            if left <= .zero { break }
            let query = LockClient.waiting(min(left, Self.renewalInterval), from: index) + [("keys", "")]
            let answer = try client.api.send("GET", KVCommands.path(folder), query: query)
            switch answer.status {
            case 200:
                for case .string(let key) in try APIClient.decoded(answer.body).elements where !seen.contains(key) {
                    seen.append(key)
                    try take(key)
                    lastNews = SystemClock.now()
                }
            case 404: break
            default: throw APIFailure("Unexpected response code: \(answer.status)")
            }
            index = answer.index
            if SystemClock.now() - lastRenewal > Self.renewalInterval {
                lastRenewal = SystemClock.now()
                try? client.renew(session)
            }
        }
        context.output("\(completed) / \(acknowledged) node(s) completed / acknowledged")
        let seconds = Double((SystemClock.now() - start).nanoseconds) / 1e9
        say("Completed in \(TextLayout.decimal(seconds, places: 2)) seconds")
        if completed < acknowledged { hasFailures = true }
    }

    /// One thing that a node has to tell.
    private mutating func take(_ key: String) throws(APIFailure) {
        let parts = key.dropFirst(folder.count).split(separator: "/").map(String.init)
        guard parts.count >= 2, key.hasPrefix(folder) else { return }
        let node = parts[0]
        switch parts[1] {
        case "ack":
            acknowledged += 1
            if isVerbose { tell(node, "acknowledged") }
        case "exit":
            let value = try read(key)
            guard let code = Int(String(decoding: value, as: UTF8.self)) else {
                throw APIFailure("Failed to parse exit code: \(String(decoding: value, as: UTF8.self))")
            }
            completed += 1
            tell(node, "finished with exit code \(code)")
            if code != 0 { hasFailures = true }
        case "out":
            let value = try read(key)
            if !value.isEmpty {
                tell(node, String(decoding: value, as: UTF8.self), arrow: "   ")
            } else if isVerbose {
                tell(node, "heartbeat received")
            }
        default: break
        }
    }

    private func read(_ key: String) throws(APIFailure) -> [UInt8] { try client.read(key, query: []).entries.first?.value ?? [] }

    /// Every line behind the node's name.
    private func tell(_ node: String, _ text: String, arrow: String = "==>") {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { "\(arrow) \(node): \($0)" }
        var scalars = lines.joined(separator: "\n").unicodeScalars[...]
        while scalars.last?.properties.isWhitespace ?? false { scalars.removeLast() }
        context.output(String(scalars))
    }
}
