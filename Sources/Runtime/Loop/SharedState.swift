import Core
import Synchronization

/// What all the loops of an agent share.
final class SharedState: @unchecked Sendable {
    // Unchecked: `core` is set before any thread starts; the others guard themselves.
    private(set) unowned var core: any EventQueue
    let published = Published()
    let clients: ClientCounter
    let limits: ServerLimits
    let requestLog: RequestLog
    let unsent: UnsentBudget

    init(core: any EventQueue, limits: ServerLimits, logger: Logger) {
        requestLog = RequestLog(logger)
        self.core = core
        self.limits = limits
        unsent = UnsentBudget(max: limits.unsentMax)
        clients = ClientCounter(max: limits.connectionsPerClientMax)
    }
}

/// Bounds of what clients may use.
public struct ServerLimits: Sendable {
    /// `limits.http_max_conns_per_client`; 0 or less: unlimited.
    public var connectionsPerClientMax = 200
    public var bodySizeMax = 64 << 20
    /// Of an archive that is to be restored.
    public var archiveSizeMax = 1 << 30
    /// Bytes of answers that clients have not taken, over all HTTP connections.
    public var unsentMax = 96 << 20
    /// A client that neither sends the rest of its request nor takes the rest of its answer for so long is dropped.
    public var stallTimeout = Duration.minutes(2)

    public init() {}
}

/// Bytes of answers that HTTP clients have not taken yet, over all connections of the process.
final class UnsentBudget: Sendable {
    private let bytes = Atomic<Int>(0)
    /// Beyond this the connection whose client has taken nothing for the longest is closed.
    let max: Int

    init(max: Int) { self.max = max }

    func add(_ count: Int) { bytes.add(count, ordering: .relaxed) }
    var isExceeded: Bool { bytes.load(ordering: .relaxed) > max }
    var count: Int { bytes.load(ordering: .relaxed) }
}

/// Connections per client address.
final class ClientCounter: @unchecked Sendable {
    // Unchecked: guarded by the lock.
    private let lock = Lock()
    private var counts: [String: Int] = [:]
    private var max: Int

    init(max: Int) { self.max = max }

    /// For a reload; connections that exist stay.
    func setMax(_ new: Int) { lock.holding { max = new } }

    /// Counts a connection, unless the client has as many as it may.
    func add(_ client: String) -> Bool {
        lock.holding {
            let count = counts[client, default: 0]
            if max > 0 && count >= max { return false }
            counts[client] = count + 1
            return true
        }
    }

    func remove(_ client: String) {
        lock.holding {
            guard let count = counts[client] else { return }
            counts[client] = count == 1 ? nil : count - 1
        }
    }

    var total: Int { lock.holding { counts.values.reduce(0, +) } }
}
