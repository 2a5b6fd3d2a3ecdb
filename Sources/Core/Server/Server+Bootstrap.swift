// What this server asks others for itself, and the steps of a cluster's beginning (`ClusterBootstrap`).

extension Server {
    private var hasRaftState: Bool { raft.lastLogIndex > 0 || raft.lastSnapshot != nil }

    func considerBootstrap(at now: Instant) { perform(bootstrap.poolChanged(pool, hasState: hasRaftState, at: now), at: now) }

    func continueBootstrap(at now: Instant) { perform(bootstrap.wake(pool, hasState: hasRaftState, at: now), at: now) }

    private func perform(_ steps: [ClusterBootstrap.Step], at now: Instant) {
        for step in steps {
            switch step {
            case .log(let level, let text): log(level, text)
            case .ask(let question, let address):
                var options = QueryOptions()
                options.datacenter = settings.identity.datacenter
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
        let call = ServerCaller.Call(
            requester: calls.ask(purpose), work: .operation(operation, options), context: .ownWork, target: .once(within: timeout))
        guard let outgoing = calls.caller.attempt(call, at: address) else {
            preconditionFailure("operations without a method are not asked of others")
        }
        effects.append(ServerEffect(outgoing))
    }

    func ownCallEnded(_ number: UInt64, _ result: Result<ServerOperationResult, ServerError>, at now: Instant) {
        switch calls.takeOwn(number) {
        case nil: break
        case .peers(let question): perform(bootstrap.answered(question, result, hasState: hasRaftState, at: now), at: now)
        case .statistics(let id, let round): duties.autopilot.statisticsArrived(from: id, round: round, result, self, at: now)
        }
    }
}
