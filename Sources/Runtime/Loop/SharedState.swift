import Core
import Synchronization

/// What all the loops of an agent share.
final class SharedState: @unchecked Sendable {
    // Unchecked: `core` and `loops` are set before any thread starts; the others guard themselves.
    private(set) unowned var core: any EventQueue
    let published = Published()
    let clients: ClientCounter
    let limits: ServerLimits
    let requestLog: RequestLog
    let answers: AnswerBudget
    private var loops: [LoopReference] = []

    private struct LoopReference {
        unowned let loop: IOLoop
    }

    init(core: any EventQueue, limits: ServerLimits, logger: Logger) {
        requestLog = RequestLog(logger)
        self.core = core
        self.limits = limits
        answers = AnswerBudget(unsentMax: limits.unsentMax, retainedMax: limits.retainedMax)
        clients = ClientCounter(max: limits.connectionsPerClientMax)
    }

    /// Before any thread starts.
    func connect(_ loops: [IOLoop]) { self.loops = loops.map { LoopReference(loop: $0) } }

    /// Answers hold too much: closes connections, on whichever loop they are. The caller holds that of `loop`.
    func relieve(on loop: IOLoop) {
        while let (index, key) = answers.nextVictim() {
            if index == loop.index {
                loop.close(key)
            } else {
                loops[index].loop.post(.close(key))
                loops[index].loop.wake()
            }
        }
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
    /// Bytes that answers keep in memory until all of them is sent: archives, rows that came from another agent.
    public var retainedMax = 1 << 30
    /// A client that neither sends the rest of its request nor takes any of its answer for so long is dropped.
    public var stallTimeout = Duration.minutes(2)

    public init() {}
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
