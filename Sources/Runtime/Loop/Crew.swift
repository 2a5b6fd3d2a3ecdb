import Core
import Glibc

/// The threads that serve the loops and the disk: one more than there are loops.
///
/// A thread whose turn left work for the disk gives its loop to the spare thread and performs that work itself, so that waking a
/// thread costs time beside the sync and not before it. The completion is handled on the same thread, which usually writes the answer
/// to the client's socket as well: a durable write on an idle agent passes through one thread only.
final class Crew: @unchecked Sendable {
    // Unchecked: `vacant` and `isStopping` are guarded by `lock`; `threads` is touched by the one who starts and stops.
    private let lock = Lock()
    private let change = Condition()
    private let loops: [any ServedLoop]
    private var vacant: [any ServedLoop]
    private var isStopping = false
    private let disk: DiskQueue
    private let core: any EventQueue
    private var threads: [Thread] = []

    init(loops: [any ServedLoop], disk: DiskQueue, core: any EventQueue) {
        self.loops = loops
        vacant = loops
        self.disk = disk
        self.core = core
    }

    func start() throws(SystemError) {
        for index in 0...loops.count {
            threads.append(try Thread(name: "io-\(index)") { [self] in work() })
        }
    }

    /// Ends after the turns and the disk work that are under way.
    func stop() {
        lock.holding {
            isStopping = true
            change.broadcast()
        }
        for loop in loops { loop.wake() }
        for thread in threads { thread.join() }
    }

    private func work() {
        while let loop = take() {
            var isMore = false
            while true {
                isMore = loop.turn(sleeping: !isMore)
                if disk.begin() {
                    offer(loop)
                    perform()
                    break
                }
                if lock.holding({ isStopping }) { return }
            }
        }
    }

    private func perform() {
        var events: [AgentEvent] = []
        while disk.performNext(into: &events) {
            core.post(&events)
            while core.run() {}
        }
    }

    private func take() -> (any ServedLoop)? {
        lock.lock()
        defer { lock.unlock() }
        while !isStopping {
            if let loop = vacant.popLast() { return loop }
            change.wait(lock)
        }
        return nil
    }

    private func offer(_ loop: any ServedLoop) {
        lock.holding { vacant.append(loop) }
        change.signal()
    }
}
