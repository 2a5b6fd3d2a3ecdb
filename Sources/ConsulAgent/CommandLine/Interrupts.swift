import Dispatch
import Glibc

/// SIGINT and SIGTERM for commands that have something to finish before they end.
enum Interrupts {
    /// Calls `body` on a thread of its own for every such signal, from now on. To be called before other threads are made, which
    /// inherit that these signals are not delivered to them.
    static func watch(_ body: @escaping @Sendable (Int32) -> Void) {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGINT)
        sigaddset(&set, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        let signals = set
        DispatchQueue(label: "interrupts").async {
            while true {
                var set = signals
                var number: Int32 = 0
                if sigwait(&set, &number) == 0 { body(number) }
            }
        }
    }

    /// Ends the process with code 0 at such a signal.
    static func endQuietly() {
        for number in [SIGINT, SIGTERM] { signal(number) { _ in _exit(0) } }
    }
}
