// Completions of disk batches. See the notes on durability at `RaftNode`.

extension RaftNode {
    func diskCompleted(_ completion: DiskCompletion, _ out: inout [RaftEffect]) {
        if completion.token == storage.inFlight?.token {
            return logWritten(planted(.diskErrorIgnored) ? .success([]) : completion.result, &out)
        }
        guard let purpose = disk.takePurpose(of: completion.token) else { return }
        switch purpose {
        case .housekeeping:
            if case .failure(let error) = completion.result { out.append(.log(.warn, "failed to remove old files: \(text(error))")) }
        case .apply(let location):
            if let entries = entriesRead(completion.result, location, &out) { applyReadDone(entries, &out) }
        case .replicate(let leadership, let peer, let epoch, let location):
            guard let entries = entriesRead(completion.result, location, &out) else { return }
            if isCurrent(leadership), epoch == peer.epoch { readBackDone(peer, entries) }
        case .install(let leadership, let peer, let install):
            if isCurrent(leadership) { installRead(peer, install, leadership, completion.result, &out) }
        case .sink(let id):
            sinkAdvanced(id, completion.result, &out)
        }
    }

    func isCurrent(_ leadership: Leadership) -> Bool {
        if case .leader(let current) = state { current === leadership } else { false }
    }

    func text(_ error: DiskError) -> String {
        switch error {
        case .noSpace: "no space left on device"
        case .notFound(let name): "file not found: \(name)"
        case .failed(let text): text
        }
    }

    /// The entries of a read, or the end: what this node stored itself must be readable.
    private func entriesRead(_ result: Result<[[UInt8]], DiskError>, _ location: LogLocation, _ out: inout [RaftEffect]) -> [LogEntry]? {
        switch result {
        case .failure(let error):
            fail("raft: failed to read \(location.file) at byte \(location.offset): \(text(error))", &out)
        case .success(let reads):
            let bytes = reads.first ?? []
            if let entries = SegmentFormat.entries(bytes, first: location.first, last: location.last, salt: location.salt) {
                return entries
            }
            fail("raft: \(location.file) is damaged behind byte \(location.offset); remedy: \(RecoveryError.rejoin)", &out)
        }
        return nil
    }

    // MARK: The log's own batches

    private func logWritten(_ result: Result<[[UInt8]], DiskError>, _ out: inout [RaftEffect]) {
        switch result {
        case .success:
            let wasFull = storage.isFull
            let garbage = storage.complete()
            if wasFull {
                disk.retryAt = nil
                out.append(.log(.info, "the disk takes writes again"))
            }
            if !garbage.isEmpty {
                let removals = garbage.map { DiskOperation.remove(file: $0) }
                perform(removals + [.syncDirectory(SegmentFormat.folder)], .housekeeping, &out)
            }
            fireWaiters(&out)
            log.evict(limit: config.cacheBytesMax, durable: storage.durableIndex, applied: lastApplied)
        case .failure(.noSpace):
            diskIsFull(&out)
        case .failure(let error):
            fail("raft: failed to write the log: \(text(error))", &out)
        }
    }

    private func fireWaiters(_ out: inout [RaftEffect]) {
        for action in disk.takeDurable(through: storage.durableSequence) {
            switch action {
            case .reply(let call, let bytes): out.append(.reply(call, bytes))
            case .candidacy(let term): candidacyDurable(term, &out)
            case .bootstrap(let token): out.append(.membershipDone(token: token, .success(1)))
            }
        }
    }

    private func diskIsFull(_ out: inout [RaftEffect]) {
        let isNews = !storage.isFull
        storage.failForSpace()
        disk.retryAt = now + config.diskFullRetry
        guard isNews else { return }
        out.append(.log(.error, "no space left on device; nothing is acknowledged until there is"))
        switch state {
        case .leader(let leadership):
            if configuration.isSoleVoter(identity.id) {
                rejectUncommitted(.noSpace, &out)
            } else {
                if let peer = successor(leadership) { tellToStand(peer, leadership, &out) }
                stepDown("no space left on device", &out)
            }
        case .candidate, .preCandidate: becomeFollower(term, &out)
        case .follower: break
        }
    }

    func retryWrite(_ out: inout [RaftEffect]) {
        disk.retryAt = nil
        guard let batch = storage.retry(token: disk.makeToken()) else { return }
        out.append(.disk(batch))
    }

    // MARK: Other batches

    func perform(_ operations: [DiskOperation], _ purpose: DiskWork.Purpose, _ out: inout [RaftEffect]) {
        out.append(.disk(disk.batch(operations, for: purpose)))
    }
}
