// What consensus asks of the server, and the snapshots that both make together.

extension Server {
    func perform(_ effect: RaftEffect, at now: Instant) {
        if provisional != nil { settleState(at: now) }
        switch effect {
        case .call(let id, let server, let address, let bytes, let timeout):
            effects.append(.call(id, to: knownAddress(of: server) ?? address, .raft, bytes, timeout: timeout))
        case .reply(let id, let bytes): effects.append(.reply(id, bytes))
        case .close(let id): effects.append(.refuse(id))
        case .disk(let batch): effects.append(.disk(batch))
        case .committed(let entries): apply(entries, at: now)
        case .rejected(let token, let error): rejected(token, error.text, at: now)
        case .verified(let token, let result):
            if case .saving? = consensusPurposes[token] { return consensusAnswered(token, result.map { _ in }, at: now) }
            switch result {
            case .success: verified(token, nil, at: now)
            case .failure(let error): verified(token, error.text, at: now)
            }
        case .becameLeader(let term):
            leadership = .establishing(term: term)
            log(.info, "cluster leadership acquired")
            answers.append(.wish(.announceLeader))
            drive(.barrier(token: takeToken()), at: now)
        case .lostLeadership: loseLeadership(at: now)
        case .leaderChanged(let leader):
            publishes = true
            if leader != nil { hastenRetries(at: now) }
            retryHeld(at: now)
        case .configurationChanged, .leaseChanged:
            publishes = true
            if isEstablished { retryHeld(at: now) }
        case .log(let level, let text): effects.append(.log(level, "agent.server.raft", text))
        case .fatal(let text): effects.append(.exit(text))
        case .membershipDone(let token, let result): consensusAnswered(token, result.map { _ in }, at: now)
        case .transferred(let token, let result): consensusAnswered(token, result, at: now)
        case .restored(let token, let result): consensusAnswered(token, result.map { _ in }, at: now)
        // Nobody asks for snapshots: those that are taken by themselves have no token.
        case .snapshotTaken: break
        case .captureSnapshot, .provideSnapshot, .releaseSnapshot, .decodeSnapshot, .discardSnapshot, .installSnapshot,
            .resetState:
            performSnapshot(effect, at: now)
        }
    }

    private func performSnapshot(_ effect: RaftEffect, at now: Instant) {
        switch effect {
        case .captureSnapshot(let id, _, _): captured[id] = SnapshotEncoder(store)
        case .provideSnapshot(let id, let count):
            guard var encoder = captured[id] ?? brought.map({ SnapshotEncoder($0) }) else {
                return drive(.snapshotFailed(id, "the captured state is gone"), at: now)
            }
            let chunk = encoder.next(maxBytes: count)
            captured[id] = encoder
            drive(chunk.map { .snapshotChunk(id, $0) } ?? .snapshotFinished(id), at: now)
        case .releaseSnapshot(let id): captured.removeValue(forKey: id)
        case .decodeSnapshot(let id, let bytes, let last): decode(id, bytes, last: last, at: now)
        case .discardSnapshot(let id):
            decoding.removeValue(forKey: id)
            decoded.removeValue(forKey: id)
        case .installSnapshot(let id, let index, let term): install(id, index: index, term: term, at: now)
        case .resetState:
            provisional = nil
            replaceState(by: Store(), index: 0, term: 0, at: now)
        default: break
        }
    }

    private func decode(_ id: SnapshotID, _ bytes: [UInt8], last: Bool, at now: Instant) {
        var decoder = decoding.removeValue(forKey: id) ?? SnapshotDecoder()
        do throws(SnapshotError) {
            try decoder.feed(bytes)
            guard last else {
                decoding[id] = decoder
                return
            }
            decoded[id] = try decoder.finish()
            drive(.snapshotDecoded(id, error: nil), at: now)
        } catch {
            drive(.snapshotDecoded(id, error: "\(error)"), at: now)
        }
    }

    /// What an operator has restored is not shown, here or at a follower, before it is certain to stay.
    private func settleState(at now: Instant) {
        guard let state = provisional, raft.commitIndex >= state.index, !raft.isProvisional else { return }
        provisional = nil
        replaceState(by: state.store, index: state.index, term: state.term, at: now)
    }

    /// Whether there is a state to show: after a start there may be none but a provisional one.
    var isReadable: Bool { provisional == nil || appliedIndex > 0 }

    /// The state is replaced as a whole: whoever blocks on it is answered, and delays of locks are forgotten (http-2 §12.2).
    private func install(_ id: SnapshotID, index: UInt64, term: UInt64, at now: Instant) {
        captured.removeValue(forKey: id)
        guard let new = decoded.removeValue(forKey: id) ?? brought else {
            preconditionFailure("a snapshot is installed only after it was decoded, or brought")
        }
        if raft.isProvisional {
            provisional = ProvisionalState(store: new, index: index, term: term)
        } else {
            provisional = nil
            replaceState(by: new, index: index, term: term, at: now)
        }
    }

    private func replaceState(by new: Store, index: UInt64, term: UInt64, at now: Instant) {
        store = new
        appliedIndex = index
        appliedTerm = term
        lastCommand = (index, term)
        lockDelays.removeAll()
        publishes = true
        publish(at: now)
        wakeAll(at: now)
        guard isEstablished else { return }
        armTimers(at: now)
        reconciliation.removeAll()
        startAutopilot(at: now)
        reconcileAll(reaps: false, at: now)
    }

    // MARK: An operator's snapshot

    /// Whatever cannot be decoded is refused before anything changes.
    func restore(_ state: [UInt8], index: UInt64, for requester: Requester, at now: Instant) {
        var decoder = SnapshotDecoder()
        do throws(SnapshotError) {
            try decoder.feed(state)
            restore(try decoder.finish(), index: index, for: requester, at: now)
        } catch {
            finishOperation(requester, .failure(ServerError("failed to decode snapshot: \(error)")), at: now)
        }
    }

    /// Lets consensus put that state in place of the present one.
    func restore(_ state: Store, index: UInt64, for requester: Requester, at now: Instant) {
        if brought != nil { return finishOperation(requester, .failure(ServerError("another snapshot is in progress")), at: now) }
        brought = state
        let token = takeToken()
        consensusPurposes[token] = .restore(requester)
        drive(.restore(token: token, index: index), at: now)
    }
}
