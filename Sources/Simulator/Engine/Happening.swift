import Core

/// Names one life of one server: what was meant for an earlier life does not reach a later one.
struct LifeID: Hashable {
    var server: Int
    var life: UInt32
}

/// Why a client got no answer.
enum ClientFailure: UInt8 {
    /// Nobody listens there: the request was not delivered, hence not executed.
    case refused
    /// The connection broke: the request may or may not have been executed.
    case broken
    /// The client gave up waiting; it may still be executed.
    case timedOut
}

/// An entry of the agenda.
enum Happening {
    // Meant for a server
    /// The wake-up that the server asked for; earlier generations were overtaken.
    case wake(server: Int, generation: UInt64)
    /// A call arrives at the server that is called; a duplicate has its own.
    case call(Handle, server: Int, duplicate: Bool, [UInt8])
    /// A datagram of a gossip pool arrives.
    case packet(to: Int, from: Int, GossipPool, [UInt8])
    /// The look-up of a host name is over.
    case resolved(LifeID, ResolutionID, Result<[String], TextError>)
    /// A slow agent gets what has arrived meanwhile.
    case slownessEnds(server: Int, ticket: UInt64)
    case answer(Handle, LifeID, [UInt8])
    case callFailed(Handle, LifeID, String)
    /// Whoever called waits no more.
    case callerGone(Handle, LifeID)
    /// The first of the batches that wait for the disk is done.
    case disk(LifeID)
    case completion(LifeID, DiskCompletion)
    case probed(LifeID, UInt64, CheckOutcome)
    case request(Handle, server: Int)
    case cancel(Handle, LifeID)
    case leave(LifeID)
    case reload(LifeID)
    case wallClock(LifeID)
    /// The leader is asked to take a server in, or out.
    case change(LifeID, server: Int, adds: Bool)
    /// A datagram with a DNS question arrives.
    case question(Handle, server: Int)
    /// A question that the core loop must answer.
    case handedOver(Handle, LifeID)
    /// The core loop has caught up: what has arrived meanwhile is handled in one batch.
    case batch(LifeID)

    /// Bytes of a stranger arrive.
    case strangerMessage(LifeID, StrangerMessage)

    // Meant for a client
    case response(Handle, [UInt8])
    case requestFailed(Handle, ClientFailure)
    case questionAnswered(Handle, LifeID, [UInt8])
    case questionFailed(Handle, ClientFailure)
    case clientTimer(workload: Int, client: Int, token: UInt64)

    // Meant for the simulation
    /// The head of a lane of timeouts may be due.
    case timeouts(lane: Int)
    case start(server: Int)
    case fault(FaultKind)
    /// A stranger sends something.
    case stranger
    case faultEnds(FaultKind, server: Int, ticket: UInt64)
    case step(Int)
    case milestone(Milestone)
}

/// What the simulation itself does at a certain time.
enum Milestone: UInt8 {
    /// Faults end; a quorum is healed.
    case heal
    /// Another look at something that must become true in time.
    case poll
    /// Another look at who should be a member.
    case membership
    /// Another look at a pool that nothing disturbs.
    case peace
}
