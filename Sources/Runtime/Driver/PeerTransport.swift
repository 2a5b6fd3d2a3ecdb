import Core

/// Carries calls between servers.
///
/// The driver hands over what the agent sends; what arrives is posted as events to the `PeerEvents` that `start` got.
public protocol PeerTransport: AnyObject, Sendable {
    func start(_ events: PeerEvents) throws
    /// What the driver's threads are to serve; nil for a transport that looks after itself.
    var loop: (any ServedLoop)? { get }
    /// Ends in one `.answered` or `.callFailed` of that id, at the latest after `timeout`.
    func call(_ id: CallID, to address: Address, _ channel: Channel, _ bytes: [UInt8], timeout: Duration)
    /// Nobody waits for the answer to this call.
    func giveUp(_ id: CallID)
    func reply(_ id: CallID, _ bytes: [UInt8])
    func refuse(_ id: CallID)
    /// Sends a datagram, which may get lost.
    func send(_ packet: [UInt8], to address: Address, in pool: GossipPool)
    /// Looks a name up; ends in one `.resolved` of that token.
    func resolve(_ id: ResolutionID, host: String)
    /// Called after the calls, answers and packets of a batch, with the core free again: the place for system calls.
    /// What it adds to the `PeerEvents` is handled by the caller.
    func deliver()
    /// Called after the threads of the driver have ended. Must let go of the `PeerEvents`, which lead back to the transport.
    func stop()
}

extension PeerTransport {
    public var loop: (any ServedLoop)? { nil }
    public func deliver() {}
}

/// Descriptors that one of the driver's threads waits for at a time.
public protocol ServedLoop: AnyObject, Sendable {
    /// Waits for something to happen and sees to it; true when it must not sleep before the next turn.
    func turn(sleeping: Bool) -> Bool
    /// Ends a sleep, from any thread.
    func wake()
}

/// Where a transport posts `.call`, `.answered` and `.callFailed`.
public struct PeerEvents: Sendable {
    let core: any EventQueue
    let afterCore: @Sendable () -> Void

    /// Adds events and leaves them to a `run`, which must follow.
    func add(_ events: inout [AgentEvent]) { core.post(&events) }

    /// Handles what was added, unless another thread does; true when it must be called again soon.
    func run() -> Bool { core.run() }

    /// Handles the event on this thread, unless another one is handling events already.
    public func post(_ event: AgentEvent) {
        core.post(event)
        while core.run() {}
        afterCore()
    }
}

/// The transport of an agent that reaches nobody: for one server alone.
public final class NoPeers: PeerTransport, @unchecked Sendable {
    // Unchecked: `events` is written before threads start and after they have ended.
    private var events: PeerEvents?
    private let localAddress: String

    /// `localAddress` is what error texts name as the caller, an IP address.
    public init(localAddress: String = "127.0.0.1") { self.localAddress = localAddress }

    public func start(_ events: PeerEvents) { self.events = events }

    public func call(_ id: CallID, to address: Address, _ channel: Channel, _ bytes: [UInt8], timeout: Duration) {
        events?.post(.callFailed(id, "dial tcp \(localAddress):0->\(address): connect: connection refused"))
    }

    public func giveUp(_ id: CallID) {}
    public func reply(_ id: CallID, _ bytes: [UInt8]) {}
    public func refuse(_ id: CallID) {}
    public func send(_ packet: [UInt8], to address: Address, in pool: GossipPool) {}

    public func resolve(_ id: ResolutionID, host: String) {
        events?.post(.resolved(id, .failure(TextError("lookup \(host): no such host"))))
    }
    public func stop() { events = nil }
}
