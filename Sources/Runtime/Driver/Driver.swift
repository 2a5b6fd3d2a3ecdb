import CSystem
import Core
import Glibc

/// How a driver serves its agent.
public struct DriverConfiguration: Sendable {
    public var httpAddresses: [SocketAddress] = []
    public var dnsAddresses: [SocketAddress] = []
    /// Loops that serve clients, each on a thread. nil: one for every two processors, at most 8. (With two processors and a load
    /// generator on the same machine, one loop does more writes per second than two, and as many reads.)
    public var loops: Int?
    public var limits = ServerLimits()
    public var signals = SignalBehaviour()
    /// False leaves signals alone, for tests.
    public var handlesSignals = true
    public var unixSockets = UnixSocketConfig()
    /// Reads the configuration files again: for SIGHUP and when the agent asks. Called on the main thread.
    public var readConfiguration: (@Sendable () -> ConfigurationReading)?

    public init() {}
}

/// Runs a machine in the real world: performs its effects with sockets, files and processes, and tells it what happens.
///
///     let driver = try Driver(machine: agent, frontEnd: { FrontEnd(…) }, disk: disk, configuration: configuration, logger: logger)
///     exit(driver.run())
///
/// Threads: the one that calls `run` (timer, signals, checks), one more than there are loops (`Crew`), one that writes the log. None of
/// them polls: an agent with nothing to do uses no processor time.
public final class Driver<Machine: AgentMachine> {
    private let effects: Effects
    private let core: CoreLoop<Machine>
    private let shared: SharedState
    private let loops: [IOLoop]
    private let control: ControlLoop
    private let crew: Crew
    private let disk: DiskQueue
    private let peers: any PeerTransport
    private let logger: Logger
    private let afterCore: @Sendable () -> Void
    /// Where HTTP and DNS are served: tells the ports that the system chose for port 0.
    public private(set) var httpAddresses: [SocketAddress] = []
    public private(set) var dnsAddresses: [SocketAddress] = []

    /// Binds the sockets, so that it fails before anything runs. `frontEnd` is called once for each loop.
    public init(
        machine: Machine, frontEnd: () -> any RequestFrontEnd, disk: any BatchDisk, configuration: DriverConfiguration,
        peers: any PeerTransport = NoPeers(), logger: Logger
    ) throws {
        signal(SIGPIPE, SIG_IGN)
        self.logger = logger
        self.peers = peers
        let effects = Effects(peers: peers, logger: logger)
        let core = CoreLoop(machine: machine, sink: effects)
        let shared = SharedState(core: core, limits: configuration.limits, logger: logger)
        let count = configuration.loops ?? min(8, max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))) / 2))
        let loops = try (0..<count).map { try IOLoop(index: $0, shared: shared, frontEnd: frontEnd()) }
        shared.connect(loops)
        let queue = DiskQueue(disk)
        self.disk = queue
        let kick: @Sendable () -> Void = { if queue.isIdleWithWork { loops[0].wake() } }
        control = try ControlLoop(
            core: core, behaviour: configuration.signals, handlesSignals: configuration.handlesSignals, logger: logger,
            readConfiguration: configuration.readConfiguration, afterCore: kick)
        afterCore = kick
        let served: [any ServedLoop] = loops + (peers.loop.map { [$0] } ?? [])
        crew = Crew(loops: served, disk: queue, core: core)
        effects.connect(loops: loops, control: control, disk: queue, shared: shared)
        logger.setFollower { [unowned control] level, module, message in control.post([.logged(level, module, message)]) }
        (self.effects, self.core, self.shared, self.loops) = (effects, core, shared, loops)
        try listen(configuration)
        try peers.start(PeerEvents(core: core, afterCore: kick))
    }

    private func listen(_ configuration: DriverConfiguration) throws {
        var problems: [String] = []
        for address in configuration.dnsAddresses {
            guard let (datagrams, stream) = Self.bindDNS(address, &problems) else { continue }
            // The last loop, since the first one has the listeners of HTTP.
            let loop = loops[loops.count - 1]
            dnsAddresses.append(datagrams.address)
            _ = try DatagramSocket(datagrams, on: loop)
            _ = try DNSListener(stream, on: loop)
        }
        if !problems.isEmpty { throw ListeningSocket.Failure(description: MultipleErrors.text(problems)) }
        for address in configuration.httpAddresses {
            if address.isUnix, access(address.host, F_OK) == 0 {
                logger.log(.warn, "agent", "Replacing socket: path=\(LogText.value(address.host))")
            }
            let socket = try ListeningSocket.stream(address)
            if address.isUnix { try UnixSocketOwner.apply(configuration.unixSockets, to: address.host) }
            httpAddresses.append(socket.address)
            _ = try HTTPListener(socket, on: loops[0], spreadingOver: loops)
        }
    }

    /// The same port for both protocols, also where the system chooses it: what is free for one may be taken for the other.
    /// Both are tried in any case; nil adds to `problems`.
    private static func bindDNS(
        _ address: SocketAddress, _ problems: inout [String]
    ) -> (datagrams: ListeningSocket, stream: ListeningSocket)? {
        for attempt in 1... {
            var datagrams: ListeningSocket?, stream: ListeningSocket?
            var found: [String] = []
            do { datagrams = try ListeningSocket.datagram(address) } catch { found.append("\(error)") }
            do { stream = try ListeningSocket.stream(datagrams?.address ?? address) } catch { found.append("\(error)") }
            if let datagrams, let stream { return (datagrams, stream) }
            if address.port != 0 || attempt == 20 {
                problems += found
                return nil
            }
        }
        preconditionFailure("the last attempt returns")
    }

    /// Runs until the agent or a signal ends it; what the process shall exit with.
    public func run() -> Int32 {
        // The machine's first turn, before there are clients: it publishes its state and says when it wants to be woken.
        core.deadlineHasCome()
        while core.run() {}
        do throws(SystemError) {
            try crew.start()
        } catch {
            logger.log(.error, "agent", "Error starting agent: error=\(LogText.value("cannot start threads: \(error)"))")
            logger.log(.info, "agent", "Exit code: code=1")
            logger.flush()
            return 1
        }
        afterCore()
        let code = control.run()
        logger.log(.info, "agent", "Requesting shutdown")
        for loop in loops {
            loop.post(.shutDown)
            _ = loop.deliver()
        }
        crew.stop()
        writeLast()
        peers.stop()
        tellOfEndpoints()
        logger.log(.info, "agent", "Exit code: code=\(code)")
        logger.flush()
        return code
    }

    /// Says that nobody is served any more. The reference closes its endpoints, and logs it, after the agent.
    private func tellOfEndpoints() {
        for address in dnsAddresses {
            for network in ["tcp", "udp"] {
                logger.log(.info, "agent", "Stopping server: protocol=DNS address=\(address) network=\(network)")
            }
        }
        for address in httpAddresses {
            logger.log(.info, "agent", "Stopping server: protocol=HTTP address=\(address) network=\(address.network)")
        }
        logger.log(.info, "agent", "Waiting for endpoints to shut down")
        logger.log(.info, "agent", "Endpoints down")
    }

    /// Lets the machine write down what it must not forget, and performs it: there are no other threads any more.
    private func writeLast() {
        core.post(.shutDown)
        while core.run() {}
        var events: [AgentEvent] = []
        guard disk.begin() else { return }
        while disk.performNext(into: &events) {}
    }

    /// Ends `run` from another thread.
    public func stop() { control.post([.exit(nil)]) }

    /// HTTP clients that are connected over TCP.
    var clientCount: Int { shared.clients.total }
    /// What is held of answers that HTTP clients have not taken.
    var held: AnswerBudget.Held { shared.answers.total }
    var unsentBytes: Int { held.unsent }
    /// Probes under way or waiting for their turn.
    var probeCount: Int { control.probeCount }
}

/// Performs what a machine asks for.
final class Effects: EffectSink, @unchecked Sendable {
    // Unchecked: everything is set before threads start; the collections are touched with the core held only, as `perform` is.
    private let peers: any PeerTransport
    private let logger: Logger
    private var loops: [IOLoop] = []
    private var messages: [[LoopMessage]] = []
    private var controls: [ControlMessage] = []
    private unowned var control: ControlLoop!
    private var disk: DiskQueue!
    private var shared: SharedState!

    init(peers: any PeerTransport, logger: Logger) {
        self.peers = peers
        self.logger = logger
    }

    func connect(loops: [IOLoop], control: ControlLoop, disk: DiskQueue, shared: SharedState) {
        self.loops = loops
        self.control = control
        self.disk = disk
        self.shared = shared
        messages = Array(repeating: [], count: loops.count)
    }

    func arm(_ instant: Instant) { control.arm(instant) }

    func perform(_ effects: inout [AgentEffect]) {
        for effect in effects {
            switch effect {
            case .respond(let id, let response): post(.respond(id, response), to: id)
            case .answer(let id, let bytes): post(.answer(id, bytes), to: id)
            case .respondInPieces(let id, let response): post(.respondInPieces(id, response), to: id)
            case .piece(let id, let bytes): post(.piece(id, bytes), to: id)
            case .publish(let state): shared.published.publish(state)
            case .disk(let batch): disk.submit(batch)
            case .call(let id, let address, let channel, let bytes, let timeout):
                peers.call(id, to: address, channel, bytes, timeout: timeout)
            case .giveUp(let id): peers.giveUp(id)
            case .reply(let id, let bytes): peers.reply(id, bytes)
            case .refuse(let id): peers.refuse(id)
            case .packet(let pool, let address, let bytes): peers.send(bytes, to: address, in: pool)
            case .resolve(let id, let host): peers.resolve(id, host: host)
            case .probe(let id, let probe, let timeout, let limit):
                controls.append(.probe(id, ProbeRequest(probe: probe, timeout: timeout, outputLimit: limit)))
            case .cancelProbe(let id): controls.append(.cancelProbe(id))
            case .readConfiguration: controls.append(.readConfiguration)
            case .exit(let failure): controls.append(.exit(failure))
            case .log(let level, let module, let message): logger.write(level, module, message)
            case .followLog(let level): logger.follow(level)
            case .show(let text): logger.show("==> " + text)
            case .report(let text): logger.report(text)
            case .examineHost(let token): controls.append(.examineHost(token))
            case .configure(let new): configure(new)
            }
        }
        effects.removeAll(keepingCapacity: effects.count <= 1024)
        for index in loops.indices where !messages[index].isEmpty { loops[index].post(&messages[index]) }
        if !controls.isEmpty {
            control.post(controls)
            controls.removeAll(keepingCapacity: true)
        }
    }

    private func configure(_ new: Reloadable) {
        logger.setLevel(new.logLevel)
        shared.clients.setMax(new.httpMaxConnectionsPerClient)
        for index in loops.indices { messages[index].append(.configure(new)) }
    }

    private func post(_ message: LoopMessage, to id: RequestID) {
        // A machine that makes up names of requests is answered by nobody.
        if id.loop < messages.count { messages[id.loop].append(message) }
    }

    func deliver() {
        // Other servers first: they take part in what clients wait for.
        peers.deliver()
        for loop in loops { _ = loop.deliver() }
    }
}
