// Telling others of this node's departure and changes (gossip §8.1, §8.8).

extension Memberlist {
    /// Somebody waits until a broadcast of our own was sent often enough.
    struct Wait {
        enum Purpose {
            case leave
            case update(token: UInt64)
        }
        /// As in the queue.
        let id: UInt64
        let purpose: Purpose
        let deadline: Instant
        var isFinished = false
    }

    /// Says farewell; `leaveFinished` tells of the end. The node goes on answering.
    public mutating func leave(timeout: Duration, at time: Instant, into effects: inout [GossipEffect]) {
        begin(time, &effects)
        defer { end(&effects) }
        guard !isLeaving, let ownSlot else { return delegate.leaveFinished(error: nil, at: now) }
        isLeaving = true
        let claim = Accusation(incarnation: table[ownSlot].incarnation, node: config.name, from: config.name)
        let id = addWait(.leave, timeout)
        apply(DeadMessage(accusation: claim), token: id)
        endUnneededWait(id)
    }

    /// Tells everybody what `nodeMeta` says now; `updateFinished` tells of the end.
    public mutating func updateNode(token: UInt64, timeout: Duration, at time: Instant, into effects: inout [GossipEffect]) {
        begin(time, &effects)
        defer { end(&effects) }
        let meta = delegate.nodeMeta(limit: config.metaMaxSize)
        guard meta.count <= config.metaMaxSize else {
            return delegate.updateFinished(token: token, error: "Node meta data provided is longer than the limit", at: now)
        }
        let id = addWait(.update(token: token), timeout)
        announce(meta, token: id)
        endUnneededWait(id)
    }

    private mutating func addWait(_ purpose: Wait.Purpose, _ timeout: Duration) -> UInt64 {
        nextWait += 1
        waits.append(Wait(id: nextWait, purpose: purpose, deadline: timeout > .zero ? now + timeout : .distantFuture))
        return nextWait
    }

    /// Without others there is nobody to hear of it.
    private mutating func endUnneededWait(_ id: UInt64) {
        guard othersActive == 0, let at = waits.firstIndex(where: { $0.id == id }) else { return }
        waits[at].isFinished = true
    }

    /// Called after every event: a broadcast may have been sent for the last time, or replaced.
    mutating func reportFinishedBroadcasts() {
        for token in broadcasts.takeFinished() {
            if let at = waits.firstIndex(where: { $0.id == token }) { waits[at].isFinished = true }
        }
        endWaits { $0.isFinished }
    }

    mutating func endWaits(_ isOver: (Wait) -> Bool) {
        while let at = waits.firstIndex(where: isOver) {
            let wait = waits.remove(at: at)
            switch wait.purpose {
            case .leave:
                delegate.leaveFinished(error: wait.isFinished ? nil : "timeout waiting for leave broadcast", at: now)
            case .update(let token):
                delegate.updateFinished(token: token, error: wait.isFinished ? nil : "timeout waiting for update broadcast", at: now)
            }
        }
    }
}
