/// A follower's answer to its leader, and how long it took. Spec: config §24.
public struct ReplicationMeasure: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// Entries, or none of them with the commit index.
        case entries
        case heartbeat
        /// A snapshot, or a piece of one.
        case snapshot
    }

    public var kind: Kind
    /// The follower's id.
    public var peer: String
    public var time: Duration
    /// How many entries were sent.
    public var entries: Int

    /// What nobody drains is not kept beyond this.
    static let keptMax = 4_096
}

extension RaftNode {
    /// What was measured since the last call.
    func drainReplications(_ body: (ReplicationMeasure) -> Void) {
        if replications.isEmpty { return }
        for measure in replications { body(measure) }
        replications.removeAll(keepingCapacity: true)
    }

    func measureAnswer(to call: Call) {
        let (kind, entries): (ReplicationMeasure.Kind, Int)
        switch call.purpose {
        case .append(_, _, let previous, let last, _): (kind, entries) = (.entries, Int(last - previous))
        case .heartbeat: (kind, entries) = (.heartbeat, 0)
        case .install: (kind, entries) = (.snapshot, 0)
        case .preVote, .probe, .identify, .vote, .leaderProbe, .timeoutNow: return
        }
        guard replications.count < ReplicationMeasure.keptMax else { return }
        replications.append(ReplicationMeasure(kind: kind, peer: call.server, time: now - call.sentAt, entries: entries))
    }
}
