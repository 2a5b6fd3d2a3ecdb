/// What all connections of others together may make this process hold, and how much of it one address may: bytes of unfinished messages,
/// of calls that are not answered and of answers that are not taken, and the number of calls that are not answered.
///
/// Nobody has shown a token when bytes arrive here, so what bounds them is the address that they come from. Archives and states count
/// apart from messages: they are larger by far, and rare.
public final class PortBudget {
    enum Kind {
        case messages
        /// Raft's connections, which carry whole states, and requests for snapshots.
        case states
    }

    private struct Use {
        var messages = 0
        var states = 0
        var calls = 0
        var isNone: Bool { messages == 0 && states == 0 && calls == 0 }
    }

    private let limits: PortLimits
    private var total = Use()
    private var sources = LookupTable<String, Use>()

    /// Bytes are counted in pieces of this size; a connection that holds less counts as holding nothing.
    static let grain = 64 << 10

    public init(_ limits: PortLimits = .server) { self.limits = limits }

    var messagesSize: Int { total.messages }
    var statesSize: Int { total.states }
    var callCount: Int { total.calls }

    /// False for a growth that goes over a limit; nothing has changed then.
    func change(_ kind: Kind, of source: String, by growth: Int) -> Bool {
        var use = sources[source] ?? Use()
        switch kind {
        case .messages:
            let max = limits.heldMessagesMax, sourceMax = limits.heldMessagesPerSourceMax
            if growth > 0, total.messages + growth > max || use.messages + growth > sourceMax { return false }
            total.messages += growth
            use.messages += growth
        case .states:
            let max = limits.heldStatesMax, sourceMax = limits.heldStatesPerSourceMax
            if growth > 0, total.states + growth > max || use.states + growth > sourceMax { return false }
            total.states += growth
            use.states += growth
        }
        sources[source] = use.isNone ? nil : use
        return true
    }

    /// False for a call that goes over a limit.
    func beginCall(of source: String) -> Bool {
        var use = sources[source] ?? Use()
        guard total.calls < limits.callsMax, use.calls < limits.callsPerSourceMax else { return false }
        total.calls += 1
        use.calls += 1
        sources[source] = use
        return true
    }

    /// Calls are over whose connection is not there any more.
    public func endCalls(_ count: Int = 1, of source: String) {
        guard var use = sources[source] else { return }
        precondition(use.calls >= count && total.calls >= count, "no more calls end than have begun")
        total.calls -= count
        use.calls -= count
        sources[source] = use.isNone ? nil : use
    }
}

/// The address that a connection comes from, before the budget.
final class CallSource {
    let name: String
    let budget: PortBudget
    /// Calls of this connection that are not answered.
    private(set) var callCount = 0

    init(_ name: String, _ budget: PortBudget) {
        self.name = name
        self.budget = budget
    }

    /// False for a call too many.
    func beginCall() -> Bool {
        guard budget.beginCall(of: name) else { return false }
        callCount += 1
        return true
    }

    func endCall() {
        precondition(callCount > 0, "no more calls end than have begun")
        callCount -= 1
        budget.endCalls(of: name)
    }
}
