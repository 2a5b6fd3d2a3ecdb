// Following: taking entries from a leader (§5.3), and giving committed ones to the state machine.

extension RaftNode {
    /// Takes note of a leader's message. False if its term is over, or if it changes nothing for another reason.
    func acceptLeader(_ messageTerm: UInt64, _ leaderAddress: [UInt8], _ out: inout [RaftEffect]) -> Bool {
        if messageTerm < term { return planted(.staleLeaderAccepted) && !isLeader }
        var isFollower = false
        if case .follower = state { isFollower = true }
        let second = messageTerm == term && isLeader ? "this server leads in term \(term) itself" : nil
        if let why = second ?? strangeness(messageTerm, leaderAddress) {
            logRefusal(of: "a leader", from: leaderAddress, why, &out)
            return false
        }
        if messageTerm > term || !isFollower { becomeFollower(reachable(messageTerm), &out) }
        // The rest of the way is left to the next message.
        if messageTerm > term { return false }
        if leader.map({ !$0.address.utf8.elementsEqual(leaderAddress) }) ?? true { setLeader(server(at: leaderAddress), &out) }
        lastContact = now
        heardLeader()
        armElection(config.heartbeatTimeout)
        return true
    }

    /// Spec: rpc-raft-wire §5.2.
    func appendEntries(_ call: CallID, from address: Address, _ request: AppendEntriesRequest, _ out: inout [RaftEffect]) {
        var response = AppendEntriesResponse(term: term, lastLog: log.lastIndex)
        // Whoever led once is told so, whatever it sends.
        if request.term < term, !planted(.staleLeaderAccepted) { return reply(call, response.encoded, after: storage.voteSequence, &out) }
        let isMatching: Bool
        switch logMatch(request) {
        case .malformed: return out.append(.reply(call, RaftFailure.encoded("log entries are malformed")))
        case .match: isMatching = true
        case .conflict: isMatching = false
        }
        let contradicted = contradiction(request)
        if let index = contradicted, !isProvisional {
            // No leader's log differs from what is committed: whoever sends this is none, and is not followed.
            let text = "entry \(index) differs from the one that is committed here"
            logRefusal(of: "a leader's entries", from: request.leader, text + "; remedy if it leads: " + RecoveryError.rejoin, &out)
            return out.append(.reply(call, RaftFailure.encoded(text)))
        }
        guard acceptLeader(request.term, request.leader, &out) else {
            response.term = term
            return reply(call, response.encoded, after: storage.voteSequence, &out)
        }
        watch.source = address
        response.term = term
        if contradicted != nil {
            startOver(&out)
            response = AppendEntriesResponse(term: term, lastLog: 0, noRetryBackoff: true)
            return reply(call, response.encoded, after: storage.writeSequence, &out)
        }
        guard isMatching else {
            response.noRetryBackoff = true
            return reply(call, response.encoded, after: storage.voteSequence, &out)
        }
        if !request.entries.isEmpty, storage.isFull {
            return out.append(.reply(call, RaftFailure.encoded(RaftError.noSpace.text)))
        }
        appendMissing(request.entries, &out)
        let last = request.previousIndex + UInt64(request.entries.count)
        let committed = min(request.commitIndex, planted(.commitBeyondMatch) ? .max : last, log.lastIndex)
        if request.previousIndex >= log.baseIndex { confirmedCommit = max(confirmedCommit, committed) }
        if committed > commitIndex {
            commitIndex = committed
            commitAdvanced(&out)
        }
        response.success = true
        // Success promises that everything up to `last` is durable; a heartbeat promises nothing of the log.
        let sequence = last > storage.durableIndex && !planted(.ackBeforeSync) ? storage.writeSequence : storage.voteSequence
        reply(call, response.encoded, after: sequence, &out)
    }

    private enum LogMatch {
        /// The entries are no sequence, or hold what is no configuration.
        case malformed
        /// The log disagrees with the leader's before the new entries.
        case conflict
        case match
    }

    private func logMatch(_ request: AppendEntriesRequest) -> LogMatch {
        var index = request.previousIndex
        var previousTerm = request.previousTerm
        for entry in request.entries {
            guard entry.index == index &+ 1, entry.term >= previousTerm, entry.term <= request.term else { return .malformed }
            // The leader has examined it; a follower takes what it can read, as the reference does. One that refused a committed
            // configuration would never get beyond it.
            if entry.kind.changesConfiguration, (try? RaftConfiguration(entry: entry)) == nil { return .malformed }
            index = entry.index
            previousTerm = entry.term
        }
        if request.previousIndex == 0 { return .match }
        if let known = log.term(at: request.previousIndex) {
            return known == request.previousTerm || planted(.prevTermNotChecked) ? .match : .conflict
        }
        // What was compacted away is committed, so every leader has the same there.
        return request.previousIndex < log.baseIndex || planted(.gapAppended) && request.entries.isEmpty ? .match : .conflict
    }

    /// A committed entry that is of another term in the leader's log. Every leader has every committed entry (§5.4.3), so there is
    /// none, unless it came from a user's snapshot.
    private func contradiction(_ request: AppendEntriesRequest) -> UInt64? {
        func differs(_ index: UInt64, _ term: UInt64) -> Bool {
            index > 0 && index <= commitIndex && log.term(at: index).map { $0 != term } ?? false
        }
        if request.isHeartbeat { return nil }
        if differs(request.previousIndex, request.previousTerm) { return request.previousIndex }
        // A leader that has the snapshot has no entries before it.
        if isProvisional, request.term > log.baseTerm, request.previousIndex < log.baseIndex { return log.baseIndex }
        return request.entries.first { differs($0.index, $0.term) }?.index
    }

    /// Appends what is missing, in place of what contradicts it.
    private func appendMissing(_ entries: [LogEntry], _ out: inout [RaftEffect]) {
        for entry in entries where entry.index > log.baseIndex {
            if planted(.truncateAlways), entry.index > commitIndex, entry.index == entries.last?.index, entry.index < log.lastIndex {
                storage.truncate(from: entry.index, &log)
            }
            if let known = log.term(at: entry.index) {
                if known == entry.term || planted(.conflictKept) { continue }
                precondition(entry.index > commitIndex, "a committed entry is never removed from the log")
                out.append(.log(.warn, "clearing log suffix: from=\(entry.index) to=\(log.lastIndex)"))
                storage.truncate(from: entry.index, &log)
                dropConfigurations(from: entry.index, &out)
            }
            append(entry)
            guard entry.kind.changesConfiguration else { continue }
            if let configuration = try? RaftConfiguration(entry: entry) { setConfiguration(configuration, at: entry.index, &out) }
        }
    }

    // MARK: Applying

    /// Gives committed entries to the owner, in order; those that are not in memory are read back first.
    func applyCommitted(_ out: inout [RaftEffect]) {
        guard lastApplied < commitIndex else { return }
        let first = lastApplied + 1
        guard first >= log.cache.first else {
            guard !isReadingForApply else { return }
            let limit = min(commitIndex, log.cache.first - 1)
            guard let location = log.location(of: first, upTo: limit, size: config.readSize) else {
                return fail("raft: the log has lost entry \(first)", &out)
            }
            isReadingForApply = true
            return read(location, .apply(location), &out)
        }
        var entries: [LogEntry] = []
        entries.reserveCapacity(Int(commitIndex - lastApplied))
        var weight = 0
        for index in first...commitIndex {
            var entry = log.cache[index]
            entry.token = log.cache.takeToken(index)
            weight += entry.weight
            entries.append(entry)
        }
        if case .leader(let leadership) = state { leadership.uncommittedBytes = max(0, leadership.uncommittedBytes - weight) }
        give(entries, &out)
    }

    private func give(_ entries: [LogEntry], _ out: inout [RaftEffect]) {
        for entry in entries where entry.kind == .command || entry.kind == .barrier { lastCommand = (entry.index, entry.term) }
        lastApplied = entries[entries.count - 1].index
        out.append(.committed(entries))
        log.evict(limit: config.cacheBytesMax, durable: storage.durableIndex, applied: lastApplied)
    }

    func applyReadDone(_ entries: [LogEntry], _ out: inout [RaftEffect]) {
        isReadingForApply = false
        // A snapshot may have been installed meanwhile.
        if entries.first?.index == lastApplied + 1 || planted(.appliedTwice) { give(entries, &out) }
    }
}
