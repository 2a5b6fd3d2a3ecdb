import CSystem
import Glibc

/// A thread with a name and a small stack, running one closure.
///
/// Threads of our own, not Dispatch's: each of them spends its life in `epoll_wait` or `fdatasync`, which would only make the pool
/// start replacements.
final class Thread: @unchecked Sendable {
    // Unchecked: `handle` is written once, before anybody can see the object.
    private var handle = pthread_t()

    private final class Start {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts at once; `name` has at most 15 bytes.
    init(name: String, stackSize: Int = 512 << 10, body: @escaping @Sendable () -> Void) throws(SystemError) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setstacksize(&attributes, stackSize)
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        let code = pthread_create(
            &handle, &attributes,
            { argument in
                let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                _ = csystem_set_thread_name(start.name)
                start.body()
                return nil
            }, start.toOpaque())
        if code != 0 {
            start.release()
            throw SystemError(code)
        }
    }

    func join() { pthread_join(handle, nil) }
}
