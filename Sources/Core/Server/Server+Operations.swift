// Operations: what servers are asked for beside reads and writes (rpc-raft-wire §3).

extension ServerOperation {
    /// Whether the server answers this itself, leader or not.
    func isAnswered(by server: Server, _ options: QueryOptions) -> Bool {
        switch place {
        case .anyServer: true
        case .anyServerIfStale: options.allowStale
        case .anyServerInTouch: options.allowStale && (server.raft.isLeader || server.raft.lastContact != nil)
        case .leader: false
        }
    }
}

extension Server {
    /// What every server can do: hands the operation to its owner.
    func perform(_ operation: ServerOperation, _ options: QueryOptions, for requester: Requester, at now: Instant) {
        switch operation {
        case .ping: finishOperation(requester, .success(.done), at: now)
        case .leader: finishOperation(requester, .success(.text(leaderAddress ?? "")), at: now)
        case .peers: finishOperation(requester, .success(.texts(raft.configuration.servers.map(\.address))), at: now)
        case .raftStatistics: finishOperation(requester, .success(.raftStatistics(raftStatistics(at: now))), at: now)
        case .raftConfiguration: finishOperation(requester, .success(.raftConfiguration(describeServers())), at: now)
        case .datacenters: finishOperation(requester, .success(.texts(gossip.datacenters)), at: now)
        case .datacenterCoordinates:
            finishOperation(requester, .success(.datacenterCoordinates(gossip.datacenterCoordinates)), at: now)
        case .keyring(let request):
            if let error = gossip.manageKeys(request, for: requester, at: now) { finishOperation(requester, .failure(error), at: now) }
        case .fireEvent(let name, let payload):
            finishOperation(requester, gossip.fireEvent(name, payload, at: now).map { .failure($0) } ?? .success(.done), at: now)
        case .saveSnapshot: beginSaving(for: requester, at: now)
        case .restoreSnapshot: finishOperation(requester, .failure(ServerError("stale not allowed for restore")), at: now)
        case .removeRaftPeer, .serverHealth, .updateCoordinate, .transferLeadership, .restore:
            preconditionFailure("the leader's to answer")
        }
    }

    /// What only the leader can do; this server leads.
    func lead(_ operation: ServerOperation, _ options: QueryOptions, for requester: Requester, at now: Instant) {
        switch operation {
        case .removeRaftPeer(let peer): removeRaftPeer(peer, for: requester, at: now)
        case .transferLeadership(let target):
            let token = consensus.makeToken(for: .operation(requester))
            drive(.transferLeadership(token: token, to: target), at: now)
        case .serverHealth where pool.minimumRaftProtocol < 3:
            let text = "all servers must have raft_protocol set to 3 or higher to use this endpoint"
            finishOperation(requester, .failure(ServerError(text)), at: now)
        case .serverHealth: finishOperation(requester, .success(.health(duties.autopilot.health)), at: now)
        case .updateCoordinate(let update):
            let refusal = duties.coordinates.add(update, at: now)
            finishOperation(requester, refusal.map { .failure($0) } ?? .success(.done), at: now)
        case .restore(let state, let index): restore(state, index: index, for: requester, at: now)
        case .saveSnapshot: saveSnapshot(for: requester, at: now)
        case .restoreSnapshot(let archive): restoreSnapshot(archive, for: requester, at: now)
        default: perform(operation, options, for: requester, at: now)
        }
    }

    func finishOperation(_ requester: Requester, _ result: Result<ServerOperationResult, ServerError>, at now: Instant) {
        switch requester {
        case .client, .local, .question, .coordinate: answers.append(.operation(requester, result))
        case .peer(let id): replyToOperation(id, result, at: now)
        case .own(let number): ownCallEnded(number, result, at: now)
        case .duty: break
        }
    }

    func raftStatistics(at now: Instant) -> RaftStatistics {
        var statistics = RaftStatistics()
        statistics.lastContact = raft.isLeader ? "0" : raft.lastContact.map { GoDuration.format(max(.zero, now - $0)) } ?? "never"
        statistics.lastIndex = raft.lastLogIndex
        statistics.lastTerm = raft.lastLogTerm
        return statistics
    }

    // MARK: The Raft configuration

    private func removeRaftPeer(_ peer: RaftPeer, for requester: Requester, at now: Instant) {
        let change: MembershipChange
        switch peer {
        case .id(let id):
            guard raft.configuration[id] != nil else {
                return finishOperation(
                    requester, .failure(ServerError("id \(GoQuote.quote(id)) was not found in the Raft configuration")), at: now)
            }
            change = .removeServer(id: id)
        case .address(let address):
            guard raft.configuration.servers.contains(where: { $0.address == address }) else {
                return finishOperation(
                    requester, .failure(ServerError("address \(GoQuote.quote(address)) was not found in the Raft configuration")), at: now)
            }
            change = .removeAddress(address)
        }
        let token = consensus.makeToken(for: .operation(requester))
        drive(.changeMembership(token: token, change), at: now)
    }

    /// Consensus has answered a change of its configuration or of its leader.
    func consensusAnswered(_ token: UInt64, _ result: Result<Void, RaftError>, at now: Instant) {
        guard let purpose = consensus.takePurpose(of: token) else { return }
        switch purpose {
        case .operation(let requester):
            finishOperation(requester, result.map { .done }.mapError { ServerError($0.text) }, at: now)
        case .membership(_, let what):
            if case .failure(let error) = result { log(.error, "\(what): error=\(LogText.value(error.text))") }
        case .restore(let requester):
            state.forgetBrought()
            finishOperation(
                requester, result.map { .done }.mapError { ServerError("Raft error when restoring snapshot: " + $0.text) }, at: now)
        case .saving(let requester):
            switch result {
            case .success: beginSaving(for: requester, at: now)
            case .failure(let error): finishOperation(requester, .failure(ServerError(error.text)), at: now)
            }
        case .leaving: leadershipHandedOver(result, at: now)
        case .duty(let what):
            if case .failure(let error) = result { log(.error, "\(what): error=\(LogText.value(error.text))") }
        }
    }
}
