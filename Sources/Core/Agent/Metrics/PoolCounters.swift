/// What a gossip pool counts and nobody else measures (gossip §18.3).
struct PoolCounters: Hashable {
    private static let metrics: [CounterMetric] = [
        .tcpAccepted, .aliveMessages, .suspectMessages, .deadMessages, .degradedProbe, .degradedTimeout, .serfFlap, .serfEvents,
        .serfQueries,
        .serfQueryAcks, .serfQueryResponses, .serfQueryDuplicateAcks, .serfQueryDuplicateResponses, .coordinateRejected, .coordinateZeroRTT,
    ]
    private var values: [UInt64] = Array(repeating: 0, count: metrics.count)

    init() {}

    init(_ memberlist: MemberlistCounters, _ serf: SerfCounters) {
        values = [
            memberlist.tcpAccept, memberlist.alive, memberlist.suspect, memberlist.dead, memberlist.degradedProbe,
            memberlist.degradedTimeout,
            serf.flaps, serf.events, serf.queries, serf.queryAcks, serf.queryResponses, serf.queryDuplicateAcks,
            serf.queryDuplicateResponses, serf.coordinatesRejected, serf.zeroRoundTrips,
        ]
    }

    func since(_ earlier: PoolCounters) -> PoolCounters {
        var difference = self
        for at in values.indices { difference.values[at] &-= earlier.values[at] }
        return difference
    }

    func add(to metrics: inout Metrics, at now: Instant) {
        for (metric, value) in zip(Self.metrics, values) { metrics.count(metric, times: Int(clamping: value), at: now) }
    }
}
