// A server leaves its cluster (behaviour §4.7). Its agent goes through the steps: `beginLeaving`; out of the WAN and the LAN pool;
// `stopServing`; and after the drain time, until `isRemoved` but for no more than 5 s.

extension Server {
    /// A leader among several hands over to the server that is furthest, who will remove this one when gossip tells that it has left; should
    /// that fail, it removes itself. A departure from the reference, whose leaders always remove themselves and leave their followers
    /// to notice the silence. A lone server keeps its place, so that it can come back.
    public func beginLeaving(at now: Instant) {
        guard raft.isLeader, !raft.isSoleVoter else { return }
        let token = consensus.makeToken(for: .leaving)
        if pool.hasGossip {
            drive(.transferLeadership(token: token, to: nil), at: now)
        } else {
            drive(.changeMembership(token: token, .removeServer(id: settings.raftID)), at: now)
        }
    }

    /// No more work is taken: what is asked for from now on is answered `No cluster leader`.
    public func stopServing() { calls.isClosed = true }

    /// Whether this server has no part in its cluster any more, or is all there is of it.
    public var isRemoved: Bool { raft.configuration[settings.raftID] == nil || raft.isSoleVoter }

    func leadershipHandedOver(_ result: Result<Void, RaftError>, at now: Instant) {
        guard case .failure(let error) = result, raft.isLeader, !raft.isSoleVoter else { return }
        log(.warn, "failed to transfer leadership, removing this server instead: error=\(LogText.value(error.text))")
        change(.removeServer(id: settings.raftID), "failed to remove ourself as raft peer", at: now)
    }
}
