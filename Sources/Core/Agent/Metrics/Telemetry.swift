/// What an agent measures of itself, and who follows its log: owns the metrics and what of the parts' counters is counted already.
///
/// The parts of the agent stay where they are; after each batch of events they are handed over to be looked at. Spec: http-1 §4.19, §4.20.
struct Telemetry {
    var metrics: Metrics
    var followers = LogFollowers()
    private let nodeName: String
    private var consensus = ConsensusMeter()
    private var replication = ReplicationMeter()
    /// When the counters of the parts are asked for next, when the queues of the pools are, and what a client's counters were.
    private var countersDueAt: Instant?
    private var queuesDueAt: Instant?
    private var measuredCalls = (made: 0, refused: 0)

    /// The parts of an agent that count for themselves.
    struct Parts {
        var server: Server?
        var client: Client?
        var lan: Pool?
        var wan: Pool?
    }

    init(_ settings: AgentSettings) {
        metrics = Metrics(
            prefix: settings.telemetry.prefix, hostName: settings.telemetry.hostName, wallClockOffset: settings.wallClockOffset,
            prometheusRetention: settings.telemetry.prometheusRetention)
        metrics.filter = settings.reloadable.metricsFilter
        nodeName = settings.identity.nodeName
    }

    /// Looks at all that a batch of events came to: what goes out is measured, what is logged goes to those who follow.
    mutating func observe(_ effects: inout [AgentEffect], of server: Server?, wallClockOffset: Int64, at now: Instant) {
        for index in effects.indices {
            switch effects[index] {
            case .packet(_, _, let bytes): metrics.count(.udpSent, by: Double(bytes.count), at: now)
            case .call(_, _, .lan, let bytes, _), .call(_, _, .wan, let bytes, _):
                metrics.count(.tcpConnected, at: now)
                metrics.count(.tcpSent, by: Double(bytes.count), at: now)
            case .log(let level, let module, let message) where !followers.isEmpty:
                followers.send(level, module, message, unixNanoseconds: now.nanoseconds &+ wallClockOffset, into: &effects)
            default: break
            }
        }
        if let server {
            server.drainMeasures { measure($0, at: now) }
            server.drainReplications { replication.measure($0, into: &metrics, at: now) }
            consensus.measure(server, into: &metrics, at: now)
        }
        followers.tellDriver(into: &effects)
    }

    /// Whether it is time to ask the parts for their counters.
    func isDue(at now: Instant) -> Bool { countersDueAt.map { now >= $0 } ?? true }

    /// What is shown; asking for it begins a new interval.
    mutating func snapshot(of parts: Parts, at now: Instant) -> MetricsSnapshot {
        setGauges(of: parts, at: now)
        measure(parts, at: now)
        var snapshot = metrics.snapshot(at: now)
        // Gauges are set when they are looked at: they belong to whatever interval is shown.
        snapshot.replaceGauges(by: metrics.current)
        return snapshot
    }

    private mutating func setGauges(of parts: Parts, at now: Instant) {
        if let lan = parts.lan { metrics.set(.memberlistHealthScore, to: Double(lan.serf.healthScore), at: now) }
        guard let server = parts.server else { return }
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
    mutating func measure(_ parts: Parts, at now: Instant) {
        countersDueAt = now + .seconds(1)
        if queuesDueAt.map({ now >= $0 }) ?? true { measureQueues(of: parts, at: now) }
        if let client = parts.client {
            metrics.count(.clientRPC, times: client.callCount - measuredCalls.made, at: now)
            metrics.count(.clientRPCExceeded, times: client.refusalCount - measuredCalls.refused, at: now)
            measuredCalls = (client.callCount, client.refusalCount)
        }
        if let server = parts.server {
            server.drainLookups { measure($0, times: $1, at: now) }
            for contact in server.followerContacts(at: now) { metrics.add(contact, to: .raftLeaderLastContact, at: now) }
        }
        parts.lan?.takeCounters().add(to: &metrics, at: now)
        parts.wan?.takeCounters().add(to: &metrics, at: now)
    }

    /// As often as a Serf looks at them itself.
    private mutating func measureQueues(of parts: Parts, at now: Instant) {
        queuesDueAt = now + .seconds(30)
        for pool in [parts.lan, parts.wan] {
            guard let depths = pool?.serf.queueDepths else { continue }
            metrics.add(Double(depths.intents), to: .serfIntentQueue, at: now)
            metrics.add(Double(depths.events), to: .serfEventQueue, at: now)
            metrics.add(Double(depths.queries), to: .serfQueryQueue, at: now)
        }
    }

    /// What the I/O threads have measured.
    mutating func add(_ measures: RequestMeasures, at now: Instant) {
        let node = [MetricLabel("node", nodeName)]
        for sample in measures.samples { metrics.merge(sample.values, into: sample.name, labels: sample.isQuestion ? node : [], at: now) }
        metrics.count(.rpcQuery, times: measures.reads, at: now)
        metrics.merge(measures.consistentReads, into: .rpcConsistentRead, at: now)
        metrics.count(.raftVerifyLeader, times: measures.consistentReads.count, at: now)
        for (lookup, times) in measures.lookups { measure(lookup, times: times, at: now) }
        metrics.count(.dnsStaleQueries, times: measures.staleQuestions, at: now)
        metrics.count(.rpcAccepted, times: measures.connections, at: now)
    }

    /// What has happened to members of the LAN pool.
    mutating func measure(_ kind: MemberEventKind, count: Int, at now: Instant) {
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
