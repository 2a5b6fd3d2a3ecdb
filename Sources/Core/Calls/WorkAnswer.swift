// What another server's answer to some work says, and whether a failure is worth another attempt (rpc-raft-wire §2.4, §2.5).

/// The body of an answer without an error.
enum WorkAnswer {
    /// `size`: of the message that brought the rows.
    case read(QueryResult, QueryMeta, size: Int)
    case write(ApplyResult)
    case operation(ServerOperationResult)
}

extension ServerWork {
    /// Reads the answer to `encodedCall`.
    func decodeAnswer(_ body: ArraySlice<UInt8>) throws(MessagePackError) -> WorkAnswer {
        switch self {
        case .read(let query, _):
            let (result, meta) = try query.decodeReply(body)
            return .read(result, meta, size: body.count)
        case .renew:
            let (result, meta) = try ReadQuery.session(.list).decodeReply(body)
            return .read(result, meta, size: body.count)
        case .write(let request): return .write(try request.decodeReply(body))
        case .operation(let operation, _): return .operation(try operation.decodeReply(body))
        }
    }

    /// Whether a server's refusal may be over soon: it is the loss of a leader, or (for reads) of a connection further on.
    func isWorthRepeating(after refusal: String) -> Bool {
        if isSnapshot { return false }
        if refusal.contains(ServerError.noLeader.text) { return true }
        return isRepeatable
            && (refusal.contains("stream closed") || refusal.contains("session shutdown") || refusal == "node is not the leader")
    }

    /// How long an answer may take: the other side holds the work while it has no leader, and blocking queries for as long as they may wait.
    func answerTimeout(_ settings: AgentSettings, hops: Int) -> Duration {
        if isSnapshot { return .minutes(30) }
        let slack = settings.servers.rpcHoldTimeout * hops + .seconds(5)
        guard case .read(_, let options) = self, options.minQueryIndex > 0 else { return slack }
        let wait =
            options.maxQueryTime <= .zero ? settings.servers.defaultQueryTime : min(options.maxQueryTime, settings.servers.maxQueryTime)
        return wait + .nanoseconds(wait.nanoseconds / 16) + slack
    }
}

extension ServerError {
    /// A call that came to nothing. Where no connection could be made, nothing has been sent.
    init(failedCall reason: String) {
        self.init(
            ServerError.isUnsent(reason) ? "rpc error getting client: failed to get conn: \(reason)" : "rpc error making call: \(reason)")
    }

    /// Whether a call failed before anything of it was sent: the other side cannot have done what it asks for.
    static func isUnsent(_ reason: String) -> Bool { reason.hasPrefix("dial ") }
}
