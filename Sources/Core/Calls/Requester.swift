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
    /// What a server or client asks other servers for, for itself; the number tells which.
    case own(UInt64)
}

/// A read that has been carried out.
public struct ReadAnswer: Sendable {
    public var result: QueryResult
    public var meta: QueryMeta
    /// Equal for answers that came from one and the same evaluation, so that it is rendered once for all of them.
    public var evaluation: UInt64
    /// Bytes of the message that brought the rows; zero for those of this agent's own store.
    public var size = 0
}

/// What a server has to tell its agent, beside the effects for the driver.
public enum ServerAnswer: Sendable {
    case read(Requester, Result<ReadAnswer, ServerError>)
    case write(Requester, Result<ApplyResult, ServerError>)
    case operation(Requester, Result<ServerOperationResult, ServerError>)
}

/// The text is the answer, in the reference's words.
public struct ServerError: Error, Hashable, Sendable {
    public var text: String
    public init(_ text: String) { self.text = text }

    public static let noLeader = ServerError("No cluster leader")
    public static let noPath = ServerError("No path to datacenter")
    static let notReady = ServerError("Not ready to serve consistent reads")
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

    /// The secret that it names; empty: none.
    var token: String {
        switch self {
        case .read(_, let options), .renew(_, let options), .operation(_, let options): options.token
        case .write(let request): request.token
        }
    }

    /// Whether the leader must have finished taking up its duties, and says so if that takes too long.
    var requiresConsistency: Bool { if case .read(_, let options) = self { options.requireConsistent } else { false } }

    /// Whether a call of it may leave out the datacenter: it is about the server that is asked.
    var needsNoDatacenter: Bool {
        if case .operation(let operation, _) = self { operation.isOfAskedServer } else { false }
    }

    /// With the datacenter named that it is for, if it names none: other servers do not guess.
    func addressed(to datacenter: String) -> ServerWork {
        if !self.datacenter.isEmpty { return self }
        switch self {
        case .read(let query, var options):
            options.datacenter = datacenter
            return .read(query, options)
        case .renew(let session, var options):
            options.datacenter = datacenter
            return .renew(session: session, options)
        case .operation(let operation, var options):
            options.datacenter = datacenter
            return .operation(operation, options)
        case .write(let request): return .write(request.addressed(to: datacenter))
        }
    }

    /// Without a node to sort by that is in another datacenter: of those nothing is known here.
    func localized(_ datacenter: String) -> ServerWork {
        guard case .read(let query, let given) = self, !given.sourceDatacenter.isEmpty, given.sourceDatacenter != datacenter else {
            return self
        }
        var options = given
        options.sourceNode = ""
        options.sourceDatacenter = ""
        return .read(query, options)
    }

    /// Whether it may be done twice: what it changes, if anything, does not add up, and it takes little.
    var isRepeatable: Bool {
        switch self {
        case .read, .renew: true
        case .write: false
        case .operation(let operation, _): operation.isRepeatable
        }
    }
}

extension WriteRequest {
    fileprivate func addressed(to datacenter: String) -> WriteRequest {
        var request = self
        request.datacenter = datacenter
        return request
    }
}
