/// Measures consensus by comparing what it is after each batch with what it was: elections, entries, the time until one is committed, the
/// time until a new leader serves. Spec: config §24.
struct ConsensusMeter {
    private var role: RaftRole?
    private var lastIndex: UInt64 = 0
    private var commitIndex: UInt64 = 0
    /// An entry whose commit is awaited, and when it came. One at a time stands for the others.
    private var awaited: (index: UInt64, since: Instant)?
    /// Since when the leader is not established.
    private var establishingSince: Instant?

    mutating func measure(_ server: Server, into metrics: inout Metrics, at now: Instant) {
        if server.raft.role != role { roleChanged(server, &metrics, now) }
        guard role == .leader else { return }
        let last = server.raft.lastLogIndex
        if last > lastIndex {
            metrics.count(.raftApply, times: Int(clamping: last - lastIndex), at: now)
            metrics.set(.raftDispatchCount, to: Double(last - lastIndex), at: now)
            lastIndex = last
            if awaited == nil { awaited = (last, now) }
        }
        let committed = server.raft.commitIndex
        if committed > commitIndex {
            metrics.add(Double(committed - commitIndex), to: .raftCommitCount, at: now)
            commitIndex = committed
            if let (index, since) = awaited, committed >= index {
                metrics.add(now - since, to: .raftCommitTime, at: now)
                awaited = nil
            }
        }
        if let since = establishingSince, server.isEstablished {
            metrics.add(now - since, to: .leaderBarrier, at: now)
            metrics.count(.raftBarrier, at: now)
            establishingSince = nil
        }
    }

    private mutating func roleChanged(_ server: Server, _ metrics: inout Metrics, _ now: Instant) {
        let new = server.raft.role
        if role == nil {
            // Every server begins as a follower, even if it stands before anybody looks.
            role = .follower
            metrics.count(.raftBecameFollower, at: now)
            if new == .follower { return }
        }
        switch new {
        case .leader:
            metrics.count(.raftBecameLeader, at: now)
            lastIndex = server.raft.lastLogIndex
            commitIndex = server.raft.commitIndex
            awaited = nil
            establishingSince = now
        case .preCandidate: metrics.count(.raftHeartbeatTimeout, at: now)
        case .candidate:
            if role == .follower { metrics.count(.raftHeartbeatTimeout, at: now) }
            metrics.count(.raftBecameCandidate, at: now)
        // Who only asked whether it could win has been a follower all the time.
        case .follower: if role != .preCandidate { metrics.count(.raftBecameFollower, at: now) }
        }
        role = new
    }
}
