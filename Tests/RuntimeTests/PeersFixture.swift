import Core
import Foundation
import Testing

@testable import Runtime

/// A machine that answers calls as it is told to, and remembers what came.
final class PeerMachine: AgentMachine, @unchecked Sendable {
    // Unchecked: the driver runs one thread at a time in it; what tests touch is behind the lock.
    private let lock = NSLock()

    enum Behaviour {
        /// Answers with the same bytes behind the answer's beginning.
        case echo
        /// Answers only when told.
        case hold
        case refuse
        /// The second of two is answered first.
        case pairsBackwards
    }

    var behaviour = Behaviour.echo
    var deadline: Instant?
    var held: [(CallID, Channel, [UInt8])] = []
    /// Calls whose callers are gone.
    var abandoned: [CallID] = []
    var calls: [(from: Address, Channel, [UInt8])] = []
    var packets: [(GossipPool, Address, [UInt8])] = []
    var results: [UInt64: Result<[UInt8], TextError>] = [:]
    var order: [UInt64] = []
    var resolved: [ResolutionID: Result<[String], TextError>] = [:]

    func handle(_ event: AgentEvent, at now: Instant, into effects: inout [AgentEffect]) {
        lock.withLock { take(event, &effects) }
    }

    func locked<R>(_ body: (PeerMachine) -> R) -> R { lock.withLock { body(self) } }

    private func take(_ event: AgentEvent, _ effects: inout [AgentEffect]) {
        switch event {
        case .call(let id, let from, let channel, let bytes):
            calls.append((from, channel, bytes))
            take(id, channel, bytes, &effects)
        case .callersGone(let ids): abandoned += ids
        case .answered(let id, let bytes):
            results[id.number] = .success(bytes)
            order.append(id.number)
        case .callFailed(let id, let text):
            results[id.number] = .failure(TextError(text))
            order.append(id.number)
        case .packet(let pool, let from, let bytes):
            packets.append((pool, from, bytes))
            if bytes.first == UInt8(ascii: "?") { effects.append(.packet(pool, to: from, [UInt8(ascii: "!")] + bytes.dropFirst())) }
        case .resolved(let id, let result): resolved[id] = result
        default: break
        }
    }

    private func take(_ id: CallID, _ channel: Channel, _ bytes: [UInt8], _ effects: inout [AgentEffect]) {
        switch behaviour {
        case .echo: effects.append(.reply(id, Self.answer(channel, bytes)))
        case .refuse: effects.append(.refuse(id))
        case .hold: held.append((id, channel, bytes))
        case .pairsBackwards:
            held.append((id, channel, bytes))
            if held.count == 2 { release(&effects) }
        }
    }

    func release(_ effects: inout [AgentEffect]) {
        for (id, channel, bytes) in held.reversed() { effects.append(.reply(id, Self.answer(channel, bytes))) }
        held = []
    }

    func flush(at now: Instant, into effects: inout [AgentEffect]) {}

    static func answer(_ channel: Channel, _ bytes: [UInt8]) -> [UInt8] {
        switch channel {
        case .raft: [0xA0] + raw(bytes)
        case .rpc: [0x81, 0xA5] + Array("Error".utf8) + [0xA0] + raw(bytes)
        case .snapshot: bytes.reversed()
        case .lan, .wan: bytes.count > 2 ? [9] + raw(bytes) : []
        }
    }

    static func raw(_ bytes: [UInt8]) -> [UInt8] {
        [0xC6] + withUnsafeBytes(of: UInt32(bytes.count).bigEndian) { Array($0) } + bytes
    }
}

/// A transport with a machine behind it, served by a thread of its own.
final class PeerNode: EffectSink, @unchecked Sendable {
    // Unchecked: `isStopping` and `nextID` are behind the lock; the rest is set before there are threads, or guards itself.
    let transport: ClusterTransport
    let machine = PeerMachine()
    private(set) var core: CoreLoop<PeerMachine>!
    private var thread: Runtime.Thread!
    private let lock = NSLock()
    private var isStopping = false
    private var nextID: UInt64 = 1

    init(limits: PortLimits = .server, gossip: Bool = false, port: Int = 0, connectionsMax: Int = 100) throws {
        let any = SocketAddress(ip: "127.0.0.1", port: 0)!
        var configuration = ClusterConfiguration(origin: any, limits: limits)
        configuration.server = SocketAddress(ip: "127.0.0.1", port: port)
        configuration.connectionsPerClientMax = connectionsMax
        if gossip { (configuration.lan, configuration.wan) = (any, any) }
        transport = try ClusterTransport(configuration, logger: Logger(level: .error, isHeld: true))
        core = CoreLoop(machine: machine, sink: self)
        transport.start(PeerEvents(core: core, afterCore: {}))
        thread = try Runtime.Thread(name: "peers") { [self] in
            var isMore = false
            while !lock.withLock({ isStopping }) { isMore = transport.turn(sleeping: !isMore) }
        }
    }

    var address: Address { transport.serverAddress!.description }

    func stop() {
        lock.withLock { isStopping = true }
        transport.wake()
        thread.join()
        transport.stop()
    }

    // MARK: EffectSink

    func perform(_ effects: inout [AgentEffect]) {
        for effect in effects {
            switch effect {
            case .call(let id, let to, let channel, let bytes, let timeout): transport.call(id, to: to, channel, bytes, timeout: timeout)
            case .giveUp(let id): transport.giveUp(id)
            case .reply(let id, let bytes): transport.reply(id, bytes)
            case .refuse(let id): transport.refuse(id)
            case .packet(let pool, let to, let bytes): transport.send(bytes, to: to, in: pool)
            case .resolve(let id, let host): transport.resolve(id, host: host)
            default: break
            }
        }
        effects.removeAll()
    }

    func deliver() { transport.deliver() }
    func arm(_ instant: Instant) {}

    // MARK: Tests

    /// Has the machine ask for these.
    func ask(_ effects: [AgentEffect]) {
        var effects = effects
        perform(&effects)
        transport.deliver()
        while core.run() {}
    }

    @discardableResult
    func call(_ to: Address, _ channel: Channel, _ bytes: [UInt8], timeout: Duration = .seconds(60)) -> UInt64 {
        let id = lock.withLock {
            nextID += 1
            return nextID
        }
        ask([.call(CallID(incoming: id), to: to, channel, bytes, timeout: timeout)])
        return id
    }

    func with<R>(_ body: (PeerMachine) -> R) -> R { machine.locked(body) }

    func result(_ id: UInt64) -> Result<[UInt8], TextError>? { with { $0.results[id] } }

    /// Answers what is held.
    func release() {
        var effects: [AgentEffect] = []
        with { $0.release(&effects) }
        ask(effects)
    }

    func failure(_ id: UInt64) -> String? {
        guard case .failure(let complaint)? = result(id) else { return nil }
        return complaint.text
    }

    func until(_ condition: (PeerNode) -> Bool, sourceLocation: SourceLocation = #_sourceLocation) {
        let end = Date() + 60
        while !condition(self) {
            if Date() > end {
                Issue.record("it did not come to that", sourceLocation: sourceLocation)
                return
            }
            usleep(500)
        }
    }

    func waitFor(_ id: UInt64, sourceLocation: SourceLocation = #_sourceLocation) -> Result<[UInt8], TextError>? {
        until({ $0.result(id) != nil }, sourceLocation: sourceLocation)
        return result(id)
    }
}

/// Calls as they are on the wire.
enum PeerSamples {
    static func rpc(_ body: [UInt8]) -> [UInt8] {
        [0x82, 0xA3] + Array("Seq".utf8) + [1, 0xAD] + Array("ServiceMethod".utf8) + [0xA3] + Array("A.B".utf8) + PeerMachine.raw(body)
    }

    static func append(_ data: [UInt8]) -> [UInt8] { [0, 0x81, 0xA7] + Array("Entries".utf8) + [0x91] + PeerMachine.raw(data) }
    static func heartbeat(_ data: [UInt8]) -> [UInt8] {
        [0, 0x82, 0xA7] + Array("Entries".utf8) + [0xC0, 0xA6] + Array("Leader".utf8) + PeerMachine.raw(data)
    }
}
