import Glibc

/// A mutual exclusion lock whose two ends may lie in different functions, and which can be tried.
///
/// `Synchronization.Mutex` has neither: it lends its value to a closure. The loops hold theirs across many functions, and threads
/// that find one taken must go on instead of waiting.
final class Lock: @unchecked Sendable {
    // Unchecked: the mutex is made for being shared; the pointer never changes.
    fileprivate let mutex: UnsafeMutablePointer<pthread_mutex_t>

    init() {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        precondition(pthread_mutex_init(mutex, nil) == 0, "a mutex can be made")
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    @inline(__always) func lock() { pthread_mutex_lock(mutex) }
    @inline(__always) func unlock() { pthread_mutex_unlock(mutex) }
    @inline(__always) func tryLock() -> Bool { pthread_mutex_trylock(mutex) == 0 }

    @inline(__always)
    func holding<R>(_ body: () throws -> R) rethrows -> R {
        lock()
        defer { unlock() }
        return try body()
    }
}

/// Lets threads sleep until another one signals, together with the lock that guards what they wait for.
final class Condition: @unchecked Sendable {
    // Unchecked: made for being shared, like the lock.
    private let condition: UnsafeMutablePointer<pthread_cond_t>

    init() {
        condition = .allocate(capacity: 1)
        condition.initialize(to: pthread_cond_t())
        precondition(pthread_cond_init(condition, nil) == 0, "a condition can be made")
    }

    deinit {
        pthread_cond_destroy(condition)
        condition.deallocate()
    }

    /// The lock must be held; it is let go while sleeping. May return for no reason.
    func wait(_ lock: Lock) { pthread_cond_wait(condition, lock.mutex) }
    func signal() { pthread_cond_signal(condition) }
    func broadcast() { pthread_cond_broadcast(condition) }
}
