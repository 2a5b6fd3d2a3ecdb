// What a server measures, under the names of the reference (config §24).

extension Telemetry {
    mutating func measure(_ measure: ServerMeasure, at now: Instant) {
        switch measure {
        case .call: metrics.count(.rpcRequest, at: now)
        case .misunderstoodCall: metrics.count(.rpcRequestError, at: now)
        case .reads(let count): metrics.count(.rpcQuery, times: count, at: now)
        case .verification: metrics.count(.raftVerifyLeader, at: now)
        case .consistentRead(let time): metrics.add(time, to: .rpcConsistentRead, at: now)
        case .write(let write, let time): metrics.add(time, to: write.metric, at: now)
        case .transactionRead(let time): metrics.add(time, to: .txnRead, at: now)
        case .renewal(let time): metrics.add(time, to: .sessionRenew, at: now)
        case .logWritten(let time): metrics.add(time, to: .raftDispatchLog, at: now)
        case .reconciliation(let time): metrics.add(time, to: .leaderReconcile, at: now)
        case .memberReconciliation(let time): metrics.add(time, to: .leaderReconcileMember, at: now)
        case .tombstonesReaped(let time): metrics.add(time, to: .leaderReapTombstones, at: now)
        case .sessionInvalidated(let time): metrics.add(time, to: .sessionInvalidate, at: now)
        }
    }

    mutating func measure(_ lookup: MeasuredLookup, times: Int, at now: Instant) {
        let name = (lookup.isHealth ? "health." : "catalog.") + lookup.kind.rawValue
        let service = MetricLabel("service", lookup.service)
        metrics.count(name + ".query", labels: [service], by: Double(times), at: now)
        if !lookup.tags.isEmpty {
            let tags = lookup.tags.sorted().map { MetricLabel("tag", $0) }
            metrics.count(name + ".query-tags", labels: [service] + tags, by: Double(times), at: now)
        }
        if !lookup.isFound { metrics.count(name + ".not-found", labels: [service], by: Double(times), at: now) }
    }
}

extension MeasuredWrite {
    fileprivate var metric: SampleMetric {
        switch self {
        case .register: .catalogRegister
        case .deregister: .catalogDeregister
        case .kv: .kvApply
        case .session: .sessionApply
        case .transaction: .txnApply
        }
    }
}
