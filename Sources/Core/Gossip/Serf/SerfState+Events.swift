// User events (gossip §12.6).
//
// A member that joins without wanting old events passes over those that a state tells it of: they were fired before. The reference also
// drops what is gossiped with a time before the join, but such an event can be new: its sender may have missed an earlier event (the one
// of a new cluster's first leader, say), so that its clock is behind. Here it is delivered, unless the state at the join told of it.

extension SerfState {
    /// Whether the message is to be passed on. `isTold`: another member's state tells of it; nobody has just fired it.
    mutating func handle(_ event: UserEventMessage, isTold: Bool = false, at now: Instant) -> Bool {
        guard events.clock.isReachable(event.ltime) else { return refuse("event", event.name, event.ltime) }
        if event.name.utf8.count + (event.payload?.count ?? 0) > SerfLimits.eventSizeMax { return false }
        if !planted(.eventClockNotIncremented) { events.clock.witness(event.ltime) }
        guard event.ltime >= events.timeMin else { return false }
        let current = events.clock.time
        if isTooOld(event.ltime, current, config.eventBuffer) {
            log(.warn, "received old event \(event.name) from time \(event.ltime) (current: \(current))")
            return false
        }
        guard events.recent.insert(PushPullState.Event(name: event.name, payload: event.payload), at: event.ltime) else { return false }
        // What is forgotten for want of room is not delivered a second time.
        events.timeMin = max(events.timeMin, events.recent.timeMin)
        if isTold, event.ltime < events.joinTime { return false }
        counters.events += 1
        output.append(
            .userEvent(UserEvent(ltime: event.ltime, name: event.name, payload: event.payload ?? [], coalesce: event.coalesce)))
        snapshot?.recordEvent(event.ltime)
        armSnapshot(at: now)
        return true
    }

    /// A message of a time that no pool can have come to: it is logged, and not passed on.
    mutating func refuse(_ what: StaticString, _ name: String, _ time: UInt64) -> Bool {
        log(.warn, "received \(what) \(name) of a time that is out of reach: \(time)")
        return false
    }

    /// Whether what was seen at a time is forgotten already.
    func isTooOld(_ time: UInt64, _ current: UInt64, _ buffer: Int) -> Bool {
        current > UInt64(buffer) && time < current - UInt64(buffer)
    }

    /// Throws the reference's text for events that are too large.
    mutating func send(event name: String, payload: [UInt8], coalesce: Bool, at now: Instant) throws(TextError) {
        let limit = config.userEventSizeLimit
        if name.utf8.count + payload.count > limit {
            throw TextError("user event exceeds configured limit of \(limit) bytes before encoding")
        }
        let event = UserEventMessage(ltime: events.clock.time, name: name, payload: payload, coalesce: coalesce)
        let message = event.message()
        if message.count > limit { throw TextError("encoded user event exceeds configured limit of \(limit) bytes after encoding") }
        if !planted(.eventClockNotIncremented) { events.clock.increment() }
        _ = handle(event, at: now)
        broadcast(message, on: \.events, at: now)
    }
}
