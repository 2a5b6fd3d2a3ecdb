/// Writes the configuration of autopilot that this agent is set to, if the state has none.
final class AutopilotSettings: LeaderDuty {
    let deadline: Instant? = nil

    func began(_ leader: any LeadingServer, at now: Instant) {
        guard leader.store.autopilot == nil else { return }
        var request = AutopilotRequest()
        request.configuration = leader.settings.servers.autopilot
        leader.write(.autopilot(request), for: self, at: now)
    }

    func ended() {}
    func wake(_ leader: any LeadingServer, at now: Instant) {}

    func written(_ request: WriteRequest, since: Instant, problem: String?, _ leader: any LeadingServer, at now: Instant) {
        if let problem { leader.log(.error, "failed to initialize autopilot config: error=\(LogText.value(problem))") }
    }
}

/// Looks after the servers: their health, votes for new ones, removal of dead ones (behaviour §4.4). Owns what is known of their health.
final class AutopilotDuty: LeaderDuty {
    private var autopilot = Autopilot()

    /// As it was judged last; empty while this server does not lead.
    var health: ClusterHealth { autopilot.health }
    var deadline: Instant? { autopilot.nextDeadline }

    func began(_ leader: any LeadingServer, at now: Instant) { autopilot.start(leader.settings, at: now) }
    func ended() { autopilot.stop() }

    func willAddServer() { autopilot.wantsCleanup = true }

    func wake(_ leader: any LeadingServer, at now: Instant) {
        if let deadline = autopilot.deadline, deadline <= now { judge(leader, at: now) }
        if let due = autopilot.healthAt, due <= now {
            autopilot.healthAt = now + leader.settings.servers.healthInterval
            askForHealth(leader, at: now)
        }
        if let due = autopilot.actAt, due <= now {
            autopilot.actAt = now + leader.settings.servers.autopilotInterval
            promote(leader, at: now)
            autopilot.wantsCleanup = true
        }
        if autopilot.wantsCleanup {
            autopilot.wantsCleanup = false
            removeDeadServers(leader, at: now)
        }
    }

    /// The configuration that is in force.
    private func configuration(_ leader: any LeadingServer) -> AutopilotConfiguration {
        leader.store.autopilot ?? leader.settings.servers.autopilot
    }

    // MARK: Health

    /// Asks every server how its log stands.
    private func askForHealth(_ leader: any LeadingServer, at now: Instant) {
        guard leader.pool.minimumRaftProtocol >= 3 else { return }
        let wait = Duration.nanoseconds(leader.settings.servers.healthInterval.nanoseconds / 2)
        autopilot.round += 1
        autopilot.statistics = LookupTable()
        autopilot.statistics[leader.settings.identity.nodeID] = leader.raftStatistics(at: now)
        autopilot.deadline = now + wait
        autopilot.awaited = 0
        for server in leader.pool.servers where server.status != .left && server.id != leader.settings.identity.nodeID {
            autopilot.awaited += 1
            leader.ask(
                .statistics(id: server.id, round: autopilot.round), .raftStatistics, QueryOptions(), of: server.serverAddress, timeout: wait
            )
        }
        if autopilot.awaited == 0 { judge(leader, at: now) }
    }

    func statisticsArrived(
        from id: String, round: UInt64, _ result: Result<ServerOperationResult, ServerError>, _ leader: any LeadingServer, at now: Instant
    ) {
        guard round == autopilot.round, autopilot.deadline != nil else { return }
        if case .success(.raftStatistics(let statistics)) = result { autopilot.statistics[id] = statistics }
        autopilot.awaited -= 1
        if autopilot.awaited == 0 { judge(leader, at: now) }
    }

    /// Makes a judgement of what the servers have answered.
    private func judge(_ leader: any LeadingServer, at now: Instant) {
        autopilot.deadline = nil
        let configuration = configuration(leader)
        var health = ClusterHealth()
        var healthyVoters = 0
        for server in leader.raftConfiguration.servers {
            let judged = judge(server, configuration, leader, at: now)
            if judged.isHealthy && judged.isVoter { healthyVoters += 1 }
            health.servers.append(judged)
        }
        health.healthy = health.servers.allSatisfy(\.isHealthy)
        health.failureTolerance = max(0, healthyVoters - leader.raftConfiguration.quorum)
        autopilot.health = health
        promote(leader, at: now)
    }

    private func judge(_ server: RaftServer, _ configuration: AutopilotConfiguration, _ leader: any LeadingServer, at now: Instant)
        -> ServerHealth
    {
        var health = ServerHealth()
        health.id = server.id
        health.address = server.address
        health.isLeader = server.id == leader.settings.identity.nodeID
        health.isVoter = server.suffrage == .voter
        guard let member = leader.pool.servers.first(where: { $0.id == server.id }) else {
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
        health.isHealthy = health.follows(lastTerm: leader.lastLog.term, lastIndex: leader.lastLog.index, configuration)
        let before = autopilot.health.servers.first { $0.id == server.id }
        let since = before?.isHealthy == health.isHealthy || planted(.stableSinceNotReset) ? autopilot.stableSince[server.id] ?? now : now
        autopilot.stableSince[server.id] = since
        health.stableSince = leader.wallClock(at: since)
        return health
    }

    // MARK: Promotion

    /// Servers that have followed closely for long enough get a vote.
    private func promote(_ leader: any LeadingServer, at now: Instant) {
        guard leader.pool.minimumRaftProtocol >= 3 else { return }
        let time = configuration(leader).serverStabilizationTime
        for server in autopilot.health.servers
        where (server.isHealthy || planted(.promotedUnhealthy)) && !server.isVoter && !planted(.neverPromoted) {
            guard leader.raftConfiguration[server.id]?.suffrage == .nonvoter, let since = autopilot.stableSince[server.id],
                now - since >= time || planted(.promotedAtOnce)
            else { continue }
            leader.log(.info, "Promoting server to voter: address=\(server.address) name=\(LogText.value(server.name))")
            leader.change(.addVoter(id: server.id, address: server.address), "failed to add raft peer \(server.address)", at: now)
            autopilot.wantsCleanup = true
        }
    }

    // MARK: Cleaning up

    /// Forces failed servers out of the pools, which takes them out of everything else, and removes those that gossip has forgotten.
    private func removeDeadServers(_ leader: any LeadingServer, at now: Instant) {
        let configuration = configuration(leader)
        guard configuration.cleanupDeadServers else { return }
        var stale = leader.raftConfiguration.servers.filter { $0.id != leader.settings.raftID && isSilent($0.id, leader, at: now) }
        var failed: [ServerTags] = []
        for server in leader.pool.servers {
            let known = leader.raftConfiguration.servers.first { $0.address == server.serverAddress }
            stale.removeAll { $0.address == server.serverAddress }
            guard server.status == .failed, known.map({ isSilent($0.id, leader, at: now) }) ?? true else { continue }
            if known?.suffrage == .nonvoter { expel(server, leader, at: now) } else { failed.append(server) }
        }
        let dead = failed.count + stale.count
        if dead == 0 { return }
        guard Autopilot.mayRemove(dead, of: leader.raftConfiguration.voterCount, minQuorum: configuration.minQuorum) else {
            return leader.log(.debug, "Failed to remove dead servers: too many dead servers: number_of_dead_servers=\(dead)")
        }
        for server in failed { expel(server, leader, at: now) }
        for server in stale {
            leader.log(.info, "Attempting removal of stale server: id=\(server.id) address=\(server.address)")
            leader.change(.removeServer(id: server.id), "failed to remove raft peer \(server.id)", at: now)
        }
    }

    private func expel(_ server: ServerTags, _ leader: any LeadingServer, at now: Instant) {
        leader.log(.info, "Attempting removal of failed server node: name=\(LogText.value(server.name))")
        leader.forceLeave(server.memberName, at: now)
    }

    /// Whether consensus has not heard from that server for some time either.
    private func isSilent(_ id: String, _ leader: any LeadingServer, at now: Instant) -> Bool {
        guard let contact = leader.lastContact(with: id) else { return true }
        return now - contact >= Autopilot.silenceMin || planted(.liveServerRemoved)
    }
}
