// What was seen lately, so that nothing is delivered twice (gossip §12.6, §13.2): as many Lamport times back as there are slots.

/// The latest user events; also what joining members are told.
struct RecentEvents {
    /// Empty until the first event: most simulated agents never see one.
    private(set) var slots: [PushPullState.EventSlot?] = []
    let size: Int

    init(size: Int) { self.size = size }

    /// False for an event that is known. Its time must not lie further back than there are slots.
    mutating func insert(_ event: PushPullState.Event, at time: UInt64) -> Bool {
        if slots.isEmpty { slots = Array(repeating: nil, count: size) }
        let at = Int(time % UInt64(size))
        guard slots[at]?.ltime == time else {
            slots[at] = PushPullState.EventSlot(ltime: time, events: [event])
            return true
        }
        let isKnown = slots[at]?.events.contains { $0.name == event.name && ($0.payload ?? []) == (event.payload ?? []) } ?? false
        if !isKnown { slots[at]?.events.append(event) }
        return !isKnown
    }

    /// As in a push/pull, where every slot is told of.
    var wire: [PushPullState.EventSlot?] { slots.isEmpty ? Array(repeating: nil, count: size) : slots }
}

/// The ids of the latest queries.
struct RecentQueries {
    private var slots: [(time: UInt64, ids: [UInt32])?] = []
    let size: Int

    init(size: Int) { self.size = size }

    /// False for a query that is known.
    mutating func insert(_ id: UInt32, at time: UInt64) -> Bool {
        if slots.isEmpty { slots = Array(repeating: nil, count: size) }
        let at = Int(time % UInt64(size))
        guard slots[at]?.time == time else {
            slots[at] = (time, [id])
            return true
        }
        if slots[at]?.ids.contains(id) ?? false { return false }
        slots[at]?.ids.append(id)
        return true
    }
}
