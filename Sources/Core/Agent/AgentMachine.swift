/// An agent as its driver sees it. `Agent` is the one in production; drivers are generic so that their tests can use toys.
///
/// A driver hands over all events that are waiting, one `handle` each, then calls `flush` once, then performs the effects in
/// order: that lets many writes share one disk sync. It calls again with `.wake` when `deadline` has come.
public protocol AgentMachine: AnyObject {
    func handle(_ event: AgentEvent, at now: Instant, into effects: inout [AgentEffect])
    /// The end of a batch of events: what was collected for batching is given out now.
    func flush(at now: Instant, into effects: inout [AgentEffect])
    /// When the machine wants to be woken, nil for never. Valid after `flush`.
    var deadline: Instant? { get }
}
