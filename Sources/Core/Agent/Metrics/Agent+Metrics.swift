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
    }

    /// From now on the client gets what is logged.
    func follow(_ id: RequestID, _ stream: LogStream, into effects: inout [AgentEffect]) {
        pending[id] = .log
        followers.append((id, stream))
        effects.append(.respondInPieces(id, finished(HTTPResponse(status: 200))))
    }

    func showMetrics(prometheus: Bool, pretty: Bool, at now: Instant) -> HTTPResponse {
        setGauges(at: now)
        if prometheus { return Renderer.prometheus(metrics.prometheusSnapshot(at: now), context: context) }
        var snapshot = metrics.snapshot(at: now)
        // Gauges are set when they are looked at: they belong to whatever interval is shown.
        snapshot.replaceGauges(by: metrics.current)
        return Renderer.metrics(snapshot, pretty: pretty, context: context)
    }

    private func setGauges(at now: Instant) {
        if let lan { metrics.set(.memberlistHealthScore, to: Double(lan.serf.healthScore), at: now) }
        guard let server else { return }
        metrics.set(.sessionTTLActive, to: Double(server.sessionTimers.count), at: now)
        if server.raft.isLeader {
            metrics.set(.autopilotHealthy, to: server.autopilot.health.healthy ? 1 : 0, at: now)
            metrics.set(.autopilotFailureTolerance, to: Double(server.autopilot.health.failureTolerance), at: now)
        }
        metrics.set(.raftAppliedIndex, to: Double(server.appliedIndex), at: now)
        metrics.set(.raftLastIndex, to: Double(server.raft.lastLogIndex), at: now)
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
        for _ in 0..<count { metrics.count(counter, at: now) }
    }
}

extension WriteRequest {
    /// How long it takes is measured under this name.
    var metric: SampleMetric? {
        switch self {
        case .register: .catalogRegister
        case .deregister: .catalogDeregister
        case .kv: .kvApply
        case .session: .sessionApply
        case .txn: .txnApply
        case .tombstone, .autopilot, .coordinates: nil
        }
    }
}
