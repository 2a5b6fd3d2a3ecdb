/// Checks and completes writes on the leader (behaviour §1.5, §5). Owns the writes under way and the lock delays.
struct WriteService {
    /// What a write comes to that does not go into the log.
    struct Refusal {
        var result: Result<ApplyResult, ServerError>
        /// A warning for the log.
        var warning: String?
    }

    private struct Pending {
        var requester: Requester
        var measured: MeasuredWrite?
        var since: Instant
    }

    var lockDelays = LockDelays()
    /// By the token of the proposal.
    private var pending = LookupTable<UInt64, Pending>()

    /// The most writes that may be under way; beyond it writes are refused.
    static let pendingMax = 65_536

    /// Completes the request, or says why it does not go into the log.
    mutating func prepare(
        _ request: inout WriteRequest, _ context: RequestContext, in store: Store, sessionTTLMin: Duration, random: inout Random,
        at now: Instant
    ) -> Refusal? {
        if let problem = request.validate(WriteRules(sessionTTLMin: sessionTTLMin)) {
            return Refusal(result: .failure(ServerError(problem)))
        }
        do throws(Denied) {
            try request.authorize(context.authorizer, in: store)
        } catch {
            return Refusal(result: .failure(ServerError(error.text)))
        }
        if case .kv(let kv) = request, kv.op == .lock, !planted(.lockDelayIgnored), lockDelays.isDelayed(kv.dirEnt.key, at: now) {
            let warning = "Rejecting lock of key due to lock-delay: key=\(LogText.value(kv.dirEnt.key.string))"
            return Refusal(result: .success(.bool(false)), warning: warning)
        }
        if case .txn(var txn) = request {
            let errors = WriteValidation.precheck(&txn, context.authorizer) {
                !planted(.txnLockDelayIgnored) && lockDelays.isDelayed($0, at: now)
            }
            if !errors.isEmpty { return Refusal(result: .success(.txn(TxnResponse(errors: errors)))) }
            request = .txn(txn)
        }
        if case .session(var session) = request, session.op == .create {
            repeat { session.session.id = random.uuid() } while (try? store.session(session.session.id)) != nil
            request = .session(session)
        }
        return pending.count < Self.pendingMax ? nil : Refusal(result: .failure(ServerError("timed out enqueuing operation")))
    }

    /// The write is proposed under that token.
    mutating func began(_ token: UInt64, _ request: WriteRequest, for requester: Requester, at now: Instant) {
        // What the leader writes of its own accord is no call.
        let measured: MeasuredWrite? = if case .duty = requester { nil } else { request.measured }
        pending[token] = Pending(requester: requester, measured: measured, since: now)
    }

    /// The write of that token is applied, or has come to nothing. Returns who waits for it, and what was measured.
    mutating func ended(_ token: UInt64, at now: Instant) -> (requester: Requester, measure: ServerMeasure?)? {
        guard let write = pending.removeValue(forKey: token) else { return nil }
        return (write.requester, write.measured.map { .write($0, now - write.since) })
    }
}
