// What the agent measures of itself, and who follows its log (http-1 §4.19, §4.20).

extension Agent {
    /// Looks at all that a batch of events came to: what goes out is measured, what is logged goes to those who follow.
    func observe(_ effects: inout [AgentEffect], at now: Instant) {
        for index in effects.indices {
            switch effects[index] {
            case .packet(_, _, let bytes): metrics.count(.udpSent, by: Double(bytes.count), at: now)
            case .call(_, _, .lan, let bytes, _), .call(_, _, .wan, let bytes, _):
                metrics.count(.tcpConnected, at: now)
                metrics.count(.tcpSent, by: Double(bytes.count), at: now)
            case .log(let level, let module, let message) where !followers.isEmpty:
                let time = GoTime(unixNanoseconds: now.nanoseconds &+ wallClockOffset)
                for (id, stream) in followers {
                    if let line = stream.line(level, module: module, message, at: time) { effects.append(.piece(id, line)) }
                }
            default: break
            }
        }
        server?.drainMeasures { measure($0, at: now) }
        measureConsensus(at: now)
        if countersDueAt.map({ now >= $0 }) ?? true { measureParts(at: now) }
        if followersChanged {
            followersChanged = false
            effects.append(.followLog(followers.lazy.map(\.stream.level).min()))
        }
    }

    /// The driver's own lines are for the clients only: it has written them already.
    func passOn(_ level: LogLevel, _ module: String, _ message: String, at now: Instant, into effects: inout [AgentEffect]) {
        let time = GoTime(unixNanoseconds: now.nanoseconds &+ wallClockOffset)
        for (id, stream) in followers {
            if let line = stream.line(level, module: module, message, at: time) { effects.append(.piece(id, line)) }
        }
    }

    /// From now on the client gets what is logged.
    func follow(_ id: RequestID, _ stream: LogStream, into effects: inout [AgentEffect]) {
        pending[id] = .log
        followers.append((id, stream))
        followersChanged = true
        effects.append(.respondInPieces(id, finished(HTTPResponse(status: 200))))
    }

    /// For Prometheus, the driver is asked about the process first.
    func showMetrics(prometheus: Bool, pretty: Bool, for id: RequestID, at now: Instant, into effects: inout [AgentEffect]) {
        if prometheus, metrics.keepsForPrometheus {
            pending[id] = .prometheus
            effects.append(.examineHost(id.raw))
        } else {
            let snapshot = takeMetrics(at: now)
            let response =
                prometheus ? Renderer.prometheus(nil, context: context) : Renderer.metrics(snapshot, pretty: pretty, context: context)
            effects.append(.respond(id, response))
        }
    }

    func prometheusResponse(_ process: HostFacts.Process?, at now: Instant) -> HTTPResponse {
        _ = takeMetrics(at: now)
        return Renderer.prometheus(metrics.prometheusSnapshot(at: now), process: process, context: context)
    }

    func takeMetrics(at now: Instant) -> MetricsSnapshot {
        setGauges(at: now)
        measureParts(at: now)
        var snapshot = metrics.snapshot(at: now)
        // Gauges are set when they are looked at: they belong to whatever interval is shown.
        snapshot.replaceGauges(by: metrics.current)
        return snapshot
    }

    private func setGauges(at now: Instant) {
        if let lan { metrics.set(.memberlistHealthScore, to: Double(lan.serf.healthScore), at: now) }
        guard let server else { return }
        metrics.set(.sessionTTLActive, to: Double(server.duties.sessions.count), at: now)
        if server.raft.isLeader {
            metrics.set(.autopilotHealthy, to: server.duties.autopilot.health.healthy ? 1 : 0, at: now)
            metrics.set(.autopilotFailureTolerance, to: Double(server.duties.autopilot.health.failureTolerance), at: now)
        }
        metrics.set(.raftAppliedIndex, to: Double(server.appliedIndex), at: now)
        metrics.set(.raftLastIndex, to: Double(server.raft.lastLogIndex), at: now)
        metrics.set(.rpcBlockingQueries, to: Double(server.blockedCount), at: now)
    }

    /// Pools and clients count by themselves; once a second is often enough to ask.
    private func measureParts(at now: Instant) {
        countersDueAt = now + .seconds(1)
        if queuesDueAt.map({ now >= $0 }) ?? true { measureQueues(at: now) }
        if let client = backend.client {
            metrics.count(.clientRPC, times: client.callCount - measuredCalls.made, at: now)
            metrics.count(.clientRPCExceeded, times: client.refusalCount - measuredCalls.refused, at: now)
            measuredCalls = (client.callCount, client.refusalCount)
        }
        server?.drainLookups { measure($0, times: $1, at: now) }
        for contact in server?.followerContacts(at: now) ?? [] { metrics.add(contact, to: .raftLeaderLastContact, at: now) }
        lan?.takeCounters().add(to: &metrics, at: now)
        wan?.takeCounters().add(to: &metrics, at: now)
    }

    /// As often as a Serf looks at them itself.
    private func measureQueues(at now: Instant) {
        queuesDueAt = now + .seconds(30)
        for pool in [lan, wan] {
            guard let depths = pool?.serf.queueDepths else { continue }
            metrics.add(Double(depths.intents), to: .serfIntentQueue, at: now)
            metrics.add(Double(depths.events), to: .serfEventQueue, at: now)
            metrics.add(Double(depths.queries), to: .serfQueryQueue, at: now)
        }
    }

    /// What has become of consensus since the last batch.
    private func measureConsensus(at now: Instant) {
        guard let server else { return }
        let role = server.raft.role
        let last = server.raft.lastLogIndex
        if role != measuredRole {
            switch role {
            case .leader:
                metrics.count(.raftBecameLeader, at: now)
                measuredIndex = last
                measuredCommit = server.raft.commitIndex
                commitAwaited = nil
                establishingSince = now
            case .preCandidate: metrics.count(.raftHeartbeatTimeout, at: now)
            case .candidate:
                if measuredRole == .follower { metrics.count(.raftHeartbeatTimeout, at: now) }
                metrics.count(.raftBecameCandidate, at: now)
            // Who only asked whether it could win has been a follower all the time.
            case .follower: if measuredRole != .preCandidate { metrics.count(.raftBecameFollower, at: now) }
            }
            measuredRole = role
        }
        guard role == .leader else { return }
        if last > measuredIndex {
            metrics.count(.raftApply, times: Int(clamping: last - measuredIndex), at: now)
            metrics.set(.raftDispatchCount, to: Double(last - measuredIndex), at: now)
            measuredIndex = last
            // One entry at a time stands for the others.
            if commitAwaited == nil { commitAwaited = (last, now) }
        }
        let committed = server.raft.commitIndex
        if committed > measuredCommit {
            metrics.add(Double(committed - measuredCommit), to: .raftCommitCount, at: now)
            measuredCommit = committed
            if let (index, since) = commitAwaited, committed >= index {
                metrics.add(now - since, to: .raftCommitTime, at: now)
                commitAwaited = nil
            }
        }
        if let since = establishingSince, server.isEstablished {
            metrics.add(now - since, to: .leaderBarrier, at: now)
            metrics.count(.raftBarrier, at: now)
            establishingSince = nil
        }
    }

    /// What the I/O threads have measured.
    func take(_ measures: RequestMeasures, at now: Instant) {
        let node = [MetricLabel("node", config.nodeName)]
        for sample in measures.samples { metrics.merge(sample.values, into: sample.name, labels: sample.isQuestion ? node : [], at: now) }
        metrics.count(.rpcQuery, times: measures.reads, at: now)
        metrics.count(.dnsStaleQueries, times: measures.staleQuestions, at: now)
        metrics.count(.rpcAccepted, times: measures.connections, at: now)
    }

    func measure(_ kind: MemberEventKind, count: Int, at now: Instant) {
        let counter: CounterMetric
        switch kind {
        case .joined: counter = .serfJoin
        case .left: counter = .serfLeft
        case .failed: counter = .serfFailed
        case .updated: counter = .serfUpdate
        case .reaped: return
        }
        metrics.count(counter, times: count, at: now)
    }
}
