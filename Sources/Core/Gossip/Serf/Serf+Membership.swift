// Joining, leaving, and the departures of others (gossip §12.8-12.10, §12.12).

extension Serf {
    /// Joins the pool of any of the members at these addresses; `.joined` tells of the end.
    ///
    /// - Parameter ignoresOldEvents: events from before are not delivered. Consul always wants it so.
    public func join(
        _ targets: [JoinTarget], ignoresOldEvents: Bool = true, token: UInt64, at time: Instant, into effects: inout [SerfEffect]
    ) {
        run(at: time, into: &effects) {
            guard state.lifecycle == .alive else {
                return state.output.append(.joined(token: token, .failure(TextError("Serf can't Join after Leave or Shutdown"))))
            }
            if ignoresOldEvents { state.events.joinsIgnoringOld += 1 }
            begin(.owner(token: token, ignoresOldEvents: ignoresOldEvents), targets)
        }
    }

    private func begin(_ purpose: JoinPurpose, _ targets: [JoinTarget]) {
        let id = newToken()
        joins[id] = purpose
        withGossip { memberlist.join(targets, token: id, at: now, into: &$0) }
    }

    func joinFinished(_ id: UInt64, _ contacted: Int, _ error: String?) {
        switch joins.removeValue(forKey: id) {
        case .owner(let token, let ignoresOldEvents):
            if ignoresOldEvents { state.events.joinsIgnoringOld -= 1 }
            if contacted > 0 { state.broadcastJoin(at: now) }
            state.output.append(.joined(token: token, error.map { .failure(TextError($0)) } ?? .success(contacted)))
        case .rejoin(let rest):
            if contacted > 0 { return state.log(.info, "Re-joined to previously known node") }
            rejoin(rest)
        case .reconnect, nil:
            break
        }
    }

    /// One after the other until one answers.
    func rejoin(_ targets: [JoinTarget]) {
        var rest = targets
        guard state.lifecycle == .alive, let target = rest.popLast() else { return }
        if case .address(let address) = target { state.log(.info, "Attempting re-join to previously known node: \(address.text)") }
        begin(.rejoin(rest: rest), [target])
    }

    /// Tries one failed member, the less often the more members have failed.
    func reconnect() {
        let failed = state.members.failed
        guard !failed.isEmpty, state.lifecycle == .alive, !planted(.failedNotReconnected) else { return }
        state.arm(.reconnect, at: state.tick(config.reconnectInterval, atOrAfter: now + .nanoseconds(1)))
        let others = state.members.count - failed.count - state.members.left.count
        let probability = Double(failed.count) / Double(max(1, others))
        if !state.random.chance(probability) { return state.log(.debug, "forgoing reconnect for random throttling") }
        let name = failed[Int.random(in: 0..<failed.count, using: &state.random)]
        guard let member = state.members[name] else { return }
        state.log(.info, "attempting reconnect to \(name) \(member.address.text)")
        begin(.reconnect(name), [.address(member.address)])
    }

    // MARK: Leaving

    /// Leaves the pool and stays until the others know; `.left` tells of the end.
    public func leave(at time: Instant, into effects: inout [SerfEffect]) {
        run(at: time, into: &effects) {
            switch state.lifecycle {
            case .left: return state.output.append(.left(nil))
            case .leaving: return state.output.append(.left(TextError("Leave already in progress")))
            case .shutdown: return state.output.append(.left(TextError("Leave called after Shutdown")))
            case .alive: break
            }
            state.lifecycle = .leaving
            if state.snapshot != nil {
                state.snapshot?.recordLeave()
                flushSnapshot(isLast: true)
            }
            let intent = announceDeparture(of: config.name, prune: false)
            guard state.members.hasOthersAlive(besides: config.name) else { return leaveMemberlist() }
            departure = .announcing(token: queue(intent))
            state.arm(.leave, at: now + config.broadcastTimeout)
        }
    }

    /// Applies the intent here; it is still to be told.
    private func announceDeparture(of name: String, prune: Bool) -> LeaveIntent {
        let intent = LeaveIntent(ltime: state.clock.time, node: name, prune: prune)
        if !planted(.clockNotIncremented) { state.clock.increment() }
        _ = state.handle(intent, at: now)
        state.armSnapshot(at: now)
        return intent
    }

    private func queue(_ intent: LeaveIntent) -> UInt64 {
        state.queues.nextToken += 1
        state.broadcast(intent.message(), on: \.intents, token: state.queues.nextToken, at: now)
        return state.queues.nextToken
    }

    func leaveMemberlist() {
        departure = .leaving
        state.timers[.leave] = nil
        withGossip { memberlist.leave(timeout: config.broadcastTimeout, at: now, into: &$0) }
    }

    func memberlistLeft(_ error: String?) {
        guard case .leaving = departure else { return }
        if let error {
            departure = .none
            return state.output.append(.left(TextError(error)))
        }
        departure = .propagating
        state.arm(.leave, at: now + config.leavePropagateDelay)
    }

    /// What the departure waited for did not come, or its last delay is over.
    func departureTimeout() {
        switch departure {
        case .announcing:
            state.output.append(.left(TextError("timeout while waiting for graceful leave")))
        case .propagating:
            if state.lifecycle != .shutdown { state.lifecycle = .left }
            state.output.append(.left(nil))
        case .none, .leaving:
            break
        }
        departure = .none
    }

    // MARK: Others' departures

    /// Tells everybody that a failed member has left; `prune`: and is to be forgotten. `.removed` tells of the end.
    ///
    /// A member that is alive refutes it. Whether there is one of that name is not asked.
    public func forceLeave(_ name: String, prune: Bool, token: UInt64, at time: Instant, into effects: inout [SerfEffect]) {
        run(at: time, into: &effects) {
            let intent = announceDeparture(of: name, prune: prune)
            guard state.members.hasOthersAlive(besides: config.name) else {
                return state.output.append(.removed(token: token, nil))
            }
            let broadcast = queue(intent)
            removals[broadcast] = token
            state.arm(.removal(broadcast), at: now + config.broadcastTimeout)
        }
    }

    func removalFinished(_ broadcast: UInt64, isLate: Bool) {
        guard let token = removals.removeValue(forKey: broadcast) else { return }
        state.timers[.removal(broadcast)] = nil
        state.output.append(.removed(token: token, isLate ? TextError("timed out broadcasting node removal") : nil))
    }

    // MARK: Tags

    /// Changes what we say of ourselves; `.tagsUpdated` tells when the others know.
    public func setTags(_ tags: StringMap, token: UInt64, at time: Instant, into effects: inout [SerfEffect]) {
        run(at: time, into: &effects) {
            guard SerfTags.encode(tags).count <= SerfTags.limit else {
                let error = TextError("Encoded length of tags exceeds limit of \(SerfTags.limit) bytes")
                return state.output.append(.tagsUpdated(token: token, error))
            }
            state.tags = tags
            let id = newToken()
            updates[id] = token
            withGossip { memberlist.updateNode(token: id, timeout: config.broadcastTimeout, at: now, into: &$0) }
        }
    }
}
