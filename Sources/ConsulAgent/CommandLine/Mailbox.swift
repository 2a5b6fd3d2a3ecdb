import Core
import Dispatch
import Synchronization

/// Carries messages from threads that wait for something to the one that decides.
final class Mailbox<Message: Sendable>: Sendable {
    private let messages = Mutex<[Message]>([])
    private let count = DispatchSemaphore(value: 0)

    func post(_ message: Message) {
        messages.withLock { $0.append(message) }
        count.signal()
    }

    /// The next message; nil when none comes in time.
    func take(within timeout: Duration? = nil) -> Message? {
        if let timeout {
            if count.wait(timeout: .now() + .nanoseconds(Int(timeout.nanoseconds))) == .timedOut { return nil }
        } else {
            count.wait()
        }
        return messages.withLock { $0.removeFirst() }
    }
}
