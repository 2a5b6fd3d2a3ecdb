// What was seen lately, so that nothing is delivered twice (gossip §12.6, §13.2): as many Lamport times back as there are slots.

/// The latest user events; also what joining members are told.
struct RecentEvents {
    /// Empty until the first event: most simulated agents never see one.
    private(set) var slots: [PushPullState.EventSlot?] = []
    let size: Int
    /// Of all events.
    private(set) var byteCount = 0
    /// What is older was forgotten for want of room.
    private(set) var timeMin: UInt64 = 0

    init(size: Int) { self.size = size }

    private static func cost(_ event: PushPullState.Event) -> Int {
        event.name.utf8.count + (event.payload?.count ?? 0) + SerfLimits.eventOverhead
    }

    /// False for an event that is known, or that there is no room for. Its time must not lie further back than there are slots.
    mutating func insert(_ event: PushPullState.Event, at time: UInt64) -> Bool {
        if slots.isEmpty { slots = Array(repeating: nil, count: size) }
        let at = Int(time % UInt64(size))
        if slots[at]?.ltime != time {
            clear(at)
            slots[at] = PushPullState.EventSlot(ltime: time, events: [])
        }
        let isKnown =
            slots[at]?.events.contains {
                planted(.eventOfSameTimeLost) || $0.name == event.name && ($0.payload ?? []) == (event.payload ?? [])
            } ?? false
        if isKnown && !planted(.eventTwice) || slots[at]?.events.count ?? 0 >= SerfLimits.eventsPerTimeMax { return false }
        let cost = Self.cost(event)
        while byteCount + cost > SerfLimits.recentEventsSizeMax {
            guard forgetOldest(before: time) else { return false }
        }
        byteCount += cost
        slots[at]?.events.append(event)
        return true
    }

    private mutating func clear(_ at: Int) {
        for event in slots[at]?.events ?? [] { byteCount -= Self.cost(event) }
        slots[at] = nil
    }

    /// False if there is nothing older.
    private mutating func forgetOldest(before time: UInt64) -> Bool {
        var oldest: (at: Int, time: UInt64)?
        for (at, slot) in slots.enumerated() {
            if let slot, slot.ltime < oldest?.time ?? time { oldest = (at, slot.ltime) }
        }
        guard let oldest else { return false }
        clear(oldest.at)
        timeMin = max(timeMin, oldest.time + 1)
        return true
    }

    /// As in a push/pull, where every slot is told of.
    var wire: [PushPullState.EventSlot?] { slots.isEmpty ? Array(repeating: nil, count: size) : slots }
}

/// The ids of the latest queries.
struct RecentQueries {
    private var slots: [(time: UInt64, ids: [UInt32])?] = []
    let size: Int

    init(size: Int) { self.size = size }

    /// False for a query that is known, or one too many of its time.
    mutating func insert(_ id: UInt32, at time: UInt64) -> Bool {
        if slots.isEmpty { slots = Array(repeating: nil, count: size) }
        let at = Int(time % UInt64(size))
        guard slots[at]?.time == time else {
            slots[at] = (time, [id])
            return true
        }
        let isFull = slots[at]?.ids.count ?? 0 >= SerfLimits.queriesPerTimeMax
        if isFull || slots[at]?.ids.contains(id) ?? false { return false }
        slots[at]?.ids.append(id)
        return true
    }
}
