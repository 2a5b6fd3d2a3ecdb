import CSystem
import Glibc

/// A program that a command runs for its user, with the command's own standard output and error.
public struct ChildProcess: Sendable {
    public enum Input: Sendable {
        case none
        /// The command's own.
        case inherited
        case bytes([UInt8])
    }

    /// How it ended.
    public enum End: Hashable, Sendable, CustomStringConvertible {
        case exited(Int32)
        case signalled(Int32)

        /// In the words of Go's `os/exec`.
        public var description: String {
            switch self {
            case .exited(let code): "exit status \(code)"
            case .signalled(SIGHUP): "signal: hangup"
            case .signalled(SIGINT): "signal: interrupt"
            case .signalled(SIGKILL): "signal: killed"
            case .signalled(SIGTERM): "signal: terminated"
            case .signalled(let number): "signal: signal \(number)"
            }
        }
    }

    /// The text is that of Go's `os/exec`.
    public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
        public let description: String
    }

    public let pid: Int32

    /// - Parameters:
    ///   - arguments: the program, looked up in PATH, and its arguments.
    ///   - environment: what is added to the command's own environment, as `NAME=value`.
    public init(_ arguments: [String], environment: [String] = [], input: Input = .none) throws(Failure) {
        if arguments.first?.isEmpty ?? true { throw Failure(description: "exec: no command") }
        var ends: [Int32] = [-1, -1]
        if case .bytes = input, csystem_pipe2(&ends, O_CLOEXEC) != 0 { throw Failure(description: "pipe: \(SystemError.current)") }
        defer { if ends[0] >= 0 { close(ends[0]) } }
        do throws(Failure) {
            pid = try Self.spawn(arguments, adding: environment) { actions in
                switch input {
                case .none: posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
                case .inherited: break
                case .bytes: posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
                }
            }
        } catch {
            if ends[1] >= 0 { close(ends[1]) }
            throw error
        }
        if case .bytes(let bytes) = input { Self.feed(bytes, to: ends[1]) }
    }

    /// Waits until it ends; once only.
    public func wait() -> End {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return csystem_exited(status) != 0 ? .exited(csystem_exit_status(status)) : .signalled(status & 0x7F)
    }

    public func send(_ signal: Int32) { kill(pid, signal) }

    /// Starts a program, which is looked up in PATH, with additions to the environment and the files that `open` gives it.
    static func spawn(
        _ arguments: [String], adding additions: [String] = [], inGroupOfItsOwn: Bool = false,
        _ open: (inout posix_spawn_file_actions_t) -> Void
    ) throws(Failure) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        open(&actions)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The agent and the commands block and ignore signals; their children shall not.
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        var flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        if inGroupOfItsOwn {
            posix_spawnattr_setpgroup(&attributes, 0)
            flags |= POSIX_SPAWN_SETPGROUP
        }
        posix_spawnattr_setflags(&attributes, Int16(flags))
        let vector = strings(arguments), environment = strings(inherited + additions)
        defer { for pointer in vector + environment { free(pointer) } }
        var pid: pid_t = 0
        let name = arguments[0]
        let code = posix_spawnp(&pid, name, &actions, &attributes, vector, environment)
        if code == 0 { return pid }
        if code == ENOENT, !name.utf8.contains(UInt8(ascii: "/")) {
            throw Failure(description: "exec: \"\(name)\": executable file not found in $PATH")
        }
        throw Failure(description: "fork/exec \(name): \(SystemError(code))")
    }

    private static var inherited: [String] {
        var inherited: [String] = []
        var next = csystem_environment()
        while let entry = next?.pointee {
            inherited.append(String(cString: entry))
            next = next?.advanced(by: 1)
        }
        return inherited
    }

    private static func strings(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] { texts.map { strdup($0) } + [nil] }

    /// A child that reads nothing must not stop its parent.
    private static func feed(_ bytes: [UInt8], to fd: Int32) {
        let thread = try? Thread(name: "stdin") {
            var done = 0
            var blocked = sigset_t()
            sigemptyset(&blocked)
            sigaddset(&blocked, SIGPIPE)
            pthread_sigmask(SIG_BLOCK, &blocked, nil)
            while done < bytes.count {
                let count = bytes.withUnsafeBytes { buffer in retrying { write(fd, buffer.baseAddress! + done, buffer.count - done) } }
                if count <= 0 { break }
                done += count
            }
            close(fd)
        }
        if thread == nil { close(fd) }
    }
}
