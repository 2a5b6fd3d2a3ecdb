// What consensus asks of the server, and the snapshots that both make together.

extension Server {
    func perform(_ effect: RaftEffect, at now: Instant) {
        if state.isProvisional, !raft.isProvisional, state.settle(commitIndex: raft.commitIndex) { stateReplaced(at: now) }
        switch effect {
        case .call(let id, let server, let address, let bytes, let timeout):
            effects.append(.call(id, to: pool.address(of: server) ?? address, .raft, bytes, timeout: timeout))
        case .reply(let id, let bytes): effects.append(.reply(id, bytes))
        case .close(let id): effects.append(.refuse(id))
        case .disk(let batch):
            if raft.isLeader { measures.disk.began(batch.token, at: now) }
            effects.append(.disk(batch))
        case .committed(let entries): apply(entries, at: now)
        case .rejected(let token, let error): rejected(token, error.text, at: now)
        case .verified(let token, let result):
            if case .saving? = consensus.purpose(of: token) { return consensusAnswered(token, result.map { _ in }, at: now) }
            switch result {
            case .success: verified(token, nil, at: now)
            case .failure(let error): verified(token, error.text, at: now)
            }
        case .becameLeader(let term):
            becameLeader(term: term, at: now)
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
        case .captureSnapshot(let id, _, _): state.capture(id)
        case .provideSnapshot(let id, let count):
            switch state.nextPiece(of: id, maxBytes: count) {
            case .bytes(let bytes): drive(.snapshotChunk(id, bytes), at: now)
            case .end: drive(.snapshotFinished(id), at: now)
            case .missing: drive(.snapshotFailed(id, "the captured state is gone"), at: now)
            }
        case .releaseSnapshot(let id): state.release(id)
        case .decodeSnapshot(let id, let bytes, let last):
            do throws(TextError) {
                if try state.decode(id, bytes, last: last) { drive(.snapshotDecoded(id, error: nil), at: now) }
            } catch {
                drive(.snapshotDecoded(id, error: "\(error)"), at: now)
            }
        case .discardSnapshot(let id): state.discard(id)
        case .installSnapshot(let id, let index, let term):
            if state.install(id, at: LogPosition(term: term, index: index), isProvisional: raft.isProvisional) { stateReplaced(at: now) }
        case .resetState:
            state.reset()
            stateReplaced(at: now)
        default: break
        }
    }

    /// Readers see another state as a whole: whoever blocks on it is answered, and delays of locks are forgotten (http-2 §12.2).
    private func stateReplaced(at now: Instant) {
        writes.lockDelays.removeAll()
        publishes = true
        publish(at: now)
        wakeAll(at: now)
        duties.restart(self, at: now)
    }

    // MARK: An operator's snapshot

    /// Whatever cannot be decoded is refused before anything changes.
    func restore(_ state: [UInt8], index: UInt64, for requester: Requester, at now: Instant) {
        var decoder = SnapshotDecoder()
        do throws(TextError) {
            try decoder.feed(state)
            restore(try decoder.finish(), index: index, for: requester, at: now)
        } catch {
            finishOperation(requester, .failure(ServerError("failed to decode snapshot: \(error)")), at: now)
        }
    }

    /// Lets consensus put that state in place of the present one.
    func restore(_ store: Store, index: UInt64, for requester: Requester, at now: Instant) {
        guard state.bring(store) else {
            return finishOperation(requester, .failure(ServerError("another snapshot is in progress")), at: now)
        }
        let token = consensus.makeToken(for: .restore(requester))
        drive(.restore(token: token, index: index), at: now)
    }
}
