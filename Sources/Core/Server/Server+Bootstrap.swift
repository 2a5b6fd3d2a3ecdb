// What this server asks others for itself, and the steps of a cluster's beginning (`ClusterBootstrap`).

extension Server {
    private var hasRaftState: Bool { raft.lastLogIndex > 0 || raft.lastSnapshot != nil }

    func considerBootstrap(at now: Instant) { perform(bootstrap.poolChanged(pool, hasState: hasRaftState, at: now), at: now) }

    func continueBootstrap(at now: Instant) { perform(bootstrap.wake(hasState: hasRaftState, at: now), at: now) }

    private func perform(_ steps: [ClusterBootstrap.Step], at now: Instant) {
        for step in steps {
            switch step {
            case .log(let level, let text): log(level, text)
            case .ask(let question, let address):
                var options = QueryOptions()
                options.datacenter = config.datacenter
                ask(.peers(question), .peers, options, of: address, timeout: .seconds(5))
            case .begin(let configuration):
                let token = consensus.makeToken(for: .duty("Failed to bootstrap cluster"))
                drive(.bootstrap(token: token, configuration), at: now)
            }
        }
    }

    // MARK: Questions to other servers

    /// Asks a server on this server's own behalf.
    func ask(_ purpose: OwnCall, _ operation: ServerOperation, _ options: QueryOptions, of address: Address, timeout: Duration) {
        guard let method = operation.method?.rawValue else { preconditionFailure("operations without a method are not asked of others") }
        let id = calls.nextID()
        calls.ask(id, CallRouter.Own(purpose: purpose, operation: operation))
        let bytes = RPCRequest.encode(sequence: id.number, method: method, body: operation.encodeRequest(options))
        effects.append(.call(id, to: address, .rpc, bytes, timeout: timeout))
    }

    func ownCallEnded(_ call: CallRouter.Own, _ answer: Result<[UInt8], ServerError>, at now: Instant) {
        let result: Result<ServerOperationResult, ServerError>
        switch answer {
        case .failure(let error): result = .failure(error)
        case .success(let bytes):
            do throws(MessagePackError) {
                let reply = try RPCReply(decoding: bytes)
                result = reply.error.isEmpty ? .success(try call.operation.decodeReply(reply.body)) : .failure(ServerError(reply.error))
            } catch {
                result = .failure(ServerError(error.text))
            }
        }
        switch call.purpose {
        case .peers(let question): perform(bootstrap.answered(question, result, hasState: hasRaftState, at: now), at: now)
        case .statistics(let id, let round): duties.autopilot.statisticsArrived(from: id, round: round, result, self, at: now)
        }
    }
}
