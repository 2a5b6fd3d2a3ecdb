import CSystem
import Core
import Glibc

/// Calls, gossip and name look-ups of an agent in the real world: TCP connections and datagrams on an epoll loop of their own.
///
/// What is spoken on the connections is Core's business (`PeerPool`, `InboundConnection`); here are the sockets. As with `IOLoop`, the
/// thread that polls takes `lock` after each `epoll_wait`, and a thread that has calls or answers to send takes it if it is free and
/// writes to the sockets itself. Whoever has held it looks into the inbox after letting it go.
public final class ClusterTransport: PeerTransport, ServedLoop, @unchecked Sendable {
    // Unchecked: `inbox` and the look-ups are guarded by `inboxLock`; `peerEvents` is written before threads start and after they have ended; everything
    // else is guarded by `lock`.
    private let lock = Lock()
    private let inboxLock = Lock()
    private var inbox: [Message] = []
    private var messages: [Message] = []
    private let waker: Waker
    private var peerEvents: PeerEvents?
    private var resolver: Resolver!

    let events: EventLoop
    let configuration: ClusterConfiguration
    let logger: Logger
    let pool: PeerPool
    let clients: ClientCounter
    private let gossipClients: ClientCounter
    private let budget: PortBudget
    /// Of connections that are closed, by their numbers: the calls that are still to be answered.
    private var orphans: [UInt32: (client: String, calls: Int)] = [:]
    /// Connections that we dialed, by the pool's number for them.
    var dialed: [PeerSocket?] = []
    /// Connections of those who dialed us, by a number that is never used again.
    var accepted: [UInt32: PeerSocket] = [:]
    private var lastAccepted: UInt32 = 0
    /// Of those, the ones that are streams of gossip.
    private var gossipStreams = 0
    private var gossip: [GossipSocket?] = [nil, nil]
    private var listeners: [PeerListener] = []
    /// Events for the machine, posted at the end of a turn.
    var outgoing: [AgentEvent] = []
    /// What the pool asked for and was not done yet.
    private var effects: [PeerPool.Effect] = []
    private var unsent: [PeerSocket] = []
    private var unfinished: [PeerSocket] = []
    var addresses = AddressTable()
    let received: UnsafeMutableRawBufferPointer
    private(set) var now = SystemClock.now()
    private var nextSweep = Instant.distantFuture
    /// When the poller wakes up by itself, or because it was woken for that.
    private var pollUntil = Instant.distantFuture
    /// What `pollUntil` was at the end of the last turn: the poller's own, needing no lock.
    private var sleepUntil = Instant.distantFuture
    /// Names that are being looked up, guarded by `inboxLock`.
    /// Of host names, by their number here.
    private var lookUps: [UInt64: (id: ResolutionID, host: String)] = [:]
    private var lookUpCount: UInt64 = 0

    /// The server port and the gossip ports, with what the system chose for port 0.
    public private(set) var serverAddress: SocketAddress?
    public private(set) var lanAddress: SocketAddress?
    public private(set) var wanAddress: SocketAddress?

    private enum Message {
        case call(CallID, to: Address, Channel, [UInt8], timeout: Duration)
        case giveUp(CallID)
        case reply(CallID, [UInt8])
        case refuse(CallID)
        case packet([UInt8], to: Address, GossipPool)
    }

    static let receiveSize = 128 << 10
    static let sweepInterval = Duration.seconds(1)

    /// Binds the ports, so that it fails before anything runs: `ListeningSocket.Failure`, whose text is the reference's.
    public init(_ configuration: ClusterConfiguration, logger: Logger) throws {
        self.configuration = configuration
        self.logger = logger
        events = try EventLoop()
        waker = try Waker()
        pool = PeerPool(limits: configuration.limits, boundAddress: configuration.origin.host)
        clients = ClientCounter(max: configuration.connectionsPerClientMax)
        gossipClients = ClientCounter(max: configuration.limits.acceptedGossipStreamsPerSourceMax)
        budget = PortBudget(configuration.limits)
        received = .allocate(byteCount: Self.receiveSize, alignment: 64)
        resolver = Resolver { [weak self] token, found in self?.resolved(token, found) }
        try waker.attach(to: events)
        if let address = configuration.server { serverAddress = try listen(address) }
        if let address = configuration.lan { lanAddress = try join(.lan, address) }
        if let address = configuration.wan { wanAddress = try join(.wan, address) }
    }

    deinit { received.deallocate() }

    private func listen(_ address: SocketAddress) throws -> SocketAddress {
        let socket: ListeningSocket
        do {
            socket = try ListeningSocket.stream(address)
        } catch {
            throw ListeningSocket.Failure(description: "Failed to start RPC layer: \(error)")
        }
        listeners.append(try PeerListener(socket, .server, of: self))
        return socket.address
    }

    /// The same port for both protocols, also where the system chooses it: what is free for one may be taken for the other.
    private func join(_ pool: GossipPool, _ address: SocketAddress) throws -> SocketAddress {
        for attempt in 1... {
            do {
                let (stream, datagrams) = try bind(address, for: pool)
                listeners.append(try PeerListener(stream, .gossip(pool), of: self))
                gossip[Int(pool.rawValue)] = try GossipSocket(datagrams, pool, of: self)
                return stream.address
            } catch {
                if address.port != 0 || attempt == 20 { throw error }
            }
        }
        preconditionFailure("the last attempt returns or throws")
    }

    private func bind(
        _ address: SocketAddress, for pool: GossipPool
    ) throws(ListeningSocket.Failure) -> (stream: ListeningSocket, datagrams: ListeningSocket) {
        func failure(_ network: String, _ error: ListeningSocket.Failure) -> ListeningSocket.Failure {
            let serf = pool == .wan ? "WAN Serf" : configuration.server == nil ? "lan serf" : "LAN Serf"
            return ListeningSocket.Failure(
                description: "Failed to start \(serf): Failed to create memberlist: Could not set up network transport: "
                    + "failed to obtain an address: Failed to start \(network) listener on \"\(address.host)\" port \(address.port): \(error)"
            )
        }
        let stream: ListeningSocket
        do { stream = try ListeningSocket.stream(address) } catch { throw failure("TCP", error) }
        do { return (stream, try ListeningSocket.datagram(stream.address)) } catch { throw failure("UDP", error) }
    }

    // MARK: PeerTransport

    public var loop: (any ServedLoop)? { self }

    public func start(_ events: PeerEvents) { peerEvents = events }

    public func call(_ id: CallID, to address: Address, _ channel: Channel, _ bytes: [UInt8], timeout: Duration) {
        post(.call(id, to: address, channel, bytes, timeout: timeout))
    }

    public func giveUp(_ id: CallID) { post(.giveUp(id)) }
    public func reply(_ id: CallID, _ bytes: [UInt8]) { post(.reply(id, bytes)) }
    public func refuse(_ id: CallID) { post(.refuse(id)) }
    public func send(_ packet: [UInt8], to address: Address, in pool: GossipPool) { post(.packet(packet, to: address, pool)) }

    public func resolve(_ id: ResolutionID, host: String) {
        let number: UInt64 = inboxLock.holding {
            lookUpCount += 1
            lookUps[lookUpCount] = (id, host)
            return lookUpCount
        }
        resolver.resolve(number, host: host, port: 0)
    }

    private func resolved(_ number: UInt64, _ found: [SocketAddress]) {
        guard let (id, host) = inboxLock.holding({ lookUps.removeValue(forKey: number) }) else { return }
        let v4 = found.filter { $0.family == AF_INET }
        let sorted = v4 + found.filter { $0.family != AF_INET }
        let result: Result<[String], TextError> =
            sorted.isEmpty ? .failure(TextError("lookup \(host): no such host")) : .success(sorted.map(\.host))
        peerEvents?.post(.resolved(id, result))
    }

    private func post(_ message: Message) { inboxLock.holding { inbox.append(message) } }

    public func deliver() {
        while inboxLock.holding({ !inbox.isEmpty }), lock.tryLock() {
            now = max(now, SystemClock.now())
            takeInbox()
            finish()
            if deadline < pollUntil {
                pollUntil = deadline
                waker.wake()
            }
            if !unfinished.isEmpty { waker.wake() }
            lock.unlock()
        }
    }

    public func stop() {
        resolver.stop()
        lock.holding {
            for listener in listeners { listener.shutDown() }
            for socket in gossip { socket?.shutDown() }
            for socket in dialed { socket?.close() }
            for socket in accepted.values { socket.close() }
            (listeners, gossip, dialed, accepted, unsent, unfinished) = ([], [nil, nil], [], [:], [], [])
        }
        peerEvents = nil
    }

    // MARK: ServedLoop

    public func wake() { waker.wake() }

    public func turn(sleeping: Bool) -> Bool {
        let count = events.wait(milliseconds: sleeping ? timeout() : 0)
        lock.lock()
        now = max(now, SystemClock.now())
        events.dispatch(count)
        takeInbox()
        resumeUnfinished()
        tick()
        finish()
        (pollUntil, sleepUntil) = (deadline, deadline)
        let isMoreToRead = !unfinished.isEmpty
        lock.unlock()
        deliver()
        return (peerEvents?.run() ?? false) || isMoreToRead
    }

    /// Must not take the lock: whoever takes it has to look into the inbox afterwards.
    private func timeout() -> Int32 {
        if sleepUntil == .distantFuture { return -1 }
        return Int32(clamping: max(0, (sleepUntil - SystemClock.now()).nanoseconds / 1_000_000 + 1))
    }

    private var deadline: Instant { min(pool.deadline, nextSweep) }

    private func tick() {
        if pool.deadline <= now {
            for socket in dialed { socket?.noteQueued() }
            pool.tick(at: now, into: &effects)
            perform()
        }
        guard now >= nextSweep else { return }
        for socket in accepted.values { socket.sweep() }
        nextSweep = accepted.isEmpty ? .distantFuture : now + Self.sweepInterval
    }

    /// The end of every stretch with the lock held.
    private func finish() {
        while let socket = unsent.popLast() { socket.flush() }
        for case let socket? in gossip { socket.flush() }
        peerEvents?.add(&outgoing)
    }

    private func takeInbox() {
        inboxLock.holding { swap(&inbox, &messages) }
        if messages.isEmpty { return }
        for message in messages {
            switch message {
            case .call(let id, let address, let channel, let bytes, let timeout):
                pool.call(id, to: address, channel, bytes, timeout: timeout, at: now, into: &effects)
            case .giveUp(let id): pool.giveUp(id, at: now, into: &effects)
            case .reply(let id, let bytes): if let socket = caller(id) { socket.reply(id, bytes) }
            case .refuse(let id): if let socket = caller(id) { socket.refuse(id) }
            case .packet(let bytes, let address, let pool):
                if let target = addresses.parse(address) { gossip[Int(pool.rawValue)]?.add(bytes, to: target) }
            }
        }
        messages.removeAll(keepingCapacity: messages.count <= 1024)
        perform()
    }

    // MARK: Connections

    /// Calls the pool and does what it asks for at once: its numbers for connections may mean others afterwards.
    func tellPool(_ body: (PeerPool, inout [PeerPool.Effect]) -> Void) {
        body(pool, &effects)
        perform()
    }

    private func perform() {
        // Performing some leads to others.
        while !effects.isEmpty {
            let batch = effects
            effects.removeAll(keepingCapacity: true)
            for effect in batch {
                switch effect {
                case .dial(let id, let address, let fromBoundAddress): dial(id, address, fromBoundAddress)
                case .send(let id): if let socket = dialed[id] { sendLater(socket) }
                case .close(let id):
                    dialed[id]?.close()
                    dialed[id] = nil
                case .answered(let id, let bytes): outgoing.append(.answered(id, bytes))
                case .failed(let id, let text): outgoing.append(.callFailed(id, text))
                }
            }
        }
    }

    private func dial(_ id: Int, _ address: Address, _ fromBoundAddress: Bool) {
        while dialed.count <= id { dialed.append(nil) }
        let origin = fromBoundAddress ? configuration.origin : nil
        switch PeerSocket.dial(id, addresses.parse(address), address, from: origin, of: self) {
        case .success(let socket): dialed[id] = socket
        case .failure(let failure): pool.dialFailed(id, failure.description, at: now, into: &effects)
        }
    }

    /// Takes a connection that was accepted, unless there are too many.
    func adopt(_ fd: Int32, from address: SocketAddress, _ port: InboundConnection.Port) {
        guard isWelcome(address.host, port) else {
            close(fd)
            return
        }
        if port == .server { outgoing.append(.measured(RequestMeasures(connections: 1))) } else { gossipStreams += 1 }
        lastAccepted &+= 1
        let connection = InboundConnection(port, limits: configuration.limits, client: address.host, budget: budget, at: now)
        accepted[lastAccepted] = PeerSocket.adopt(fd, from: address, connection, lastAccepted, of: self)
        if nextSweep == .distantFuture { nextSweep = now + Self.sweepInterval }
    }

    private func isWelcome(_ client: String, _ port: InboundConnection.Port) -> Bool {
        if port == .server { return clients.add(client) }
        return gossipStreams < configuration.limits.acceptedGossipStreamsMax && gossipClients.add(client)
    }

    /// Who waits for the answer to a call; nil if the connection is gone.
    private func caller(_ id: CallID) -> PeerSocket? {
        let number = UInt32(truncatingIfNeeded: id.number >> 32)
        if let socket = accepted[number] { return socket }
        guard let orphan = orphans[number] else { return nil }
        budget.endCalls(of: orphan.client)
        orphans[number] = orphan.calls == 1 ? nil : (orphan.client, orphan.calls - 1)
        return nil
    }

    /// Flushes the socket at the end of the turn.
    func sendLater(_ socket: PeerSocket) {
        if socket.isUnsent { return }
        socket.isUnsent = true
        unsent.append(socket)
    }

    /// Lets the socket read on in the next turn.
    func resumeLater(_ socket: PeerSocket) { unfinished.append(socket) }

    private func resumeUnfinished() {
        if unfinished.isEmpty { return }
        let sockets = unfinished
        unfinished = []
        for socket in sockets { socket.receive() }
    }

    /// Nobody waits for the answers to these calls of a connection.
    func abandoned(_ serials: [UInt32], of number: UInt32) {
        outgoing.append(.callersGone(serials.map { CallID(incoming: UInt64(number) << 32 | UInt64($0)) }))
    }

    func released(_ connection: InboundConnection, _ number: UInt32, _ client: String) {
        let calls = connection.closed()
        if !calls.isEmpty {
            orphans[number] = (client, calls.count)
            abandoned(calls, of: number)
        }
        if connection.port == .server { return clients.remove(client) }
        gossipStreams -= 1
        gossipClients.remove(client)
    }

    /// Connections that stand or are being made.
    var connectionCount: (dialed: Int, accepted: Int) {
        defer { deliver() }
        return lock.holding { (pool.connectionCount, accepted.count) }
    }
}
