import Core
import Glibc

/// A process of this same program that runs seeds and prints one line for each. A machine that traps takes only it down.
final class Worker {
    private var pid: pid_t = 0
    private var output: Int32 = -1
    private var buffer: [UInt8] = []
    private var position = 0

    /// Readable when there is output, or none any more.
    var descriptor: Int32 { output }

    /// Runs `first`, `first + stride`, ... up to `last`. `environment` is added to that of this process.
    init(first: UInt64, last: UInt64, stride: UInt64, scenario: String?, environment: [String] = []) throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw UsageError(text: "no pipe for a worker") }
        var arguments = ["/proc/self/exe", "worker", "--seeds", "\(first)..\(last)", "--stride", "\(stride)"]
        if let scenario { arguments += ["--scenario", scenario] }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addclose(&actions, ends[0])
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        words.append(nil)
        // A trap is reported by its seed; whoever replays that gets the backtrace.
        setenv("SWIFT_BACKTRACE", "enable=no", 0)
        var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) }
        let added = variables
        var at = 0
        while let variable = environ[at] {
            variables.append(variable)
            at += 1
        }
        variables.append(nil)
        let result = posix_spawn(&pid, "/proc/self/exe", &actions, nil, words, variables)
        for word in words + added { free(word) }
        posix_spawn_file_actions_destroy(&actions)
        close(ends[1])
        output = ends[0]
        // Workers that start later must not keep this pipe open.
        _ = fcntl(output, F_SETFD, FD_CLOEXEC)
        guard result == 0 else { throw UsageError(text: "cannot start a worker: \(String(cString: strerror(result)))") }
    }

    /// The next line, without its end; nil when the process is gone.
    func readLine() -> [UInt8]? {
        var searched = position
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(buffer[position..<end])
                position = end + 1
                return line
            }
            buffer.removeSubrange(..<position)
            position = 0
            searched = buffer.count
            var chunk = [UInt8](repeating: 0, count: 65_536)
            let count = read(output, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return nil }
            buffer += chunk[..<count]
        }
    }

    /// Ends the process, whatever it is doing.
    func kill() {
        _ = Glibc.kill(pid, SIGKILL)
        _ = finish()
    }

    /// Waits for the end of the process; how it ended, for people.
    func finish() -> String {
        close(output)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        let signal = status & 0x7F
        return signal != 0 ? "signal \(signal)" : "status \((status >> 8) & 0xFF)"
    }
}
