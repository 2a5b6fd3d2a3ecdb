// The first configuration of a cluster whose servers wait for each other: `bootstrap_expect` (behaviour §4.6).

/// The servers have found each other, and each is asked whether it belongs to a cluster already.
struct BootstrapRound {
    let servers: [ServerTags]
    /// Questions that are to be asked (again), by when; by the index of the server.
    var questions = DeadlineQueue<Int>()
    var attempts: [Int]
    var unanswered: Int

    static let attemptsMax = 6

    init(_ servers: [ServerTags]) {
        self.servers = servers
        attempts = Array(repeating: 0, count: servers.count)
        unanswered = servers.count
    }
}

extension Server {
    /// Begins when all the expected servers are there, and ends for good once this server has or knows of a configuration.
    func considerBootstrap(at now: Instant) {
        guard bootstrapExpect > 0, bootstrapRound == nil else { return }
        if raft.lastLogIndex > 0 || raft.lastSnapshot != nil {
            bootstrapExpect = 0
            return
        }
        var servers: [ServerTags] = []
        for server in lanServers where server.status == .alive {
            if server.expect != 0 && server.expect != bootstrapExpect {
                return log(
                    .error, "Member has a conflicting expect value. All nodes should expect the same number.: member=\(server.memberName)")
            }
            if server.bootstrap {
                return log(.error, "Member has bootstrap mode. Expect disabled.: member=\(LogText.value(server.memberName))")
            }
            servers.append(server)
        }
        guard servers.count(where: { !$0.isNonVoter }) >= bootstrapExpect else { return }
        var round = BootstrapRound(servers)
        for index in servers.indices {
            if servers[index].name == config.nodeName { round.unanswered -= 1 } else { round.questions[index] = now }
        }
        bootstrapRound = round
        continueBootstrap(at: now)
    }

    /// Asks what is to be asked by now.
    func continueBootstrap(at now: Instant) {
        while let index = bootstrapRound?.questions.popExpired(at: now), let server = bootstrapRound?.servers[index] {
            var options = QueryOptions()
            options.datacenter = config.datacenter
            ask(.peers(index), .peers, options, of: server.serverAddress, timeout: .seconds(5))
        }
        if let round = bootstrapRound, round.unanswered == 0 { bootstrap(with: round.servers, at: now) }
    }

    func peersAnswered(_ index: Int, _ result: Result<ServerOperationResult, ServerError>, at now: Instant) {
        guard var round = bootstrapRound else { return }
        let server = round.servers[index]
        switch result {
        case .success(.texts(let peers)) where !peers.isEmpty:
            log(.info, "Existing Raft peers reported by server, disabling bootstrap mode: server=\(LogText.value(server.name))")
            bootstrapExpect = 0
            bootstrapRound = nil
            return
        case .success: round.unanswered -= 1
        case .failure(let error):
            round.attempts[index] += 1
            log(
                .error,
                "Failed to confirm peer status for server (will retry).: server=\(LogText.value(server.name)) error=\(LogText.value(error.text))"
            )
            guard round.attempts[index] < BootstrapRound.attemptsMax else {
                // Who does not answer may know of a cluster. The next change of the pool begins anew.
                bootstrapRound = nil
                return
            }
            round.questions[index] = now + .seconds(1 << (round.attempts[index] - 1))
        }
        bootstrapRound = round
        continueBootstrap(at: now)
    }

    private func bootstrap(with servers: [ServerTags], at now: Instant) {
        bootstrapRound = nil
        bootstrapExpect = 0
        guard raft.lastLogIndex == 0 else { return }
        let oldest = servers.map(\.raftVersion).min() ?? 3
        let peers = servers.map { server in
            RaftServer(
                suffrage: server.isNonVoter ? .nonvoter : .voter, id: oldest >= 3 ? server.id : server.serverAddress,
                address: server.serverAddress)
        }
        log(
            .info,
            "Found expected number of peers, attempting bootstrap: peers=\(peers.map(\.address).joined(separator: ","))")
        let token = takeToken()
        consensusPurposes[token] = .duty("Failed to bootstrap cluster")
        drive(.bootstrap(token: token, RaftConfiguration(servers: peers)), at: now)
    }

    // MARK: Questions to other servers

    /// Asks a server on this server's own behalf.
    func ask(_ purpose: OwnCall, _ operation: ServerOperation, _ options: QueryOptions, of address: Address, timeout: Duration) {
        guard let method = operation.rpcMethod else { preconditionFailure("operations without a method are not asked of others") }
        let id = callCounter.next()
        ownCalls[id] = (purpose, operation)
        let bytes = RPCRequest.encode(sequence: id.number, method: method, body: operation.encodeRequest(options))
        effects.append(.call(id, to: address, .rpc, bytes, timeout: timeout))
    }

    func ownCallEnded(_ call: (purpose: OwnCall, operation: ServerOperation), _ answer: Result<[UInt8], ServerError>, at now: Instant) {
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
        case .peers(let index): peersAnswered(index, result, at: now)
        case .statistics(let id, let round): statisticsArrived(from: id, round: round, result, at: now)
        }
    }
}

/// What a server asks another one for itself.
enum OwnCall {
    /// Whether that server of the round belongs to a cluster.
    case peers(Int)
    /// How that server's log stands; the number tells the round of autopilot.
    case statistics(id: String, round: UInt64)
}
