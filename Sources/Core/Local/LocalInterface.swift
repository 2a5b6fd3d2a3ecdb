// The border between the local state and the agent that it belongs to.

/// What happens to the local state.
public enum LocalEvent: Sendable {
    /// Answered by exactly one `.respond` of that id, unless it is cancelled before.
    case request(RequestID, LocalRequest, Authorizer)
    case cancelled(RequestID)
    /// The answer to a `.read`, with its index.
    case readResult(UInt64, Result<(result: QueryResult, index: UInt64), TextError>)
    /// The answer to a `.write`.
    case writeResult(UInt64, Result<ApplyResult, TextError>)
    case probed(UInt64, CheckOutcome)
    /// The answer to a `.disk`: nil for success, else its first failure.
    case diskCompleted(UInt64, DiskError?)
    /// The agent listens and has joined: compare with the catalog from now on.
    case startSyncing
    /// A server has joined, or there is a new leader: compare soon.
    case synchronize
    /// How many members of the LAN pool are alive.
    case members(Int)
    /// Suppresses scheduled syncs, and the answers to hash queries, until as many `resume` have come.
    case pause
    case resume
    /// `AgentSettings.wallClockOffset` has changed.
    case wallClock(offset: Int64)
    /// The deadline has come.
    case wake
    /// The process is about to end: no more answers come.
    case shutDown
}

/// What the local state asks of the agent.
public enum LocalEffect: Sendable {
    /// Answered by `.readResult` of that token. Options may ask it to block.
    case read(UInt64, ReadQuery, QueryOptions)
    /// Answered by `.writeResult` of that token.
    case write(UInt64, WriteRequest)
    /// Answered by `.probed` of that token unless it is cancelled.
    case probe(UInt64, CheckProbe, timeout: Duration, outputLimit: Int)
    case cancelProbe(UInt64)
    /// Perform these on the data directory, after what cannot wait; answered by `.diskCompleted` of that token.
    case disk(UInt64, [DiskOperation])
    case respond(RequestID, LocalAnswer)
    case log(LogLevel, String, String)
}
