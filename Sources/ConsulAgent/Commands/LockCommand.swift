import Core
import Dispatch
import Glibc
import Runtime

/// `consul lock`. Spec: cli §18.
struct LockCommand: Command {
    let name = "lock"
    let synopsis = "Runs a program while holding a lock"
    let usage = """
        Usage: consul lock [options] PREFIX CHILD...

          Takes a lock below a prefix of the key/value store, runs a program, and gives the
          lock back when the program ends. If the lock is lost, the program is ended. With
          -n, that many may hold the lock at the same time.

              $ consul lock service/backup ./backup.sh
        """
    let flags =
        ClientFlags.connection + ClientFlags.server + [
            Flag("child-exit-code", .bool, "Ends with code 2 if the program failed."),
            Flag("monitor-retry", .int, "Number of tries, a second apart, when the lock cannot be watched for a moment.", initial: "3"),
            Flag("n", .int, "Number of holders.", initial: "1"),
            Flag("name", .string, "Name of the session; by default it tells program and prefix."),
            Flag("pass-stdin", .bool, "Lets the program read the command's standard input."),
            Flag("shell", .bool, "Whether the program is run by a shell.", initial: "true"),
            Flag("timeout", .duration, "Longest time to wait for the lock; 0 waits for ever.", initial: "0s"),
            Flag("try", .duration, "Old name of -timeout.", initial: "0s"),
            Flag("verbose", .bool, "Tells what happens."),
        ]

    private static let killGrace: Duration = .seconds(5)

    /// What the main thread waits for.
    private enum Happening: Sendable {
        case acquired(LockHolder.Outcome)
        case lost
        case ended(ChildProcess.End)
        case interrupted(Int32)
    }

    func run(_ arguments: Arguments, _ context: CommandContext) -> Int32 {
        let limit = arguments.integer("n", default: 1), retries = arguments.integer("monitor-retry", default: 3)
        if limit <= 0 { return context.fail("Lock holder limit must be positive") }
        guard arguments.positional.count >= 2 else { return context.fail("Key prefix and child command must be specified") }
        let prefix = KVCommands.withoutSlash(arguments.positional[0]), words = Array(arguments.positional.dropFirst())
        let timeout = arguments.given.last { $0.name == "timeout" || $0.name == "try" }.flatMap { try? GoDuration.parse($0.value) }
        if let timeout, timeout < .zero { return context.fail("Timeout must be positive") }
        if retries < 0 { return context.fail("Number for 'monitor-retry' must be >= 0") }
        guard let client = context.client(arguments) else { return 1 }
        do {
            _ = try client.json("GET", "/v1/agent/self")
        } catch {
            return context.fail("Error querying Consul agent: \(error.text)")
        }
        let key = Semaphore.path(prefix, ".lock")
        let lock: any ClusterLock = limit == 1 ? Mutual(key: key) : Semaphore(prefix: prefix, limit: limit)
        var run = Run(context: context, holder: LockHolder(client, lock), isVerbose: arguments.isSet("verbose"))
        run.say(limit == 1 ? "Setting up lock at path: \(key)" : "Setting up semaphore (limit \(limit)) at prefix: \(prefix)")
        run.isFailurePassedOn = arguments.isSet("child-exit-code")
        run.input = arguments.isSet("pass-stdin") ? .inherited : .none
        run.program = arguments.value("shell") == "false" ? words : Shell.arguments(words.joined(separator: " "))
        let name = arguments.string("name")
        let sessionName = name.isEmpty ? "Consul lock for '\(words.joined(separator: " "))' at '\(prefix)'" : name
        return run.perform(sessionName: sessionName, timeout: timeout == .zero ? nil : timeout, retries: retries)
    }

    /// One run of the command once its arguments are known to be good.
    private struct Run {
        let context: CommandContext
        let holder: LockHolder
        let isVerbose: Bool
        let mailbox = Mailbox<Happening>()
        var isFailurePassedOn = false
        var input = ChildProcess.Input.none
        var program: [String] = []

        func say(_ text: String) { if isVerbose { context.output(text) } }

        func perform(sessionName: String, timeout: Duration?, retries: Int) -> Int32 {
            let mailbox = mailbox, holder = holder
            Interrupts.watch { mailbox.post(.interrupted($0)) }
            say("Attempting lock acquisition")
            DispatchQueue(label: "acquire").async {
                mailbox.post(.acquired(holder.acquire(sessionName: sessionName, timeout: timeout)))
            }
            defer { holder.end() }
            switch mailbox.take() {
            case .acquired(.held): break
            case .acquired(.failed(let reason)): return context.fail("Lock acquisition failed: \(reason)")
            default: return context.fail("Shutdown triggered or timeout during lock acquisition")
            }
            DispatchQueue(label: "monitor").async {
                holder.waitUntilLost(retries: retries)
                mailbox.post(.lost)
            }
            let childCode = runChild()
            if let failure = giveBack() { return context.fail(failure) }
            return isFailurePassedOn ? childCode : 0
        }

        /// 2 if it failed.
        private func runChild() -> Int32 {
            say("Starting handler")
            let child: ChildProcess
            do {
                child = try ChildProcess(program, environment: ["CONSUL_LOCK_HELD=true"], input: input)
            } catch {
                context.console.error("Error starting handler: \(error)")
                say("Child terminated, releasing lock")
                return 2
            }
            let mailbox = mailbox
            DispatchQueue(label: "child").async { mailbox.post(.ended(child.wait())) }
            switch mailbox.take() {
            case .ended(let end):
                let code = report(end)
                say("Child terminated, releasing lock")
                return code
            case .interrupted(let number):
                child.send(number)
                say("Shutdown triggered, killing child")
            default: say("Lock lost, killing child")
            }
            kill(child)
            return 0
        }

        private func report(_ end: ChildProcess.End) -> Int32 {
            if end == .exited(0) { return 0 }
            context.console.error("Error running handler: \(end)")
            return 2
        }

        private func kill(_ child: ChildProcess) {
            say("Terminating child pid \(child.pid)")
            child.send(SIGTERM)
            let deadline = SystemClock.now() + LockCommand.killGrace
            while let happening = mailbox.take(within: max(.zero, deadline - SystemClock.now())) {
                guard case .ended(let end) = happening else { continue }
                _ = report(end)
                return say("Child terminated")
            }
            say("Child did not exit after grace period of 5s")
            say("Killing child pid \(child.pid)")
            child.send(SIGKILL)
        }

        /// What went wrong, if anything.
        private func giveBack() -> String? {
            do { try holder.release() } catch { return "Lock release failed: \(error.text)" }
            holder.end()
            do {
                say(try holder.lock.cleanUp(holder.client) ? "Cleanup succeeded" : "Cleanup aborted, lock in use")
                return nil
            } catch {
                return "Lock cleanup failed: \(error.text)"
            }
        }
    }
}

/// How a command line is run by the user's shell.
enum Shell {
    static func arguments(_ script: String) -> [String] {
        [getenv("SHELL").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 } ?? "/bin/sh", "-c", script]
    }
}
