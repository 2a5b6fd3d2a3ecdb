// Bringing followers' logs in line with the leader's (§5.3), and heartbeats.
//
// A peer is probed with one message at a time until one succeeds; from then on messages are pipelined, within `inflightMax` and
// `inflightBytesMax`. Entries that are no longer in memory are read back from disk, those compacted away are replaced by a snapshot.

extension RaftNode {
    /// The servers of the configuration as peers; those that left it are told so before they are dropped.
    func joinPeers(_ leadership: Leadership) {
        leadership.electorate = nil
        for server in configuration.servers where server.id != identity.id {
            if let peer = leadership.peer(server.id) {
                peer.leaving = nil
                if peer.address != server.address {
                    peer.address = server.address
                    peer.reset(next: peer.match + 1)
                }
            } else {
                leadership.peers.append(Peer(server, next: log.lastIndex + 1, now: now))
                if planted(.newPeerHasAll) { leadership.peers[leadership.peers.count - 1].match = log.lastIndex }
            }
        }
        for peer in leadership.peers where configuration[peer.id] == nil && peer.leaving == nil {
            peer.leaving = planted(.removedServerNotTold) ? (0, now) : (configurationIndex, now + config.electionTimeout * 4)
        }
    }

    func replicate(_ leadership: Leadership, _ out: inout [RaftEffect]) {
        for peer in leadership.peers {
            pump(peer, leadership, &out)
            // Who gets no entries is told of the commit index after a while.
            if case .pipeline = peer.mode, peer.told.commitDueAt == nil, peer.told.commit < certainCommit, !planted(.commitNotTold) {
                peer.told.commitDueAt = now + random.duration(in: config.commitTimeout..<config.commitTimeout * 2)
            }
        }
        leadership.peers.removeAll { peer in peer.leaving.map { peer.match >= $0.index && peer.told.commit >= $0.index } ?? false }
    }

    /// Sends what can be sent to one peer.
    private func pump(_ peer: Peer, _ leadership: Leadership, _ out: inout [RaftEffect]) {
        while peer.contact.retryAt == nil {
            switch peer.mode {
            case .snapshot(let install):
                return continueInstall(peer, install, leadership, &out)
            case .probe:
                if peer.outstanding > 0 { return }
            case .pipeline:
                if peer.next > log.lastIndex || peer.outstanding >= config.inflightMax || peer.outstandingBytes >= config.inflightBytesMax {
                    return
                }
            }
            guard let previousTerm = log.term(at: peer.next - 1), peer.next > log.baseIndex else {
                beginInstall(peer, leadership, &out)
                continue
            }
            if peer.next > log.lastIndex {
                sendEntries(peer, previousTerm, count: 0, bytes: 0, &out) { _ in }
            } else if peer.next >= log.cache.first {
                sendCached(peer, previousTerm, &out)
            } else if let first = peer.staged.first, first.index == peer.next || planted(.stagedInWrongPlace) {
                sendStaged(peer, previousTerm, &out)
            } else {
                return readBack(peer, leadership, &out)
            }
        }
    }

    private func entriesMax(_ peer: Peer) -> Int {
        peerKinds[peer.id] == .extended ? config.appendEntriesMaxExtended : config.appendEntriesMax
    }

    private func sendCached(_ peer: Peer, _ previousTerm: UInt64, _ out: inout [RaftEffect]) {
        let limit = min(log.lastIndex, peer.next + UInt64(entriesMax(peer)) - 1)
        let first = peer.next
        var last = first
        var bytes = log.cache[first].weight
        while last < limit {
            let weight = log.cache[last + 1].weight
            if bytes + weight > config.appendBytesMax { break }
            bytes += weight
            last += 1
        }
        sendEntries(peer, previousTerm, count: Int(last - first + 1), bytes: bytes, &out) { writer in
            for index in first...last { log.cache[planted(.payloadLost) && index > first ? first : index].encode(&writer) }
        }
    }

    private func sendStaged(_ peer: Peer, _ previousTerm: UInt64, _ out: inout [RaftEffect]) {
        var count = 0
        var bytes = 0
        let limit = min(peer.staged.count, entriesMax(peer))
        while count < limit, count == 0 || bytes + peer.staged[count].weight <= config.appendBytesMax {
            bytes += peer.staged[count].weight
            count += 1
        }
        let entries = peer.staged[..<count]
        peer.staged.removeFirst(count)
        sendEntries(peer, previousTerm, count: count, bytes: bytes, &out) { writer in
            for entry in entries { entry.encode(&writer) }
        }
    }

    private func sendEntries(
        _ peer: Peer, _ previousTerm: UInt64, count: Int, bytes: Int, _ out: inout [RaftEffect], entries: (inout MessagePackWriter) -> Void
    ) {
        let previous = peer.next - 1
        let message = AppendEntriesRequest.encode(
            term: term, leader: addressBytes, previousIndex: previous, previousTerm: previousTerm, commitIndex: certainCommit, count: count,
            payload: bytes, entries: entries)
        let purpose = Call.Purpose.append(peer, epoch: peer.epoch, previous: previous, last: previous + UInt64(count), bytes: bytes)
        peer.next += UInt64(count)
        if planted(.matchIsNext) { peer.match = peer.next - 1 }
        peer.outstanding += 1
        peer.outstandingBytes += bytes
        peer.told.commit = certainCommit
        peer.told.commitDueAt = nil
        peer.told.at = now
        call(peer.id, peer.address, message, purpose, &out)
    }

    /// Tells a follower that has all entries of the commit index, and finds out whether it still has them.
    func sendEmpty(_ peer: Peer, _ out: inout [RaftEffect]) {
        peer.told.commitDueAt = nil
        guard case .pipeline = peer.mode, peer.contact.retryAt == nil, peer.outstanding == 0 || peer.told.commit < certainCommit,
            !planted(.commitNotTold)
        else {
            return
        }
        guard peer.next > log.lastIndex, let previousTerm = log.term(at: peer.next - 1) else { return }
        sendEntries(peer, previousTerm, count: 0, bytes: 0, &out) { _ in }
    }

    // MARK: Old entries

    private func readBack(_ peer: Peer, _ leadership: Leadership, _ out: inout [RaftEffect]) {
        guard !peer.isReading else { return }
        guard let location = log.location(of: peer.next, upTo: log.cache.first - 1, size: config.readSize) else {
            return fail("raft: the log has lost entry \(peer.next)", &out)
        }
        peer.isReading = true
        read(location, .replicate(leadership, peer, epoch: peer.epoch, location), &out)
    }

    func read(_ location: LogLocation, _ purpose: DiskWork.Purpose, _ out: inout [RaftEffect]) {
        perform([.read(file: location.file, offset: location.offset, count: location.size)], purpose, &out)
    }

    func readBackDone(_ peer: Peer, _ entries: [LogEntry]) {
        peer.isReading = false
        if entries.first?.index == peer.next || planted(.stagedInWrongPlace) { peer.staged = entries }
    }

    // MARK: Answers

    /// Any answer in the current term says that the peer follows.
    private func heardFrom(_ peer: Peer, _ call: Call) {
        peer.contact.last = now
        if peer.contact.confirmedAt.map({ $0 < call.sentAt }) ?? true {
            peer.contact.confirmedAt = planted(.leaseFromAnswer) ? now : call.sentAt
        }
    }

    /// Whether this node still leads after a response; a newer term ends the leadership.
    private func leads(after responseTerm: UInt64, _ peer: Peer, _ out: inout [RaftEffect]) -> Bool {
        guard case .leader = state else { return false }
        guard responseTerm > term, !planted(.newerTermIgnored) else { return true }
        out.append(.log(.error, "peer has newer term, stopping replication: peer=\(peer.id)"))
        becomeFollower(reachable(responseTerm), &out)
        return false
    }

    func appendAnswered(
        _ call: Call, _ peer: Peer, epoch: UInt64, previous: UInt64, last: UInt64, bytes: Int, _ response: AppendEntriesResponse,
        _ out: inout [RaftEffect]
    ) {
        guard leads(after: response.term, peer, &out) else { return }
        // No follower answers in a term that is over.
        guard response.term == term || planted(.answerOfOldTerm) else {
            return appendFailed(peer, epoch: epoch, previous: previous, "answer in an old term", &out)
        }
        heardFrom(peer, call)
        if response.success || planted(.matchFromOldEpoch) {
            peer.match = max(peer.match, min(planted(.matchOffByOne) ? last + 1 : last, log.lastIndex))
        }
        guard epoch == peer.epoch else { return }
        peer.outstanding -= 1
        peer.outstandingBytes -= bytes
        guard response.success else { return rejected(peer, previous: previous, response, &out) }
        peer.contact.failures = 0
        if case .probe = peer.mode { peer.mode = .pipeline }
    }

    /// The peer does not have the entry before those it was sent.
    private func rejected(_ peer: Peer, previous: UInt64, _ response: AppendEntriesResponse, _ out: inout [RaftEffect]) {
        guard case .probe = peer.mode else {
            // Messages may have overtaken each other; ask again one by one.
            return peer.reset(next: peer.match + 1)
        }
        if previous <= peer.match {
            out.append(.log(.warn, "peer has lost entries that it had: peer=\(peer.id) had=\(peer.match) has=\(response.lastLog)"))
            peer.match = 0
        }
        // Either the peer's log is shorter, or its entry there is of another term: then no entry of this log's term there needs to be
        // compared.
        var next = planted(.rejectedNotBacked) ? previous + 1 : min(previous, response.lastLog + 1)
        if response.lastLog >= previous { next = min(next, log.firstOfTerm(at: previous)) }
        peer.reset(next: max(1, next))
        out.append(.log(.warn, "appendEntries rejected, sending older logs: peer=\(peer.id) next=\(peer.next)"))
        if !response.noRetryBackoff { backOff(peer) }
    }

    func appendFailed(_ peer: Peer, epoch: UInt64, previous: UInt64, _ text: String, _ out: inout [RaftEffect]) {
        guard case .leader = state, epoch == peer.epoch else { return }
        if peer.contact.failures == 0 {
            out.append(.log(.error, "failed to appendEntries to: peer=\(peer.id) error=\(LogText.value(text))"))
        }
        if case .pipeline = peer.mode { peer.reset(next: peer.match + 1) } else { peer.reset(next: previous + 1) }
        backOff(peer)
    }

    /// 10 ms, doubled with every failure from the third on, at most a heartbeat timeout.
    func backOff(_ peer: Peer) {
        peer.contact.failures += 1
        let doubled = min(10, max(0, peer.contact.failures - 2))
        peer.contact.retryAt = now + min(.milliseconds(10) * (1 << doubled), config.heartbeatTimeout)
    }

    // MARK: Heartbeats

    /// A new round to all, if somebody wants to know whether this node still leads.
    ///
    /// There is one at a time: who asks meanwhile shares the next one, so that the rounds grow with the load instead of their number. If
    /// the answers get lost, those of the heartbeats that are sent in any case confirm the round.
    func sendRound(_ leadership: Leadership, _ out: inout [RaftEffect]) {
        guard leadership.wantsRound else { return }
        guard confirmedRound(leadership) == leadership.round else { return }
        leadership.wantsRound = false
        leadership.round += 1
        for peer in leadership.peers where configuration.isVoter(peer.id) && peer.contact.outstandingHeartbeats < 64 {
            sendHeartbeat(peer, leadership, &out)
        }
    }

    func sendHeartbeat(_ peer: Peer, _ leadership: Leadership, _ out: inout [RaftEffect]) {
        let interval = config.heartbeatInterval
        peer.contact.heartbeatAt = now + interval * 3 / 4 + random.duration(below: interval / 2)
        peer.contact.outstandingHeartbeats += 1
        let message = AppendEntriesRequest.encode(
            term: term, leader: addressBytes, previousIndex: 0, previousTerm: 0, commitIndex: 0, count: nil, payload: 0
        ) { _ in }
        call(peer.id, peer.address, message, .heartbeat(peer, round: leadership.round), &out)
    }

    func heartbeatAnswered(_ call: Call, _ peer: Peer, _ round: UInt64, _ response: AppendEntriesResponse, _ out: inout [RaftEffect]) {
        peer.contact.outstandingHeartbeats -= 1
        guard leads(after: response.term, peer, &out), response.term == term, response.success else { return }
        heardFrom(peer, call)
        peer.contact.confirmedRound = max(peer.contact.confirmedRound, round)
        if planted(.heartbeatCommits) { peer.match = max(peer.match, peer.next - 1) }
        // It is there again: no need to wait longer.
        if peer.contact.isUnreachable {
            peer.contact.isUnreachable = false
            peer.contact.failures = 0
            peer.contact.retryAt = nil
            peer.told.at = .zero
        }
    }

    func heartbeatFailed(_ peer: Peer, _ text: String, _ out: inout [RaftEffect]) {
        peer.contact.outstandingHeartbeats -= 1
        guard case .leader = state, !peer.contact.isUnreachable else { return }
        peer.contact.isUnreachable = true
        out.append(.log(.error, "failed to heartbeat to: peer=\(peer.address) error=\(LogText.value(text))"))
    }
}
