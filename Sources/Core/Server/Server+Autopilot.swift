// The leader looks after the servers: their health, votes for new ones, removal of dead ones (behaviour §4.4).

extension Server {
    /// The configuration of autopilot that is in force.
    var autopilotConfiguration: AutopilotConfiguration { store.autopilot ?? config.autopilot }

    func startAutopilot(at now: Instant) {
        autopilot.start(config, at: now)
        guard store.autopilot == nil else { return }
        var request = AutopilotRequest()
        request.configuration = config.autopilot
        perform(.configureAutopilot, .autopilot(request), at: now)
    }

    func runAutopilot(at now: Instant) {
        if let deadline = autopilot.deadline, deadline <= now { judge(at: now) }
        if let due = autopilot.healthAt, due <= now {
            autopilot.healthAt = now + config.serverHealthInterval
            askForHealth(at: now)
        }
        if let due = autopilot.actAt, due <= now {
            autopilot.actAt = now + config.autopilotInterval
            promote(at: now)
            autopilot.wantsCleanup = true
        }
        if autopilot.wantsCleanup {
            autopilot.wantsCleanup = false
            removeDeadServers(at: now)
        }
    }

    // MARK: Health

    /// Asks every server how its log stands.
    private func askForHealth(at now: Instant) {
        guard minimumRaftProtocol >= 3 else { return }
        let wait = Duration.nanoseconds(config.serverHealthInterval.nanoseconds / 2)
        autopilot.round += 1
        autopilot.statistics = LookupTable()
        autopilot.statistics[config.nodeID] = raftStatistics(at: now)
        autopilot.deadline = now + wait
        autopilot.awaited = 0
        for server in lanServers where server.status != .left && server.id != config.nodeID {
            autopilot.awaited += 1
            ask(
                .statistics(id: server.id, round: autopilot.round), .raftStatistics, QueryOptions(), of: server.serverAddress, timeout: wait
            )
        }
        if autopilot.awaited == 0 { judge(at: now) }
    }

    func statisticsArrived(from id: String, round: UInt64, _ result: Result<ServerOperationResult, ServerError>, at now: Instant) {
        guard isEstablished, round == autopilot.round, autopilot.deadline != nil else { return }
        if case .success(.raftStatistics(let statistics)) = result { autopilot.statistics[id] = statistics }
        autopilot.awaited -= 1
        if autopilot.awaited == 0 { judge(at: now) }
    }

    /// Makes a judgement of what the servers have answered.
    private func judge(at now: Instant) {
        autopilot.deadline = nil
        let configuration = autopilotConfiguration
        var health = ClusterHealth()
        var healthyVoters = 0
        for server in raft.configuration.servers {
            let judged = judge(server, configuration, at: now)
            if judged.isHealthy && judged.isVoter { healthyVoters += 1 }
            health.servers.append(judged)
        }
        health.healthy = health.servers.allSatisfy(\.isHealthy)
        health.failureTolerance = max(0, healthyVoters - raft.configuration.quorum)
        autopilot.health = health
        promote(at: now)
    }

    private func judge(_ server: RaftServer, _ configuration: AutopilotConfiguration, at now: Instant) -> ServerHealth {
        var health = ServerHealth()
        health.id = server.id
        health.address = server.address
        health.isLeader = server.id == config.nodeID
        health.isVoter = server.suffrage == .voter
        guard let member = lanServers.first(where: { $0.id == server.id }) else {
            autopilot.stableSince.removeValue(forKey: server.id)
            return health
        }
        health.name = member.name
        health.status = member.status
        health.version = member.build.text
        guard let statistics = autopilot.statistics[server.id] else {
            autopilot.stableSince.removeValue(forKey: server.id)
            return health
        }
        health.lastTerm = statistics.lastTerm
        health.lastIndex = statistics.lastIndex
        if statistics.lastContact != "never" { health.lastContact = (try? GoDuration.parse(statistics.lastContact)) ?? .nanoseconds(-1) }
        health.isHealthy = health.follows(lastTerm: raft.lastLogTerm, lastIndex: raft.lastLogIndex, configuration)
        let before = autopilot.health.servers.first { $0.id == server.id }
        let since = before?.isHealthy == health.isHealthy ? autopilot.stableSince[server.id] ?? now : now
        autopilot.stableSince[server.id] = since
        health.stableSince = GoTime(unixNanoseconds: since.nanoseconds &+ raft.wallClockOffset)
        return health
    }

    // MARK: Promotion

    /// Servers that have followed closely for long enough get a vote.
    private func promote(at now: Instant) {
        guard minimumRaftProtocol >= 3 else { return }
        let time = autopilotConfiguration.serverStabilizationTime
        for server in autopilot.health.servers where server.isHealthy && !server.isVoter {
            guard raft.configuration[server.id]?.suffrage == .nonvoter, let since = autopilot.stableSince[server.id], now - since >= time
            else { continue }
            log(.info, "Promoting server to voter: address=\(server.address) name=\(LogText.value(server.name))")
            change(.addVoter(id: server.id, address: server.address), "failed to add raft peer \(server.address)", at: now)
            autopilot.wantsCleanup = true
        }
    }

    // MARK: Cleaning up

    /// Forces failed servers out of the pools, which takes them out of everything else, and removes those that gossip has forgotten.
    private func removeDeadServers(at now: Instant) {
        let configuration = autopilotConfiguration
        guard configuration.cleanupDeadServers else { return }
        var stale = raft.configuration.servers.filter { $0.id != config.raftID && isSilent($0.id, at: now) }
        var failed: [ServerTags] = []
        for server in lanServers {
            let known = raft.configuration.servers.first { $0.address == server.serverAddress }
            stale.removeAll { $0.address == server.serverAddress }
            guard server.status == .failed, known.map({ isSilent($0.id, at: now) }) ?? true else { continue }
            if known?.suffrage == .nonvoter { expel(server) } else { failed.append(server) }
        }
        let dead = failed.count + stale.count
        if dead == 0 { return }
        guard Autopilot.mayRemove(dead, of: raft.configuration.voterCount, minQuorum: configuration.minQuorum) else {
            return log(.debug, "Failed to remove dead servers: too many dead servers: number_of_dead_servers=\(dead)")
        }
        for server in failed { expel(server) }
        for server in stale {
            log(.info, "Attempting removal of stale server: id=\(server.id) address=\(server.address)")
            change(.removeServer(id: server.id), "failed to remove raft peer \(server.id)", at: now)
        }
    }

    private func expel(_ server: ServerTags) {
        log(.info, "Attempting removal of failed server node: name=\(LogText.value(server.name))")
        answers.append(.wish(.forceLeave(server.memberName)))
    }

    /// Whether consensus has not heard from that server for some time either.
    private func isSilent(_ id: String, at now: Instant) -> Bool {
        guard let contact = raft.lastContact(with: id) else { return true }
        return now - contact >= Autopilot.silenceMin
    }
}
