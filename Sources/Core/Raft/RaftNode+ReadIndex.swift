// Confirming leadership for linearizable reads (§8; dissertation §6.4): a quorum answers heartbeats that were sent after the request.

extension RaftNode {
    func verifyLeader(_ token: UInt64, _ out: inout [RaftEffect]) {
        guard case .leader(let leadership) = state else { return out.append(.verified(token: token, .failure(.notLeader))) }
        // Heartbeats of the present round may have been sent before the request.
        leadership.verifications.append(
            Leadership.Verification(
                token: token, round: planted(.readIndexOldRound) ? leadership.round : leadership.round + 1, index: commitIndex))
        leadership.wantsRound = true
    }

    /// The last round that a quorum has answered.
    func confirmedRound(_ leadership: Leadership) -> UInt64 {
        quorumValue(leadership, own: leadership.round) { $0.contact.confirmedRound }
    }

    /// Gives out what a quorum has confirmed; nothing before an entry of this term is committed and given out.
    func checkVerifications(_ leadership: Leadership, _ out: inout [RaftEffect]) {
        guard !leadership.verifications.isEmpty, lastApplied >= leadership.startIndex || planted(.readIndexOfNewLeader) else { return }
        let confirmed = confirmedRound(leadership)
        var done = 0
        while done < leadership.verifications.count, leadership.verifications[done].round <= confirmed || planted(.readIndexUnasked),
            leadership.verifications[done].index <= lastApplied || planted(.readIndexNotApplied)
        {
            let verification = leadership.verifications[done]
            out.append(.verified(token: verification.token, .success(max(verification.index, leadership.startIndex))))
            done += 1
        }
        leadership.verifications.removeFirst(done)
    }
}
