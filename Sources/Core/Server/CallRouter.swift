/// Keeps track of calls (rpc-raft-wire §2.5, §3). Owns what others have asked of this server and how much they may, what it has others carry
/// out (`ServerCaller`) and why it asks for itself, what waits for a leader, and the limit of what its own agent may ask.
struct CallRouter {
    /// What another server, or an agent without a server of its own, has asked for.
    struct Incoming {
        var sequence: UInt64
        var method: String
        var work: ServerWork
        /// Where the call came from, without port.
        var source: String
        /// Callers from elsewhere get filtered rows; this agent's own clients are served by the renderer.
        var filter: Filter?
        var filterError: FilterError?
    }

    /// Work that waits until there is a leader.
    var held = WaitingQueue()
    /// What others were asked to carry out, and what of that is to be tried again.
    var caller: ServerCaller
    /// This server leaves: it takes no more work.
    var isClosed = false

    private var limiter: RateLimiter?
    private var incoming = LookupTable<CallID, Incoming>()
    private var incomingBySource = LookupTable<String, Int>()
    private var own = LookupTable<UInt64, OwnCall>()
    private var nextOwn: UInt64 = 1

    /// Calls that may be under way at once, of everybody and of one address; most of them are blocking queries.
    static let incomingMax = 131_072
    static let incomingBySourceMax = 32_768

    /// Without port. An IPv4 address costs no allocation.
    static func source(of address: Address) -> String {
        guard let colon = address.utf8.lastIndex(of: UInt8(ascii: ":")) else { return address }
        return String(address[..<colon])
    }

    init(_ settings: AgentSettings, at now: Instant) {
        limiter = RateLimiter(settings.reloadable, at: now)
        caller = ServerCaller(settings, owner: .server)
    }

    var deadline: Instant? {
        var earliest = held.deadline
        earliest.bringForward(to: caller.deadline)
        return earliest
    }

    // MARK: The agent's own limit (`limits.rpc_rate`)

    var isLimited: Bool { limiter != nil }

    /// Whether this agent may ask for something more, for itself or its clients.
    mutating func allows(at now: Instant) -> Bool { limiter?.allows(at: now) ?? true }

    mutating func reload(_ settings: Reloadable, at now: Instant) { limiter = RateLimiter(settings, at: now) }

    // MARK: From others

    var incomingCount: Int { incoming.count }

    /// Returns false when too many calls are under way: this one is not kept.
    mutating func arrived(_ id: CallID, _ call: Incoming) -> Bool {
        let known = incomingBySource[call.source] ?? 0
        guard incoming.count < Self.incomingMax, known < Self.incomingBySourceMax else { return false }
        incomingBySource[call.source] = known + 1
        incoming[id] = call
        return true
    }

    /// The call is answered now.
    mutating func takeIncoming(_ id: CallID) -> Incoming? {
        guard let call = incoming.removeValue(forKey: id) else { return nil }
        let left = (incomingBySource[call.source] ?? 1) - 1
        incomingBySource[call.source] = left > 0 ? left : nil
        return call
    }

    // MARK: To others

    /// Notes what this server asks another one for itself. Returns who the answer is for.
    mutating func ask(_ purpose: OwnCall) -> Requester {
        defer { nextOwn += 1 }
        own[nextOwn] = purpose
        return .own(nextOwn)
    }

    mutating func takeOwn(_ number: UInt64) -> OwnCall? { own.removeValue(forKey: number) }

    /// Whoever asked is gone: its work does not wait any more, neither here nor for the answer of another server.
    mutating func cancel(_ requester: Requester) -> ServerCaller.Cancelled { held.remove(requester) ? .kept : caller.cancel(requester) }
}

/// Why a server asks another one for itself.
enum OwnCall {
    case peers(BootstrapQuestion)
    /// How that server's log stands; the number tells the round of autopilot.
    case statistics(id: String, round: UInt64)
}
