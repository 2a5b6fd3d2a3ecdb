import CSystem
import Core
import Glibc

/// A timer that any thread may set.
final class TimerSource: EventSource {
    private let fd: FileDescriptor
    private var hasFired = false

    init() throws(SystemError) {
        fd = FileDescriptor(timerfd_create(CLOCK_MONOTONIC, Int32(TFD_CLOEXEC) | Int32(TFD_NONBLOCK)))
        guard fd.isOpen else { throw .current }
    }

    func attach(to loop: EventLoop) throws(SystemError) {
        // Edge-triggered: each expiry is a new edge, so it need not be read.
        _ = try loop.add(fd.raw, events: .readable | .edgeTriggered, self)
    }

    /// Replaces what was set before. An instant in the past fires at once.
    func arm(_ instant: Instant) {
        let at = max(1, instant.nanoseconds)
        var setting = itimerspec()
        setting.it_value = timespec(tv_sec: Int(at / 1_000_000_000), tv_nsec: Int(at % 1_000_000_000))
        timerfd_settime(fd.raw, Int32(TFD_TIMER_ABSTIME), &setting, nil)
    }

    func ready(_ events: UInt32) { hasFired = true }

    /// Whether it has fired since the last call.
    func take() -> Bool {
        defer { hasFired = false }
        return hasFired
    }
}

/// Signals as events. They are blocked for the whole process: create it before other threads start, which inherit that.
final class SignalSource: EventSource {
    private let fd: FileDescriptor
    private var received: [Int32] = []

    init(_ signals: [Int32]) throws(SystemError) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        fd = FileDescriptor(signalfd(-1, &set, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK)))
        guard fd.isOpen else { throw .current }
    }

    func attach(to loop: EventLoop) throws(SystemError) {
        _ = try loop.add(fd.raw, events: .readable, self)
    }

    func ready(_ events: UInt32) {
        var info = signalfd_siginfo()
        while read(fd.raw, &info, MemoryLayout<signalfd_siginfo>.size) == MemoryLayout<signalfd_siginfo>.size {
            received.append(Int32(info.ssi_signo))
        }
    }

    func take() -> [Int32] {
        defer { received.removeAll() }
        return received
    }
}
