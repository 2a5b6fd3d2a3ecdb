// Elections (§5.2, §5.4.1; dissertation §4.2.3, §9.6).
//
// Pre-votes and peers of the reference. A peer of the reference closes the connection when it is asked for a pre-vote, and logs it as an
// error. So a peer that is not known to understand pre-votes is sent a vote request in term 0, which every Raft server denies without
// any effect: the answer tells whether it understands them. If it does, it is asked; if not, it counts as agreeing, since nothing more can
// be learnt from it. A node that is cut off gets no answer to either and never raises its term.
//
// A peer of the reference refuses votes as long as it hears a leader, and then stands for election itself, often in the very term for which
// this node has voted for itself. Instead of a split vote, this node stands in the next term at once: by then the peer hears no leader.

extension RaftNode {
    // MARK: Standing for election

    func electionTimedOut(_ out: inout [RaftEffect]) {
        if let leader {
            out.append(.log(.warn, "heartbeat timeout reached, starting election: last-leader=\(leader.address)"))
        }
        setLeader(nil, &out)
        armElection(config.electionTimeout)
        guard mayStand else {
            if case .follower = state {} else { becomeFollower(term, &out) }
            watch.electionDeadline = max(watch.electionDeadline, now + config.electionTimeout)
            return
        }
        // A candidacy that the disk has not taken yet is still under way.
        if case .candidate = state, !storage.isDurable(storage.voteSequence) {
            watch.electionDeadline = now + random.duration(in: config.electionTimeout..<config.electionTimeout * 2)
            return
        }
        if configuration.isSoleVoter(identity.id) || planted(.preVoteNotAsked) {
            startElection(isTransfer: false, &out)
        } else {
            startPreVote(&out)
        }
    }

    /// Only voters stand. One that an uncommitted entry removes still may: it can be the only one whose log lets it win.
    private var mayStand: Bool {
        if storage.isFull || log.lastTerm < storage.vote.forgotIn && !planted(.forgottenLogVotes) || term >= RaftLimits.termMax {
            return false
        }
        if configuration.isVoter(identity.id) { return true }
        // Nobody could lead with it.
        if configuration.voterCount == 0 { return false }
        guard configurationIndex > commitIndex, configurations.count > 1 else { return false }
        return configurations[configurations.count - 2].configuration.isVoter(identity.id)
    }

    private func startPreVote(_ out: inout [RaftEffect]) {
        watch.electionDeadline = now + random.duration(in: config.electionTimeout..<config.electionTimeout * 2)
        let tally = VoteTally(term: term + 1)
        state = .preCandidate(tally)
        tally.grant(identity.id)
        for server in configuration.voters where server.id != identity.id {
            if peerKinds[server.id] == .extended { askPreVote(server, tally, &out) } else { probe(server, tally, &out) }
        }
        preVotesChanged(tally, &out)
    }

    /// Asks a server for its pre-vote, once per round.
    private func askPreVote(_ server: RaftServer, _ tally: VoteTally, _ out: inout [RaftEffect]) {
        guard tally.ask(server.id) else { return }
        call(server.id, server.address, voteRequest(term: tally.term).encoded(.requestPreVote), .preVote(tally), &out)
    }

    private func probe(_ server: RaftServer, _ tally: VoteTally, _ out: inout [RaftEffect]) {
        call(server.id, server.address, voteRequest(term: 0).encoded(.requestVote), .probe(tally), &out)
    }

    func voteRequest(term: UInt64, isTransfer: Bool = false) -> VoteRequest {
        VoteRequest(term: term, candidate: addressBytes, lastIndex: log.lastIndex, lastTerm: log.lastTerm, isTransfer: isTransfer)
    }

    private func isCurrent(_ tally: VoteTally) -> Bool {
        switch state {
        case .preCandidate(let current), .candidate(let current): current === tally
        case .follower, .leader: false
        }
    }

    private func preVotesChanged(_ tally: VoteTally, _ out: inout [RaftEffect]) {
        if tally.hasQuorum(of: configuration) { startElection(isTransfer: false, &out) }
    }

    func preVoteAnswered(_ call: Call, _ tally: VoteTally, _ response: VoteResponse, _ out: inout [RaftEffect]) {
        peerKinds[call.server] = .extended
        guard isCurrent(tally) else { return }
        if response.granted {
            tally.grant(call.server)
            preVotesChanged(tally, &out)
        } else if response.term > term {
            becomeFollower(reachable(response.term), &out)
        } else {
            hastenPreVote()
        }
    }

    func preVoteFailed(_ call: Call, _ tally: VoteTally, _ out: inout [RaftEffect]) {
        guard isCurrent(tally), let server = configuration[call.server] else { return }
        probe(server, tally, &out)
    }

    func probeAnswered(_ call: Call, _ tally: VoteTally, _ response: VoteResponse, _ out: inout [RaftEffect]) {
        peerKinds[call.server] = response.knowsPreVote ? .extended : .reference
        guard isCurrent(tally) else { return }
        if response.term > term {
            becomeFollower(reachable(response.term), &out)
        } else if response.knowsPreVote {
            if case .preCandidate = state, let server = configuration[call.server] { askPreVote(server, tally, &out) }
        } else {
            tally.grant(call.server)
            preVotesChanged(tally, &out)
        }
    }

    /// Raises the term. Votes are asked for once this node's own is durable.
    private func startElection(isTransfer: Bool, _ out: inout [RaftEffect]) {
        storage.setVote(term: term + 1, votedTerm: term + 1, candidate: addressBytes)
        state = .candidate(VoteTally(term: term, isTransfer: isTransfer))
        if planted(.candidacyBeforeSync) { return candidacyDurable(term, &out) }
        disk.wait(for: storage.voteSequence, .candidacy(term: term))
        watch.electionDeadline = now + random.duration(in: config.electionTimeout..<config.electionTimeout * 2)
        out.append(.log(.info, "entering candidate state: node=\"Node at \(identity.address) [Candidate]\" term=\(term)"))
    }

    /// This node's vote for itself is durable.
    func candidacyDurable(_ votedTerm: UInt64, _ out: inout [RaftEffect]) {
        guard case .candidate(let tally) = state, tally.term == votedTerm else { return }
        tally.grant(identity.id)
        let request = voteRequest(term: term, isTransfer: tally.isTransfer).encoded(.requestVote)
        for server in configuration.voters where server.id != identity.id {
            call(server.id, server.address, request, .vote, &out)
        }
        if tally.hasQuorum(of: configuration) { becomeLeader(&out) }
    }

    func voteAnswered(_ call: Call, _ response: VoteResponse, _ out: inout [RaftEffect]) {
        guard case .candidate(let tally) = state else { return }
        if response.term > term {
            out.append(.log(.debug, "newer term discovered, fallback to follower"))
            becomeFollower(reachable(response.term), &out)
        } else if response.granted, planted(.voteOfOldTermCounted) || call.term == tally.term && response.term == tally.term {
            tally.grant(call.server)
            if tally.hasQuorum(of: configuration) { becomeLeader(&out) }
        }
    }

    /// The leader of `leaderTerm` hands over. If that is not the current term the message was late, and the present leader has handed over
    /// nothing. The message does not say whose it is: it counts if it comes from the host of the leader, or from where its entries come, which is
    /// another address where the leader has several. A leader that is refused is told so, and gives the transfer up.
    func timeoutNow(_ call: CallID, from address: Address, _ leaderTerm: UInt64, _ out: inout [RaftEffect]) {
        let isFromLeader =
            leader.map { known in [known.address, watch.source].contains { Self.host(of: $0) == Self.host(of: address) } } ?? false
        let isTimely = !isLeader && mayStand && (leaderTerm == 0 || leaderTerm == term || planted(.transferOfOldTerm))
        if isTimely, !isFromLeader {
            let reason = "it is not from the leader's host"
            logRefusal(of: "a leadership transfer", from: Array(address.utf8), reason, &out)
            return out.append(.reply(call, RaftFailure.encoded("leadership transfer refused: " + reason)))
        }
        out.append(.reply(call, TimeoutNow.encodedResponse))
        guard isTimely else { return }
        setLeader(nil, &out)
        startElection(isTransfer: true, &out)
    }

    // MARK: Becoming

    /// Follows in `newTerm`, which is the current one or a later one.
    func becomeFollower(_ newTerm: UInt64, _ out: inout [RaftEffect]) {
        if case .leader(let leadership) = state { endLeadership(leadership, isSuperseded: newTerm > term, &out) }
        if newTerm > term {
            storage.setVote(
                term: newTerm, votedTerm: planted(.termNotReset) ? newTerm : storage.vote.votedTerm, candidate: storage.vote.candidate)
        }
        state = .follower
        if !planted(.voteOfOldTermCounted) { calls = LookupTable() }
        armElection(config.heartbeatTimeout)
    }

    // MARK: Voting

    /// Whether a leader is heard, or may count on a lease that this node confirmed before it was restarted.
    private func heedsLeader(otherThan candidate: [UInt8]) -> Bool {
        now < watch.votesBlockedUntil || hearsLeader(otherThan: candidate)
    }

    /// Whether this node leads, or heard lately from a leader with another address.
    func hearsLeader(otherThan address: [UInt8]) -> Bool {
        guard let leader, !leader.address.utf8.elementsEqual(address) else { return false }
        if isLeader { return true }
        guard let lastContact else { return false }
        return now - lastContact < leaderStickiness
    }

    /// Whether the candidate has everything that this server acknowledged (§5.4.1). What it acknowledged and threw away (`startOver`)
    /// the leader of that term had, and so has whoever has an entry of that term or a later one.
    private func isUpToDate(_ request: VoteRequest) -> Bool {
        if planted(.logComparedByLength) { return request.lastIndex >= log.lastIndex }
        if request.lastTerm < storage.vote.forgotIn && !planted(.forgottenLogVotes) { return false }
        return request.lastTerm != log.lastTerm || planted(.logComparedByTerm)
            ? request.lastTerm >= log.lastTerm : request.lastIndex >= log.lastIndex
    }

    func requestVote(_ call: CallID, _ request: VoteRequest, _ out: inout [RaftEffect]) {
        if request.term == 0 {
            let response = VoteResponse(term: term, knowsPreVote: true)
            return reply(call, response.encoded(.requestVote), after: storage.voteSequence, &out)
        }
        if storage.isFull { return out.append(.reply(call, RaftFailure.encoded(RaftError.noSpace.text))) }
        let isGranted = decideVote(request, &out)
        reply(
            call, VoteResponse(term: term, granted: isGranted).encoded(.requestVote),
            after: planted(.voteBeforeSync) ? 0 : storage.voteSequence, &out)
    }

    private func decideVote(_ request: VoteRequest, _ out: inout [RaftEffect]) -> Bool {
        let isTransfer = request.isTransfer && isKnown(request.candidate)
        if !isTransfer, heedsLeader(otherThan: request.candidate), !planted(.leaderIgnoredInVote) {
            out.append(
                .log(
                    .warn, "rejecting vote request since we have a leader: from=\(String(decoding: request.candidate, as: UTF8.self))"
                ))
            return false
        }
        if request.term < term || request.candidate.count > VoteRecord.candidateMax { return false }
        if let why = strangeness(request.term, request.candidate) {
            logRefusal(of: "a vote request", from: request.candidate, why, &out)
            return false
        }
        if request.term > term { becomeFollower(reachable(request.term), &out) }
        // The rest of the way is left to the next request.
        if request.term > term { return false }
        if storage.vote.votedTerm == term, !planted(.voteTwice) {
            if isSplitVote(request) { startElection(isTransfer: false, &out) }
            return storage.vote.candidate == request.candidate
        }
        guard isUpToDate(request) || planted(.voteWithoutComparing) else { return false }
        storage.setVote(term: term, votedTerm: term, candidate: request.candidate)
        armElection(config.heartbeatTimeout)
        return true
    }

    /// Whether a server that knows no pre-votes stands in the term in which this node stands too, with a log that is no better.
    private func isSplitVote(_ request: VoteRequest) -> Bool {
        guard case .candidate = state, storage.vote.candidate == addressBytes, storage.isDurable(storage.voteSequence), mayStand else {
            return false
        }
        guard peerKinds[server(at: request.candidate).id] == .reference else { return false }
        return (log.lastTerm, log.lastIndex) >= (request.lastTerm, request.lastIndex)
    }

    func requestPreVote(_ call: CallID, _ request: VoteRequest, _ out: inout [RaftEffect]) {
        let candidate = server(at: request.candidate)
        if !candidate.id.isEmpty { peerKinds[candidate.id] = .extended }
        let isGranted = request.term > term && isUpToDate(request) && !heedsLeader(otherThan: request.candidate) && !storage.isFull
        reply(call, VoteResponse(term: term, granted: isGranted).encoded(.requestPreVote), after: storage.voteSequence, &out)
    }
}
