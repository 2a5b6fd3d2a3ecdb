/// Who waits for the outcome of a read or write that a server carries out.
public enum Requester: Hashable, Sendable {
    /// A client of this agent.
    case client(RequestID)
    /// Another server, or an agent without a server of its own.
    case peer(CallID)
    /// This agent's own services and checks (anti-entropy).
    case local(UInt64)
    /// A DNS question that needs what this agent does not hold.
    case question(RequestID)
    /// The agent's upload of its coordinate.
    case coordinate
    /// The leader's own work; the number tells which.
    case duty(UInt64)
}

/// A read that has been carried out.
public struct ReadAnswer: Sendable {
    public var result: QueryResult
    public var meta: QueryMeta
    /// Equal for answers that came from one and the same evaluation, so that it is rendered once for all of them.
    public var evaluation: UInt64
}

/// What a server has to tell its agent, beside the effects for the driver.
public enum ServerAnswer: Sendable {
    case read(Requester, Result<ReadAnswer, ServerError>)
    case write(Requester, Result<ApplyResult, ServerError>)
    case operation(Requester, Result<ServerOperationResult, ServerError>)
    /// Something that only the agent can do.
    case wish(ServerWish)
}

/// The text is the answer, in the reference's words.
public struct ServerError: Error, Hashable, Sendable {
    public var text: String
    public init(_ text: String) { self.text = text }

    public static let noLeader = ServerError("No cluster leader")
    public static let noPath = ServerError("No path to datacenter")
    /// A client's that knows nobody to ask.
    public static let noServers = ServerError("No known Consul servers")
    /// Of the agent's own limit of calls.
    public static let rateLimited = ServerError("RPC rate limit exceeded")

    /// As the caller sees the error of a server that it called (rpc-raft-wire §2.4).
    public var called: ServerError { ServerError("rpc error making call: " + text) }
}

/// What a server is asked to do, by a client of its agent or by another server.
public enum ServerWork: Sendable {
    case read(ReadQuery, QueryOptions)
    case write(WriteRequest)
    /// Restarts the timer of a session; answered with the session, as a read of it.
    case renew(session: String, QueryOptions)
    /// About the servers themselves.
    case operation(ServerOperation, QueryOptions)

    var datacenter: String {
        switch self {
        case .read(_, let options), .renew(_, let options), .operation(_, let options): options.datacenter
        case .write(let request): request.datacenter
        }
    }

    /// Without a node to sort by that is in another datacenter: of those nothing is known here.
    func localized(_ datacenter: String) -> ServerWork {
        guard case .read(let query, var options) = self, !options.sourceDatacenter.isEmpty, options.sourceDatacenter != datacenter else {
            return self
        }
        options.sourceNode = ""
        options.sourceDatacenter = ""
        return .read(query, options)
    }

    /// Whether it may be done twice: what it changes, if anything, does not add up.
    var isRead: Bool {
        switch self {
        case .read, .renew: true
        case .write, .operation(.removeRaftPeer, _), .operation(.updateCoordinate, _), .operation(.transferLeadership, _),
            .operation(.restore, _):
            false
        case .operation: true
        }
    }
}
