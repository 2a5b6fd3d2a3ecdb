// Intents: what members say of coming and going, ordered by the member clock (gossip §12.3, §12.4).

extension SerfState {
    /// Whether the message is to be passed on.
    mutating func handle(_ intent: JoinIntent, at now: Instant) -> Bool {
        clock.witness(intent.ltime)
        guard let place = members.place(intent.node) else { return buffer(intent.node, isLeave: false, intent.ltime, at: now) }
        guard intent.ltime > members[place].statusTime else { return false }
        members.setStatusTime(intent.ltime, at: place)
        // It changed its mind, or never meant to leave.
        if members[place].status == .leaving { members.setStatus(.alive, at: place) }
        return true
    }

    /// Whether the message is to be passed on.
    mutating func handle(_ intent: LeaveIntent, at now: Instant) -> Bool {
        clock.witness(intent.ltime)
        guard let place = members.place(intent.node) else { return buffer(intent.node, isLeave: true, intent.ltime, at: now) }
        guard intent.ltime > members[place].statusTime else { return false }
        if intent.node == config.name, lifecycle == .alive {
            log(.debug, "Refuting an older leave intent")
            broadcastJoin(at: now)
            return false
        }
        members.setStatusTime(intent.ltime, at: place)
        switch members[place].status {
        case .alive:
            members.setStatus(.leaving, at: place)
            if intent.prune { prune(at: place, at: now) }
        case .failed:
            members.setStatus(.left, at: place)
            armReap(after: members[place].leftAt + config.tombstoneTimeout)
            let member = members[place].member
            log(.info, "EventMemberLeave (forced): \(member.name) \(members[place].address.ipText)")
            tell(.left, member, at: now)
            if intent.prune { prune(at: place, at: now) }
        case .leaving, .left:
            if intent.prune { prune(at: place, at: now) }
        case .none:
            return false
        }
        return true
    }

    /// Tells everybody that we are here, as of now.
    mutating func broadcastJoin(at now: Instant) {
        let intent = JoinIntent(ltime: clock.time, node: config.name)
        clock.witness(intent.ltime)
        _ = handle(intent, at: now)
        broadcast(intent.message(), on: \.intentQueue, at: now)
        armSnapshot(at: now)
    }

    private mutating func buffer(_ name: String, isLeave: Bool, _ time: UInt64, at now: Instant) -> Bool {
        guard intents.add(name, isLeave: isLeave, time: time, at: now) else { return false }
        armReap(after: now + config.recentIntentTimeout)
        return true
    }

    /// A member that is still leaving gets the time to do so.
    private mutating func prune(at place: Int, at now: Instant) {
        let member = members[place]
        if member.status == .leaving {
            arm(.prune(member.name), at: now + config.broadcastTimeout + config.leavePropagateDelay)
        } else {
            erasePruned(at: place, at: now)
        }
    }

    /// The time of a leaving member is over; it may have come back, or be forgotten already.
    mutating func endPrune(_ name: String, at now: Instant) {
        guard let place = members.place(name), members[place].status != .alive else { return }
        erasePruned(at: place, at: now)
    }

    private mutating func erasePruned(at place: Int, at now: Instant) {
        log(.info, "EventMemberReap (forced): \(members[place].name) \(members[place].address.ipText)")
        erase(at: place, at: now)
    }
}
