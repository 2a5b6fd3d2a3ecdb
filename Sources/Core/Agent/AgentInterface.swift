// The border between an `Agent` and its driver (Runtime or Simulator): what happens to it, and what it asks for.

/// Identifies the look-up of a host name that is to be joined.
public struct ResolutionID: Hashable, Sendable {
    public var pool: GossipPool
    /// Chosen by the pool.
    public var number: UInt64
    public init(_ pool: GossipPool, _ number: UInt64) {
        self.pool = pool
        self.number = number
    }
}

/// What happens to an agent.
///
/// The rare cases with much in them are indirect: an event is moved several times on its way, and as large as its largest case.
public enum AgentEvent: Sendable {
    /// A client's request; answered by exactly one `.respond` of that id, unless it is cancelled before.
    case request(RequestID, HTTPRequest)
    /// The same, of a request that a front end has taken apart already.
    indirect case routed(RequestID, RoutedCall)
    /// A DNS question in wire form; `tcp` answers may be long. Answered by `.answer`.
    case question(RequestID, [UInt8], tcp: Bool, from: String)
    /// The client of this request went away: forget it.
    case cancelled(RequestID)
    /// Another server calls.
    case call(CallID, from: Address, Channel, [UInt8])
    /// Nobody waits for the answers to these calls any more: their connection is closed, or their stream. Each is to be answered or refused all
    /// the same, once.
    case callersGone([CallID])
    /// The answer to a call of ours.
    case answered(CallID, [UInt8])
    /// A call of ours came to nothing; the text is the reference's ("... connect: connection refused").
    case callFailed(CallID, String)
    /// A datagram of a gossip pool, as it came in. `from` is `ip:port`.
    case packet(GossipPool, from: Address, [UInt8])
    /// The addresses of a host name that was asked for, IPv4 before IPv6, as text; or why there are none.
    case resolved(ResolutionID, Result<[String], TextError>)
    case disk(DiskCompletion)
    case probed(UInt64, CheckOutcome)
    /// The deadline has come.
    case wake
    /// Leave gracefully, then `.exit`.
    case leave
    /// SIGHUP, or the answer to `.readConfiguration`: what the configuration files say now.
    indirect case reload(Reloadable)
    /// The configuration files cannot be used, and why. Everything stays as it is.
    case reloadFailed(String)
    /// The wall clock was set: the new `AgentSettings.wallClockOffset`.
    case wallClock(Int64)
    /// A log line of the driver's own, of a level that `.followLog` asked for: level, module, message.
    case logged(LogLevel, String, String)
    /// What a front end has measured.
    indirect case measured(RequestMeasures)
    /// SIGUSR1: tell what was measured, by `.report`.
    case dumpMetrics
    /// The answer to `.examineHost`.
    indirect case hostExamined(UInt64, HostFacts)
    /// The process is about to end. What the agent now gives to the disk is still performed.
    case shutDown
}

/// What an agent asks of its driver. Rare and large cases are indirect, as in `AgentEvent`.
public enum AgentEffect: Sendable {
    case respond(RequestID, HTTPResponse)
    case answer(RequestID, [UInt8])
    /// An answer without end: its body follows in pieces, until the client goes away (`.cancelled`).
    case respondInPieces(RequestID, HTTPResponse)
    /// The next piece of such a body. It may be left out while the client is far behind.
    case piece(RequestID, [UInt8])
    case call(CallID, to: Address, Channel, [UInt8], timeout: Duration)
    /// Nobody waits for the answer to a call of ours: whoever was called may be told. Its outcome does not matter any more.
    case giveUp(CallID)
    case reply(CallID, [UInt8])
    /// An incoming call that cannot be answered: close its connection.
    case refuse(CallID)
    /// A datagram of a gossip pool, to `ip:port`.
    case packet(GossipPool, to: Address, [UInt8])
    /// Look a host name up, as the system does; answered by `.resolved` of that id.
    case resolve(ResolutionID, host: String)
    case disk(DiskBatch)
    case probe(UInt64, CheckProbe, timeout: Duration, outputLimit: Int)
    case cancelProbe(UInt64)
    /// Readers answer from this state from now on. Comes before the responses to the writes that it contains.
    case publish(PublishedState)
    case log(LogLevel, String, String)
    /// From now on clients want the driver's own log lines, too, of this level or above (`.logged`); nil: nobody does.
    case followLog(LogLevel?)
    /// A line for whoever started the process (`==> Consul agent running!`, without the arrow).
    case show(String)
    /// Text, of whole lines, for standard error.
    case report(String)
    /// Look at the machine and answer with `.hostExamined` of that token.
    case examineHost(UInt64)
    /// A new configuration holds: what of it concerns the driver and its front ends takes effect.
    indirect case configure(Reloadable)
    /// Read the configuration files again and answer with `.reload` or `.reloadFailed`.
    case readConfiguration
    /// Stop the process; a text means failure and its reason.
    case exit(String?)
}

extension AgentEffect {
    /// What the agent's backend asks of the driver.
    init(_ effect: ServerEffect) {
        switch effect {
        case .call(let id, let address, let channel, let bytes, let timeout):
            self = .call(id, to: address, channel, bytes, timeout: timeout)
        case .giveUp(let id): self = .giveUp(id)
        case .reply(let id, let bytes): self = .reply(id, bytes)
        case .refuse(let id): self = .refuse(id)
        case .disk(let batch): self = .disk(batch)
        case .publish(let state): self = .publish(state)
        case .log(let level, let module, let text): self = .log(level, module, text)
        case .exit(let reason): self = .exit(reason)
        }
    }
}
