/// Work that waits for a leader, or for another attempt.
struct WaitingWork {
    var requester: Requester
    var work: ServerWork
    var context: RequestContext
    /// From when on it is not tried any more.
    var giveUpAt: Instant
    /// What it is answered with then.
    var error: ServerError
}

/// Owns work that waits, in the order in which it came, each piece with a deadline. Bounded in number and memory: callers without a leader
/// send more all the time. What was asked for can be taken back.
struct WaitingQueue {
    private struct Item {
        var work: WaitingWork
        var weight: Int
    }

    private var items = PersistentMap<UInt64, Item>()
    private var deadlines = DeadlineQueue<UInt64>()
    private var places = LookupTable<Requester, UInt64>()
    private var nextID: UInt64 = 1
    /// About how many bytes the work takes.
    private(set) var weight = 0

    static let countMax = 16_384
    static let weightMax = 64 << 20

    var count: Int { items.count }
    var deadline: Instant? { deadlines.first }

    /// Returns false, and keeps nothing, when there is no room.
    mutating func add(_ work: WaitingWork, until deadline: Instant) -> Bool {
        guard items.count < Self.countMax else { return false }
        let added = work.work.weight
        guard weight + added <= Self.weightMax else { return false }
        weight += added
        items[nextID] = Item(work: work, weight: added)
        deadlines[nextID] = deadline
        places[work.requester] = nextID
        nextID += 1
        return true
    }

    /// The next work whose deadline has come.
    mutating func popDue(at now: Instant) -> WaitingWork? {
        guard let id = deadlines.popExpired(at: now), let item = items.removeValue(forKey: id) else { return nil }
        if places[item.work.requester] == id { places.removeValue(forKey: item.work.requester) }
        weight -= item.weight
        return item.work
    }

    /// Returns whether there was work of that requester.
    mutating func remove(_ requester: Requester) -> Bool {
        guard let id = places.removeValue(forKey: requester), let item = items.removeValue(forKey: id) else { return false }
        deadlines[id] = nil
        weight -= item.weight
        return true
    }

    /// Everything, in the order in which it came.
    mutating func takeAll() -> [WaitingWork] {
        if items.isEmpty { return [] }
        let all = items.map { $0.value.work }
        items.removeAll()
        deadlines.removeAll()
        places.removeAll()
        weight = 0
        return all
    }
}

extension ServerWork {
    /// About how many bytes it takes while it waits. Costs an encoding, which only work without a leader pays.
    fileprivate var weight: Int {
        let base = 1_024
        switch self {
        case .read, .renew: return base
        case .write(let request): return base + 2 * request.logCommand.count
        case .operation(.restoreSnapshot(let archive), _): return base + archive.count
        case .operation(.restore(let state, _), _): return base + state.count
        case .operation(.fireEvent(_, let payload), _): return base + payload.count
        case .operation: return base
        }
    }
}
