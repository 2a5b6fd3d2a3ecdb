/// The metrics of replication, whose names end in the follower's id: looked up once for each follower, not for each of its answers.
/// Spec: config §24.
struct ReplicationMeter {
    private struct Follower {
        var id: String
        /// nil: there are too many metrics.
        var appends, entries, heartbeats, snapshots: MetricSlot?
    }

    private var followers: [Follower] = []

    /// Servers that come and go are forgotten beyond this.
    private static let followersMax = 64

    mutating func measure(_ measure: ReplicationMeasure, into metrics: inout Metrics, at now: Instant) {
        let follower = self.follower(measure.peer, &metrics)
        switch measure.kind {
        case .entries:
            metrics.add(measure.time, to: follower.appends, at: now)
            metrics.count(follower.entries, by: Double(measure.entries), at: now)
        case .heartbeat: metrics.add(measure.time, to: follower.heartbeats, at: now)
        case .snapshot: metrics.add(measure.time, to: follower.snapshots, at: now)
        }
    }

    private mutating func follower(_ id: String, _ metrics: inout Metrics) -> Follower {
        if let known = followers.first(where: { $0.id == id }) { return known }
        let new = Follower(
            id: id, appends: metrics.slot(.sample, "raft.replication.appendEntries.rpc." + id),
            entries: metrics.slot(.counter, "raft.replication.appendEntries.logs." + id),
            heartbeats: metrics.slot(.sample, "raft.replication.heartbeat." + id),
            snapshots: metrics.slot(.sample, "raft.replication.installSnapshot." + id))
        if followers.count == Self.followersMax { followers = [] }
        followers.append(new)
        return new
    }
}
