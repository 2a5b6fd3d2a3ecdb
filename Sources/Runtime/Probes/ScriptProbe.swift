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
        do throws(ChildProcess.Failure) {
            watch(try spawn())
        } catch {
            runner.finish(self, .failed(error.description))
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

    /// The reading end of the output's pipe.
    private func spawn() throws(ChildProcess.Failure) -> Int32 {
        if arguments.first?.isEmpty ?? true { throw .init(description: "exec: no command") }
        if !directory.isEmpty {
            var info = stat()
            let code: Int32? = stat(directory, &info) != 0 ? errno : info.st_mode & S_IFMT != S_IFDIR ? ENOTDIR : nil
            if let code { throw .init(description: "chdir \(directory): \(SystemError(code))") }
        }
        var ends: [Int32] = [-1, -1]
        guard csystem_pipe2(&ends, O_CLOEXEC) == 0 else { throw .init(description: "pipe: \(SystemError.current)") }
        defer { close(ends[1]) }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        do throws(ChildProcess.Failure) {
            pid = try ChildProcess.spawn(arguments, inGroupOfItsOwn: true) { actions in
                posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
                posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
                posix_spawn_file_actions_adddup2(&actions, ends[1], 2)
                if !directory.isEmpty { _ = csystem_spawn_add_chdir(&actions, directory) }
            }
        } catch {
            close(ends[0])
            throw error
        }
        return ends[0]
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
