/// A server that a client may call, as gossip tells of it.
public struct ServerEntry: Hashable, Sendable {
    /// The member's name, which tells servers apart.
    public var name: String
    /// The server port's `ip:port`.
    public var address: Address
    public var datacenter: String

    public init(name: String, address: Address, datacenter: String) {
        self.name = name
        self.address = address
        self.datacenter = datacenter
    }
}

/// Which server a client calls: the head of a list that failures and a slow shuffle change (behaviour §9.1).
///
/// The shuffle spreads clients over servers: now and then the list is mixed and its servers pinged, until one answers that becomes the
/// head. The interval grows with the cluster, so that all clients together make no more than 64 such moves a second for each server.
public struct ServerManager {
    /// In the order in which they are tried; calls go to the first.
    public private(set) var servers: [ServerEntry] = []
    /// Nobody answered the last time all were pinged, or there never was a server.
    public private(set) var isOffline = true
    /// Members of the LAN pool, for the interval.
    public var memberCount = 1

    private var shuffle: Shuffle?
    private var shuffleAt: Instant
    private var random: Random

    /// A shuffle under way.
    private struct Shuffle {
        /// The new order, the head of which is being pinged.
        var order: [ServerEntry]
        /// How many were pinged before it.
        var failed = 0
    }

    static let intervalMin: Duration = .minutes(2)
    static let jitter: Duration = .minutes(1)
    /// Moves a second that a server shall see.
    static let movesPerSecond = 64
    static let pingTimeout: Duration = .seconds(10)

    public init(seed: UInt64, at now: Instant) {
        random = Random(seed: seed)
        shuffleAt = now + Self.intervalMin
    }

    /// The server to call; nil without any.
    public var chosen: ServerEntry? { servers.first }

    /// When to call `wake`; none while pings are under way.
    public var deadline: Instant? { shuffle == nil ? shuffleAt : nil }

    // MARK: Changes

    /// A server was seen. A known one keeps its place.
    public mutating func add(_ server: ServerEntry) {
        if let at = servers.firstIndex(where: { $0.name == server.name }) {
            servers[at] = server
        } else {
            servers.append(server)
        }
        isOffline = false
    }

    /// False when it was not there.
    @discardableResult
    public mutating func remove(_ name: String) -> Bool {
        guard let at = servers.firstIndex(where: { $0.name == name }) else { return false }
        servers.remove(at: at)
        return true
    }

    /// A call to that server failed: if it is the head, it becomes the last one.
    public mutating func failed(_ name: String) {
        if servers.count > 1, servers[0].name == name { servers.append(servers.removeFirst()) }
    }

    // MARK: The shuffle

    /// Starts a shuffle if it is time. Returns the server to ping; the outcome goes to `pinged`.
    public mutating func wake(at now: Instant) -> ServerEntry? {
        guard shuffle == nil, shuffleAt <= now else { return nil }
        var order = servers
        order.shuffle(using: &random)
        guard let first = order.first else {
            end(at: now)
            return nil
        }
        shuffle = Shuffle(order: order)
        return first
    }

    /// The server that was to be pinged answered, or did not. Returns the next one to ping, if any.
    public mutating func pinged(answered: Bool, at now: Instant) -> ServerEntry? {
        guard let shuffle else { return nil }
        let order = shuffle.order
        if answered {
            adopt(order)
            end(at: now)
            return nil
        }
        guard shuffle.failed + 1 < order.count else {
            isOffline = true
            end(at: now)
            return nil
        }
        let next = Array(order.dropFirst()) + order.prefix(1)
        self.shuffle = Shuffle(order: next, failed: shuffle.failed + 1)
        return next[0]
    }

    /// Takes the new order over, with what has changed meanwhile; not at all if its head is gone.
    private mutating func adopt(_ order: [ServerEntry]) {
        let known = order.compactMap { old in servers.first { $0.name == old.name } }
        guard known.first?.name == order.first?.name else { return }
        servers = known + servers.filter { server in !order.contains { $0.name == server.name } }
        isOffline = false
    }

    private mutating func end(at now: Instant) {
        shuffle = nil
        let scaled = Duration.nanoseconds(Int64(memberCount) * 1_000_000_000 / Int64(Self.movesPerSecond * max(1, servers.count)))
        shuffleAt = now + max(Self.intervalMin + random.duration(below: Self.jitter), scaled)
    }
}
