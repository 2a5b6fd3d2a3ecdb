// Changes of the cluster's membership, one server at a time (dissertation §4.1 to §4.3), bootstrap, and handing over leadership (§3.10).

extension RaftNode {
    static let waitingChangesMax = 64

    func changeMembership(_ token: UInt64, _ change: MembershipChange, _ out: inout [RaftEffect]) {
        guard case .leader(let leadership) = state else { return out.append(.membershipDone(token: token, .failure(.notLeader))) }
        guard leadership.transfer == nil else {
            return out.append(.membershipDone(token: token, .failure(.leadershipTransferInProgress)))
        }
        guard leadership.waitingChanges.count < Self.waitingChangesMax else {
            return out.append(.membershipDone(token: token, .failure(.overloaded)))
        }
        leadership.waitingChanges.append((token, change))
    }

    /// Begins the next change, unless one is uncommitted. None before an entry of this term is committed: the leader before may have
    /// begun one that this one does not know to be committed.
    func processChanges(_ leadership: Leadership, _ out: inout [RaftEffect]) {
        while !leadership.waitingChanges.isEmpty, configurationIndex <= commitIndex || planted(.twoChangesAtOnce),
            commitIndex >= leadership.startIndex || planted(.changeBeforeNoop),
            !leadership.isRestoring, !storage.isFull
        {
            let (token, change) = leadership.waitingChanges.removeFirst()
            let next: RaftConfiguration
            do throws(RaftError) {
                next = try configuration.applying(change)
            } catch {
                out.append(.membershipDone(token: token, .failure(error)))
                continue
            }
            if next == configuration {
                out.append(.membershipDone(token: token, .success(configurationIndex)))
                continue
            }
            out.append(.log(.info, "updating configuration: servers=\"\(next)\""))
            let entry = LogEntry(index: log.lastIndex + 1, term: term, kind: .configuration, data: next.encoded)
            append(entry)
            leadership.pendingChange = (token, entry.index)
            setConfiguration(next, at: entry.index, &out)
            joinPeers(leadership)
        }
    }

    /// A configuration is in force as soon as it is in the log (§6).
    func setConfiguration(_ configuration: RaftConfiguration, at index: UInt64, _ out: inout [RaftEffect]) {
        configurations.append(ConfigurationPoint(index: index, configuration: configuration))
        out.append(.configurationChanged(configuration))
        // A server that is new learns its leader's address before its id.
        if let leader, leader.id.isEmpty { setLeader(server(at: Array(leader.address.utf8)), &out) }
    }

    /// Entries from `index` on are gone, and the configurations in them.
    func dropConfigurations(from index: UInt64, _ out: inout [RaftEffect]) {
        guard let last = configurations.last, last.index >= index else { return }
        if planted(.configurationNotRolledBack) { return }
        configurations.removeAll { $0.index >= index }
        out.append(.configurationChanged(configuration))
    }

    /// Follows every advance of the commit index.
    func commitAdvanced(_ out: inout [RaftEffect]) {
        guard let last = configurations.lastIndex(where: { $0.index <= commitIndex }) else { return }
        let isNews = last > 0
        configurations.removeFirst(last)
        guard case .leader(let leadership) = state else { return }
        if let change = leadership.pendingChange, change.index <= commitIndex {
            leadership.pendingChange = nil
            out.append(.membershipDone(token: change.token, .success(change.index)))
        }
        if let restore = leadership.pendingRestore, restore.noop <= commitIndex {
            leadership.pendingRestore = nil
            out.append(.restored(token: restore.token, .success(restore.index)))
        }
        if isNews, configurations.count == 1, !configuration.isVoter(identity.id), !planted(.removedLeaderStays) {
            leaveOffice(leadership, &out)
        }
    }

    /// This node's own removal or demotion is committed: the others are told, then it leads no more.
    private func leaveOffice(_ leadership: Leadership, _ out: inout [RaftEffect]) {
        applyCommitted(&out)
        for peer in leadership.peers { sendEmpty(peer, &out) }
        stepDown("no longer a voter of the configuration", &out)
    }

    // MARK: Bootstrap

    func bootstrap(_ token: UInt64, _ configuration: RaftConfiguration, _ out: inout [RaftEffect]) {
        guard storage.vote.isPristine, log.lastIndex == 0, snapshots.isEmpty else {
            return out.append(.membershipDone(token: token, .failure(.configuration("bootstrap only works on new clusters"))))
        }
        do throws(RaftError) {
            try configuration.validate()
        } catch {
            return out.append(.membershipDone(token: token, .failure(error)))
        }
        storage.setVote(term: 1, votedTerm: 0, candidate: [])
        append(LogEntry(index: 1, term: 1, kind: .configuration, data: configuration.encoded))
        setConfiguration(configuration, at: 1, &out)
        armFirstElection()
        disk.wait(for: storage.writeSequence, .bootstrap(token: token))
    }

    /// Nobody can lead a new cluster yet, so there is no silence to wait for: the voters stand one after the other, far enough apart that
    /// the first one has usually won by the time of the second one.
    private func armFirstElection() {
        armElection(config.heartbeatTimeout)
        guard let place = configuration.voters.firstIndex(where: { $0.id == identity.id }) else { return }
        let distance = config.heartbeatTimeout / 10
        // The drawn timeout is one to two heartbeats long: what is above one, in small.
        let jitter = (watch.electionDeadline - now - config.heartbeatTimeout) / 20
        watch.electionDeadline = min(watch.electionDeadline, now + distance * place + max(.zero, jitter))
    }

    // MARK: Leadership transfer

    func transferLeadership(_ token: UInt64, _ target: String?, _ out: inout [RaftEffect]) {
        func refuse(_ error: RaftError) { out.append(.transferred(token: token, .failure(error))) }
        guard case .leader(let leadership) = state else { return refuse(.notLeader) }
        guard leadership.transfer == nil else { return refuse(.leadershipTransferInProgress) }
        if let target {
            if target == identity.id { return refuse(.transfer("cannot transfer leadership to itself")) }
            guard configuration.isVoter(target) else {
                return refuse(.transfer("cannot transfer leadership to a server that is no voter: \(target)"))
            }
        }
        guard let chosen = target ?? successor(leadership)?.id else { return refuse(.transfer("cannot find peer")) }
        leadership.transfer = Leadership.Transfer(token: token, target: chosen, deadline: now + config.electionTimeout)
    }

    /// The voter with the longest log, of those that were heard from lately.
    func successor(_ leadership: Leadership) -> Peer? {
        var best: Peer?
        for peer in leadership.peers where configuration.isVoter(peer.id) && now - peer.contact.last < config.leaderLeaseTimeout {
            if best.map({ peer.match > $0.match }) ?? true { best = peer }
        }
        return best
    }

    /// Tells the target to stand for election once it has everything.
    func continueTransfer(_ leadership: Leadership, _ out: inout [RaftEffect]) {
        guard let transfer = leadership.transfer, !transfer.isTold, let peer = leadership.peer(transfer.target) else { return }
        guard peer.match == log.lastIndex || planted(.transferToLagging) else { return }
        leadership.transfer?.isTold = true
        tellToStand(peer, leadership, &out)
    }

    func tellToStand(_ peer: Peer, _ leadership: Leadership, _ out: inout [RaftEffect]) {
        leadership.hasGivenLease = !planted(.leaseAfterTransfer)
        call(peer.id, peer.address, TimeoutNow.encoded(term: term), .timeoutNow, &out)
    }

    func transferFailed(_ call: Call, _ text: String, _ out: inout [RaftEffect]) {
        guard case .leader(let leadership) = state, let transfer = leadership.transfer, transfer.target == call.server else { return }
        leadership.transfer = nil
        out.append(.transferred(token: transfer.token, .failure(.transfer("failed to make TimeoutNow RPC to \(call.server): \(text)"))))
    }
}
