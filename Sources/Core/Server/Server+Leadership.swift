// The leader's duties (behaviour §4): timers of sessions, tombstones, the servers' own entries in the catalog.

extension Server {
    /// A new leader is established once it has applied an entry of its own term: then it has applied all that was ever
    /// acknowledged (Raft §8).
    func establishIfReady(_ entry: LogEntry, at now: Instant) {
        guard case .establishing(let term) = leadership, entry.term == term, raft.isLeader else { return }
        leadership = .established(term: term)
        publishes = true
        armTimers(at: now)
        reconcile(at: now)
        retryHeld(at: now)
    }

    func loseLeadership(at now: Instant) {
        log(.info, "cluster leadership lost")
        leadership = .following
        sessionTimers.removeAll()
        tombstones.removeAll()
        coordinateUpdates.removeAll()
        health = ClusterHealth()
        reconcileAt = nil
        publishes = true
    }

    /// Every session gets a fresh timer, and what is in the graveyard its whole time again (behaviour §4.2).
    func armTimers(at now: Instant) {
        sessionTimers.removeAll()
        tombstones.removeAll()
        for session in store.sessionsWithTTL { sessionTimers.arm(session: session.id, ttl: session.ttl, at: now) }
        if store.hasTombstones { tombstones.hint(appliedIndex, at: now) }
    }

    var dutyDeadline: Instant? {
        guard isEstablished else { return nil }
        var earliest = reconcileAt
        for other in [sessionTimers.deadline, tombstones.deadline, coordinateUpdates.deadline] {
            if let other { earliest = min(earliest ?? other, other) }
        }
        return earliest
    }

    func performDueDuties(at now: Instant) {
        guard isEstablished else { return }
        while let id = sessionTimers.popExpired(at: now) {
            log(.debug, "Session TTL expired: session=\(id)")
            var request = SessionRequest()
            request.datacenter = config.datacenter
            request.op = "destroy"
            request.session.id = id
            perform(.expireSession(id), .session(request), at: now)
        }
        while let index = tombstones.popExpired(at: now) {
            var request = TombstoneRequest()
            request.datacenter = config.datacenter
            request.op = "reap"
            request.reapIndex = index
            perform(.reapTombstones(index), .tombstone(request), at: now)
        }
        writeCoordinates(at: now)
        if let due = reconcileAt, due <= now { reconcile(at: now) }
    }

    func perform(_ duty: Duty, _ request: WriteRequest, at now: Instant) {
        let id = nextID
        nextID += 1
        duties[id] = duty
        propose(request, for: .duty(id), at: now)
    }

    func dutyDone(_ id: UInt64, _ result: Result<ApplyResult, ServerError>, at now: Instant) {
        guard let duty = duties.removeValue(forKey: id) else { return }
        let problem: String
        switch result {
        case .success(.error(let text)): problem = text
        case .failure(let error): problem = error.text
        case .success: return
        }
        switch duty {
        case .expireSession(let session):
            log(.error, "Invalidation failed: error=\"\(problem)\"")
            if isEstablished { sessionTimers.retry(session: session, at: now) }
        case .reapTombstones(let index):
            log(.error, "failed to reap tombstones up to index: index=\(index) error=\"\(problem)\"")
            if isEstablished { tombstones.hint(index, at: now) }
        case .updateCoordinates: log(.error, "coordinate update: batch update failed: error=\"\(problem)\"")
        case .registerServer(let name):
            log(.error, "failed to reconcile member: member=\(name) error=\"\(problem)\"")
        }
    }

    // MARK: The servers in the catalog

    /// Registers the servers that the cluster consists of, where the catalog differs (behaviour §4.3).
    private func reconcile(at now: Instant) {
        reconcileAt = now + config.reconcileInterval
        let servers =
            config.initialServers.isEmpty
            ? [ServerIdentity(id: config.nodeID, name: config.nodeName, address: raft.identity.address)] : config.initialServers
        for server in servers {
            let request = registration(of: server)
            if isRegistered(request) { continue }
            log(.info, "member joined, marking health alive: member=\(server.name)")
            perform(.registerServer(server.name), .register(request), at: now)
        }
    }

    private func registration(of server: ServerIdentity) -> RegisterRequest {
        let colon = server.address.utf8.lastIndex(of: UInt8(ascii: ":")) ?? server.address.utf8.endIndex
        var host = String(server.address.utf8[..<colon]) ?? ""
        if host.utf8.first == UInt8(ascii: "["), host.utf8.last == UInt8(ascii: "]") { host = String(host.dropFirst().dropLast()) }
        var request = RegisterRequest()
        request.datacenter = config.datacenter
        request.id = server.id
        request.node = server.name
        request.address = host
        if let known = store.node(server.name)?.value {
            request.taggedAddresses = known.taggedAddresses
            request.nodeMeta = known.meta
        }
        var service = NodeService()
        service.id = "consul"
        service.service = "consul"
        service.tags = []
        service.port = Int(server.address.utf8[colon...].dropFirst().reduce(0) { $0 &* 10 &+ UInt32($1 &- 48) })
        service.weights = Weights()
        service.meta = [
            "non_voter": "false", "raft_version": "3", "serf_protocol_current": "2", "serf_protocol_max": "5", "serf_protocol_min": "1",
            "version": AgentConfig.compatibilityVersion,
        ]
        request.service = service
        var check = HealthCheck()
        check.node = server.name
        check.checkID = CheckStatus.serfHealth
        check.name = "Serf Health Status"
        check.status = CheckStatus.passing
        check.output = "Agent alive and reachable"
        request.check = check
        return request
    }

    private func isRegistered(_ request: RegisterRequest) -> Bool {
        guard let node = store.node(request.node)?.value, node.address == request.address else { return false }
        guard let service = store.service("consul", onNode: request.node)?.value, service.service.meta == request.service?.meta else {
            return false
        }
        return store.check(CheckStatus.serfHealth, onNode: request.node)?.value.status == CheckStatus.passing
    }
}

extension Store {
    /// In the order of their ids.
    var sessionsWithTTL: [Session] { sessions.map(\.value.value).filter { !$0.ttl.isEmpty } }
    var hasTombstones: Bool { !tombstones.isEmpty }
}
