// Intents: what members say of coming and going, ordered by the member clock (gossip §12.3, §12.4).

extension SerfState {
    /// Whether the message is to be passed on.
    mutating func handle(_ intent: JoinIntent, at now: Instant) -> Bool {
        guard clock.isReachable(intent.ltime) else { return refuse("join intent of", intent.node, intent.ltime) }
        clock.witness(intent.ltime)
        guard let place = members.place(intent.node) else { return buffer(intent.node, isLeave: false, intent.ltime, at: now) }
        guard intent.ltime > members[place].statusTime || planted(.oldJoinIntentCounts) else { return false }
        members.setStatusTime(intent.ltime, at: place)
        switch members[place].status {
        case .leaving:
            // It changed its mind, or never meant to leave. Serf has no event for it; but whoever saw it join may have seen it leave at once.
            members.setStatus(.alive, at: place)
            tell(.updated, members[place].member, at: now)
        case .left: members.setReturned(true, at: place)
        case .none, .alive, .failed: break
        }
        return true
    }

    /// Whether the message is to be passed on. One that is not the member's own but `told` with a state is as old as the leaving that it
    /// is about, and weighs more than a return of the same time: whoever has not heard of the leaving tells it as a return.
    mutating func handle(_ intent: LeaveIntent, told: Bool = false, at now: Instant) -> Bool {
        guard clock.isReachable(intent.ltime) else { return refuse("leave intent of", intent.node, intent.ltime) }
        clock.witness(intent.ltime)
        guard let place = members.place(intent.node) else { return buffer(intent.node, isLeave: true, intent.ltime, at: now) }
        let known = members[place].statusTime
        if intent.node == config.name, lifecycle == .alive, intent.ltime >= known, !planted(.leaveNotRefuted) {
            refute(at: now)
            return false
        }
        guard intent.ltime > known || told && intent.ltime == known || planted(.oldLeaveIntentCounts) else { return false }
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
            members.setReturned(false, at: place)
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
        broadcast(intent.message(), on: \.intents, at: now)
        armSnapshot(at: now)
    }

    /// Others believe that we leave, or have left. What they tell of it may be later by one than what we have seen of it.
    private mutating func refute(at now: Instant) {
        log(.debug, "Refuting an older leave intent")
        clock.increment()
        broadcastJoin(at: now)
    }

    /// What a state says of our own return. A time that we never gave comes from a leaving that somebody else holds against us.
    mutating func heardOfOurReturn(_ time: UInt64, at now: Instant) {
        guard clock.isReachable(time) else { return }
        clock.witness(time)
        guard lifecycle == .alive, time > members[config.name]?.statusTime ?? .max else { return }
        refute(at: now)
    }

    private mutating func buffer(_ name: String, isLeave: Bool, _ time: UInt64, at now: Instant) -> Bool {
        guard !planted(.bufferedIntentLost), intents.add(name, isLeave: isLeave, time: time, at: now) else { return false }
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
