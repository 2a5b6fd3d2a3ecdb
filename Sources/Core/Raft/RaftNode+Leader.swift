// Leading: proposals, commitment, the lease, stepping down (§5.3, §5.4; dissertation §6.2).

extension RaftNode {
    func becomeLeader(_ out: inout [RaftEffect]) {
        out.append(.log(.info, "election won: tally=\(configuration.quorum)"))
        out.append(.log(.info, "entering leader state: leader=\"Node at \(identity.address) [Leader]\""))
        let leadership = Leadership(startIndex: log.lastIndex + 1)
        state = .leader(leadership)
        if !planted(.oldLeaderKeepsCalls) { calls = LookupTable() }
        setLeader(configuration[identity.id] ?? RaftServer(id: identity.id, address: identity.address), &out)
        joinPeers(leadership)
        if !planted(.noNoop) { append(LogEntry(index: log.lastIndex + 1, term: term, kind: .noop)) }
        out.append(.becameLeader(term: term))
        for peer in leadership.peers { sendHeartbeat(peer, leadership, &out) }
    }

    /// What a leader leaves behind when it is one no more. `isSuperseded`: another server has a newer term.
    func endLeadership(_ leadership: Leadership, isSuperseded: Bool, _ out: inout [RaftEffect]) {
        state = .follower
        calls = LookupTable()
        if !planted(.proposalTokenLost) { rejectUncommitted(.leadershipLost, &out) }
        for verification in leadership.verifications { out.append(.verified(token: verification.token, .failure(.notLeader))) }
        if let change = leadership.pendingChange { out.append(.membershipDone(token: change.token, .failure(.leadershipLost))) }
        for waiting in leadership.waitingChanges { out.append(.membershipDone(token: waiting.token, .failure(.leadershipLost))) }
        if let transfer = leadership.transfer {
            let isDone = isSuperseded && transfer.isTold
            out.append(.transferred(token: transfer.token, isDone ? .success(()) : .failure(.leadershipLost)))
        }
        if let restore = leadership.pendingRestore { out.append(.restored(token: restore.token, .failure(.leadershipLost))) }
        if case .restore = sink?.purpose { abandonSink(.leadershipLost, &out) }
        out.append(.log(.info, "entering follower state: follower=\"Node at \(identity.address) [Follower]\" leader="))
        out.append(.lostLeadership(term: term))
        setLeader(nil, &out)
        // Until now it was the leader itself whose word it had.
        lastContact = now
    }

    /// Steps down without a newer term.
    func stepDown(_ why: String, _ out: inout [RaftEffect]) {
        out.append(.log(.warn, "\(why), stepping down"))
        becomeFollower(term, &out)
        // Others first: this node has just found that it cannot lead.
        watch.electionDeadline = max(watch.electionDeadline, now + config.electionTimeout)
    }

    /// Refuses the proposals that are not committed. They stay in the log and may be committed yet.
    func rejectUncommitted(_ error: RaftError, _ out: inout [RaftEffect]) {
        var index = max(commitIndex + 1, log.cache.first)
        while index <= log.lastIndex {
            let token = log.cache.takeToken(index)
            if token != 0 { out.append(.rejected(token: token, error)) }
            index += 1
        }
    }

    /// Whether this node leads and has given out an entry of its term, so that what it applied is what any leader committed (§8).
    public var isEstablished: Bool {
        if case .leader(let leadership) = state { lastApplied >= leadership.startIndex || planted(.leaseOfNewLeader) } else { false }
    }

    // MARK: Proposals

    func propose(_ batch: [Proposal], _ out: inout [RaftEffect]) {
        guard case .leader(let leadership) = state else { return refuse(batch[...], .notLeader, &out) }
        if leadership.transfer != nil, !planted(.proposalsDuringTransfer) { return refuse(batch[...], .leadershipTransferInProgress, &out) }
        if leadership.isRestoring { return refuse(batch[...], .snapshot("snapshot restore in progress"), &out) }
        if storage.isFull { return refuse(batch[...], .noSpace, &out) }
        for (at, proposal) in batch.enumerated() {
            let size = proposal.data.count + proposal.extensions.count
            guard leadership.uncommittedBytes + size <= config.uncommittedBytesMax, size <= RaftLimits.entryPayloadMax else {
                return refuse(batch[at...], .overloaded, &out)
            }
            let entry = LogEntry(
                index: log.lastIndex + 1, term: term, kind: proposal.kind, data: proposal.data, extensions: proposal.extensions,
                token: proposal.token)
            leadership.uncommittedBytes += entry.weight
            append(entry)
        }
    }

    private func refuse(_ batch: ArraySlice<Proposal>, _ error: RaftError, _ out: inout [RaftEffect]) {
        for proposal in batch where proposal.token != 0 { out.append(.rejected(token: proposal.token, error)) }
    }

    /// Puts an entry at the end of the log; `flush` writes it.
    func append(_ entry: LogEntry) { storage.append(entry, to: &log) }

    // MARK: Commitment

    /// What a flush does first, while leading.
    func prepareFlush(_ leadership: Leadership, _ out: inout [RaftEffect]) {
        advanceCommit(leadership, &out)
        if case .leader = state { processChanges(leadership, &out) }
    }

    /// What a flush does last: by now everything committed is given out.
    func finishFlush(_ leadership: Leadership, _ out: inout [RaftEffect]) {
        sendRound(leadership, &out)
        checkVerifications(leadership, &out)
        continueTransfer(leadership, &out)
        announceLease(leadership, &out)
        replicate(leadership, &out)
    }

    /// An entry of the current term that a majority has durably is committed, and all before it (§5.4.2).
    private func advanceCommit(_ leadership: Leadership, _ out: inout [RaftEffect]) {
        let index = quorumValue(leadership, own: planted(.ownEntriesUnsynced) ? log.lastIndex : storage.durableIndex) { $0.match }
        guard index > commitIndex, log.term(at: index) == term || planted(.olderTermCommitted) else { return }
        commitIndex = index
        confirmedCommit = index
        commitAdvanced(&out)
    }

    /// The greatest value that a majority of the voters has reached, this node with `own`.
    func quorumValue<T: Comparable>(_ leadership: Leadership, own: T, _ value: (Peer) -> T) -> T {
        let electorate = electorate(leadership)
        let count = electorate.peers.count + (electorate.includesSelf ? 1 : 0)
        precondition(count > 0, "a configuration has at least one voter")
        // Asked for several times per batch of events: a few values, sorted where they cost no allocation.
        return withUnsafeTemporaryAllocation(of: T.self, capacity: count) { values in
            var used = 0
            func insert(_ value: T) {
                values.initializeElement(at: used, to: value)
                var at = used
                while at > 0, values[at] < values[at - 1] {
                    values.swapAt(at, at - 1)
                    at -= 1
                }
                used += 1
            }
            if planted(.commitByOne), T.self == UInt64.self { return electorate.includesSelf ? own : value(electorate.peers[0]) }
            if electorate.includesSelf { insert(own) }
            for peer in electorate.peers { insert(value(peer)) }
            let result = values[planted(.commitByMinority) ? count / 2 : (count - 1) / 2]
            values.deinitialize()
            return result
        }
    }

    /// Who votes, by the configuration in force.
    private func electorate(_ leadership: Leadership) -> Leadership.Electorate {
        if let known = leadership.electorate, known.index == configurationIndex || planted(.electorateNotRefreshed) { return known }
        let voters = configuration.voters
        let electorate = Leadership.Electorate(
            index: configurationIndex, peers: voters.compactMap { $0.id == identity.id ? nil : leadership.peer($0.id) },
            includesSelf: voters.contains { $0.id == identity.id })
        leadership.electorate = electorate
        return electorate
    }

    private func isSoleVoter(_ leadership: Leadership) -> Bool {
        let electorate = electorate(leadership)
        return electorate.includesSelf && electorate.peers.isEmpty
    }

    // MARK: Lease

    /// Until when reads may be answered here without asking anybody: no other leader can have been elected before. nil: not at all. The
    /// only voter's never ends. Counted from when the messages were sent that a quorum answered.
    public var leaseExpiry: Instant? {
        guard case .leader(let leadership) = state, lastApplied >= leadership.startIndex || planted(.leaseOfNewLeader),
            !leadership.hasGivenLease
        else { return nil }
        if isSoleVoter(leadership) { return .distantFuture }
        let never = Instant(nanoseconds: .min)
        let confirmed =
            planted(.leaseOfOne)
            ? leadership.peers.compactMap(\.contact.confirmedAt).max() ?? now
            : quorumValue(leadership, own: now) { $0.contact.confirmedAt ?? never }
        return confirmed == never ? nil : confirmed + config.leaderLeaseTimeout * (planted(.leaseTooLong) ? 4 : 1)
    }

    /// Tells the owner of a lease that is notably longer, or gone.
    private func announceLease(_ leadership: Leadership, _ out: inout [RaftEffect]) {
        let expiry = leaseExpiry
        let announced = leadership.announcedLease
        if let expiry, let announced, expiry - announced < config.leaderLeaseTimeout / 8, expiry >= announced { return }
        guard expiry != announced, !(planted(.leaseNotWithdrawn) && expiry == nil) else { return }
        leadership.announcedLease = expiry
        out.append(.leaseChanged(expiry ?? .zero))
    }

    /// When a quorum was last heard from, by the time of the answers.
    private func lastQuorumContact(_ leadership: Leadership) -> Instant { quorumValue(leadership, own: now) { $0.contact.last } }

    // MARK: Timers

    func deadline(of leadership: Leadership) -> Instant {
        var earliest = isSoleVoter(leadership) ? .distantFuture : lastQuorumContact(leadership) + config.leaderLeaseTimeout
        for peer in leadership.peers {
            earliest.bringForward(to: peer.contact.heartbeatAt)
            earliest.bringForward(to: peer.contact.retryAt)
            earliest.bringForward(to: peer.told.commitDueAt)
            earliest.bringForward(to: peer.leaving?.deadline)
        }
        earliest.bringForward(to: leadership.transfer?.deadline)
        return earliest
    }

    func runTimers(of leadership: Leadership, _ out: inout [RaftEffect]) {
        if !isSoleVoter(leadership), lastQuorumContact(leadership) + config.leaderLeaseTimeout <= now, !planted(.quorumNeverLost) {
            return stepDown("failed to contact quorum of nodes", &out)
        }
        // Heartbeats that are due soon go with the first: an idle leader wakes up once for all its followers.
        let isDue = leadership.peers.contains { $0.contact.heartbeatAt <= now }
        let heartbeatsUntil = isDue ? now + config.heartbeatInterval / 2 : .zero
        for peer in leadership.peers {
            if peer.contact.heartbeatAt <= heartbeatsUntil {
                sendHeartbeat(peer, leadership, &out)
                if now - peer.told.at >= config.idleAppendInterval { sendEmpty(peer, &out) }
            }
            if let retry = peer.contact.retryAt, retry <= now { peer.contact.retryAt = nil }
            if let due = peer.told.commitDueAt, due <= now { sendEmpty(peer, &out) }
        }
        leadership.peers.removeAll { peer in peer.leaving.map { $0.deadline <= now } ?? false }
        if let transfer = leadership.transfer, transfer.deadline <= now, !planted(.transferNeverEnds) {
            leadership.transfer = nil
            out.append(.transferred(token: transfer.token, .failure(.transfer("leadership transfer timeout"))))
        }
    }
}
