/// Who carries out an agent's reads and writes: a server of its own, or the servers that a client knows.
enum Backend {
    case server(Server)
    case client(Client)

    var server: Server? {
        if case .server(let server) = self { server } else { nil }
    }

    var client: Client? {
        if case .client(let client) = self { client } else { nil }
    }

    /// Ends in exactly one answer for `requester`, unless it is cancelled.
    func execute(_ work: ServerWork, _ context: RequestContext, for requester: Requester, at now: Instant) {
        switch self {
        case .server(let server): server.execute(work, context, for: requester, at: now)
        case .client(let client): client.execute(work, context, for: requester, at: now)
        }
    }

    func cancel(_ requester: Requester) {
        switch self {
        case .server(let server): server.cancel(requester)
        case .client(let client): client.cancel(requester)
        }
    }

    func answered(_ id: CallID, _ bytes: [UInt8], at now: Instant) {
        switch self {
        case .server(let server): server.answered(id, bytes, at: now)
        case .client(let client): client.answered(id, bytes, at: now)
        }
    }

    func callFailed(_ id: CallID, _ reason: String, at now: Instant) {
        switch self {
        case .server(let server): server.callFailed(id, reason, at: now)
        case .client(let client): client.callFailed(id, reason, at: now)
        }
    }

    func wake(at now: Instant) {
        switch self {
        case .server(let server): server.wake(at: now)
        case .client(let client): client.wake(at: now)
        }
    }

    func reload(_ new: Reloadable, at now: Instant) {
        switch self {
        case .server(let server): server.reload(new, at: now)
        case .client(let client): client.reload(new, at: now)
        }
    }

    func flush(at now: Instant) {
        switch self {
        case .server(let server): server.flush(at: now)
        case .client(let client): client.flush(at: now)
        }
    }

    var deadline: Instant? {
        switch self {
        case .server(let server): server.deadline
        case .client(let client): client.deadline
        }
    }

    func takeOutput(into effects: inout [ServerEffect]) -> [ServerAnswer] {
        switch self {
        case .server(let server): server.takeOutput(into: &effects)
        case .client(let client): client.takeOutput(into: &effects)
        }
    }

    /// Sections of `/v1/agent/self`.
    func statistics(at now: Instant) -> [AgentStatistics] {
        switch self {
        case .server(let server): server.statistics(at: now)
        case .client(let client): client.statistics()
        }
    }
}
