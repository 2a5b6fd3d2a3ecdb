// The border between a gossip machine and the agent that owns it. Calls and tokens are numbered by the machine itself.

/// What happens to a gossip machine.
public enum GossipEvent: Sendable {
    /// A datagram, as it came in.
    case packet(from: Address, [UInt8])
    /// A whole stream of somebody who dialed us; answered by one `.reply` or `.refuse`.
    case call(CallID, from: Address, [UInt8])
    /// The whole answer to a stream of ours, empty where the protocol has none.
    case answered(CallID, [UInt8])
    case callFailed(CallID, String)
    case wake
}

/// What a gossip machine asks for.
public enum GossipEffect: Sendable {
    case packet(to: Address, [UInt8])
    case call(CallID, to: Address, [UInt8], timeout: Duration)
    case reply(CallID, [UInt8])
    case refuse(CallID)
    /// `[memberlist]` or `[serf]` text without its prefix; the machine says which in the second value (`agent.server.memberlist.lan`
    /// is the owner's to build).
    case log(LogLevel, String, String)
}
