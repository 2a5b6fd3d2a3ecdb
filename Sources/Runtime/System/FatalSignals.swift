import CSystem
import Glibc

/// What happens when the process cannot go on: a failed assertion (SIGILL, SIGTRAP), a memory fault (SIGSEGV, SIGBUS, SIGFPE), `abort`.
///
/// The Swift runtime's own handlers look up symbols for seconds while the ports stay open, and for so long clients hang and followers take the
/// leader for alive. These handlers write where it happened, as addresses, and let the signal end the process at once.
public enum FatalSignals {
    public static let numbers: [Int32] = [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV]

    /// Of the trace; so many lines fit into a pipe that has any room at all.
    static let framesMax: Int32 = 32
    /// Once its handler has begun, a signal ends the process: `SA_RESETHAND | SA_NODEFER | SA_ONSTACK`, of which Swift sees not all.
    private static let flags = Int32(bitPattern: 0x8000_0000 | 0x4000_0000 | 0x0800_0000)

    /// To be called once, before there are other threads.
    public static func install() {
        // The first trace loads a library, which must not happen inside of a handler.
        writeTrace(frames: 1, to: -1)
        var action = sigaction()
        action.__sigaction_handler.sa_handler = endProcess
        action.sa_flags = flags
        for number in numbers { sigaction(number, &action, nil) }
    }
}

/// Calls only what may be called in a handler of signals.
private func endProcess(_ number: Int32) {
    let name: StaticString =
        switch number {
        case SIGILL: "SIGILL"
        case SIGTRAP: "SIGTRAP"
        case SIGABRT: "SIGABRT"
        case SIGBUS: "SIGBUS"
        case SIGFPE: "SIGFPE"
        default: "SIGSEGV"
        }
    // Whoever reads the standard error may have stopped reading: the process ends all the same.
    if canWrite(2) {
        say("==> consul cannot go on: ")
        say(name)
        say("\n")
        writeTrace(frames: FatalSignals.framesMax, to: 2)
    }
    // The handler is gone already, so this does not come back, and the exit status is the signal's.
    raise(number)
}

private func writeTrace(frames count: Int32, to fd: Int32) {
    withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: Int(count)) { frames in
        guard let start = frames.baseAddress else { return }
        let found = backtrace(start, count)
        if fd >= 0 { backtrace_symbols_fd(start, found, fd) }
    }
}

private func say(_ text: StaticString) { _ = write(2, text.utf8Start, text.utf8CodeUnitCount) }

private func canWrite(_ fd: Int32) -> Bool {
    var request = pollfd(fd: fd, events: Int16(POLLOUT), revents: 0)
    return poll(&request, 1, 0) == 1 && request.revents & Int16(POLLOUT) != 0
}
