import CSystem
import Core
import Glibc

/// Runs a program in a process group of its own and keeps the end of what it writes. Spec: behaviour §7.3.
final class ScriptProbe: Probe {
    let id: UInt64
    private let arguments: [String]
    private let directory: String
    private unowned let runner: ProbeRunner
    private var output: OutputTail
    private var pid: pid_t = 0
    private var pidfd: Int32 = -1
    private var pipe: PipeSource?
    private var pidKey: EventLoop.Key?
    private var exitStatus: Int32?
    private var hasExited = false

    private enum End {
        case none, timedOut, cancelled
    }
    private var end = End.none

    init(id: UInt64, arguments: [String], directory: String, outputLimit: Int, runner: ProbeRunner) {
        self.id = id
        self.arguments = arguments
        self.directory = directory
        self.runner = runner
        output = OutputTail(limit: outputLimit)
    }

    func start() {
        switch spawn() {
        case .failure(let failure): runner.finish(self, .failed(failure.description))
        case .success(let readEnd): watch(readEnd)
        }
    }

    private func watch(_ readEnd: Int32) {
        let source = PipeSource(fd: readEnd, probe: self)
        pidfd = csystem_pidfd_open(pid)
        do throws(SystemError) {
            if pidfd < 0 { throw .current }
            pidKey = try runner.events.add(pidfd, events: .readable, self)
            source.key = try runner.events.add(readEnd, events: .readable, source)
            pipe = source
        } catch {
            // Without descriptors nobody would learn of its end.
            kill(-pid, SIGKILL)
            var status: Int32 = 0
            _ = retrying { waitpid(pid, &status, 0) }
            close(readEnd)
            closeProcess()
            runner.finish(self, .failed("fork/exec \(arguments[0]): \(error)"))
        }
    }

    /// The process has ended.
    func ready(_ events: UInt32) {
        var status: Int32 = 0
        guard retrying({ waitpid(pid, &status, WNOHANG) }) == pid else { return }
        hasExited = true
        exitStatus = csystem_exited(status) != 0 ? csystem_exit_status(status) : nil
        closeProcess()
        // What it wrote before it ended is in the pipe already.
        pipe?.ready(.readable)
        if end != .none || pipe == nil { conclude() }
    }

    private func closeProcess() {
        if let pidKey { runner.events.remove(pidKey) }
        pidKey = nil
        if pidfd >= 0 { close(pidfd) }
        pidfd = -1
    }

    fileprivate func take(_ bytes: UnsafeRawBufferPointer) { output.append(bytes) }

    /// Nobody holds the writing end any more.
    fileprivate func pipeEnded() {
        pipe?.close(in: runner.events)
        pipe = nil
        if hasExited { conclude() }
    }

    func timeOut() { stop(.timedOut) }
    func cancel() { stop(.cancelled) }

    private func stop(_ reason: End) {
        if end != .cancelled { end = reason }
        // The group outlives its leader when there are children in the background: those hold the pipe then.
        kill(-pid, SIGKILL)
        if hasExited { conclude() }
    }

    private func conclude() {
        pipe?.close(in: runner.events)
        pipe = nil
        switch end {
        case .none: runner.finish(self, .script(exitStatus: exitStatus, output: output.kept, written: output.written))
        case .timedOut: runner.finish(self, .scriptTimedOut(output: output.kept, written: output.written))
        case .cancelled: runner.finish(self, nil)
        }
    }

    // MARK: Starting

    private struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// The reading end of the output's pipe.
    private func spawn() -> Result<Int32, Failure> {
        guard let name = arguments.first, !name.isEmpty else { return .failure(Failure(description: "exec: no command")) }
        if !directory.isEmpty {
            var info = stat()
            let code: Int32? = stat(directory, &info) != 0 ? errno : info.st_mode & S_IFMT != S_IFDIR ? ENOTDIR : nil
            if let code { return .failure(Failure(description: "chdir \(directory): \(SystemError(code))")) }
        }
        var ends: [Int32] = [-1, -1]
        guard csystem_pipe2(&ends, O_CLOEXEC) == 0 else { return .failure(Failure(description: "pipe: \(SystemError.current)")) }
        defer { close(ends[1]) }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        let code = spawn(name, writeEnd: ends[1])
        if code == 0 { return .success(ends[0]) }
        close(ends[0])
        if code == ENOENT, !name.utf8.contains(UInt8(ascii: "/")) {
            return .failure(Failure(description: "exec: \"\(name)\": executable file not found in $PATH"))
        }
        return .failure(Failure(description: "fork/exec \(name): \(SystemError(code))"))
    }

    private func spawn(_ name: String, writeEnd: Int32) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, writeEnd, 1)
        posix_spawn_file_actions_adddup2(&actions, writeEnd, 2)
        if !directory.isEmpty { _ = csystem_spawn_add_chdir(&actions, directory) }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The agent blocks and ignores signals; its children shall not.
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))

        var vector: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) }
        vector.append(nil)
        defer { for pointer in vector { free(pointer) } }
        return posix_spawnp(&pid, name, &actions, &attributes, vector, csystem_environment())
    }
}

/// The reading end of a script's output.
private final class PipeSource: EventSource {
    private let fd: Int32
    private unowned let probe: ScriptProbe
    var key: EventLoop.Key?
    private var isClosed = false

    init(fd: Int32, probe: ScriptProbe) {
        self.fd = fd
        self.probe = probe
    }

    func ready(_ events: UInt32) {
        // A script that never stops writing must not keep the loop: what is left makes the pipe ready again.
        for _ in 0..<16 where !isClosed {
            let count = withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { bytes -> Int in
                let count = retrying { read(fd, bytes.baseAddress!, bytes.count) }
                if count > 0 { probe.take(UnsafeRawBufferPointer(rebasing: bytes[..<count])) }
                return count
            }
            if count > 0 { continue }
            if count < 0, errno == EAGAIN { return }
            probe.pipeEnded()
            return
        }
    }

    func close(in loop: EventLoop) {
        if isClosed { return }
        isClosed = true
        if let key { loop.remove(key) }
        Glibc.close(fd)
    }
}
