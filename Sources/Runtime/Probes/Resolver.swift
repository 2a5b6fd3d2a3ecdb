import Core

/// Looks names up on threads of its own, since the system's resolver blocks; started when the first name needs it.
final class Resolver: @unchecked Sendable {
    // Unchecked: guarded by the lock.
    private let lock = Lock()
    private let change = Condition()
    private var waiting: [(id: UInt64, host: String, port: Int)] = []
    private var idle = 0
    private var threads = 0
    private var isStopping = false
    private let report: @Sendable (UInt64, [SocketAddress]) -> Void

    static let threadsMax = 4
    static let waitingMax = 10_000

    /// `report` is called on a thread of the resolver; no addresses: the name is not known.
    init(report: @escaping @Sendable (UInt64, [SocketAddress]) -> Void) { self.report = report }

    func resolve(_ id: UInt64, host: String, port: Int) {
        let isAccepted: Bool = lock.holding {
            if waiting.count >= Self.waitingMax { return false }
            waiting.append((id, host, port))
            if idle == 0, threads < Self.threadsMax, (try? Thread(name: "resolver", body: { [self] in work() })) != nil { threads += 1 }
            return threads > 0
        }
        if isAccepted { change.signal() } else { report(id, []) }
    }

    func stop() {
        lock.holding { isStopping = true }
        change.broadcast()
    }

    private func work() {
        while let next = take() { report(next.id, SocketAddress.resolve(host: next.host, port: next.port)) }
    }

    private func take() -> (id: UInt64, host: String, port: Int)? {
        lock.lock()
        defer { lock.unlock() }
        idle += 1
        while waiting.isEmpty, !isStopping { change.wait(lock) }
        idle -= 1
        return isStopping ? nil : waiting.removeFirst()
    }
}
