/// Blocking queries that wait for a change (behaviour §2).
///
/// Waiters with the same question form a group: the store is watched once for all of them, and a change evaluates and
/// renders the question once. Everything a waiter took is given back when it is answered or cancelled.
struct BlockedQueries {
    /// What makes two questions the same. The index and the time a client is ready to wait are its own.
    struct Question: Hashable {
        var query: ReadQuery
        var nodeMetaFilters: StringMap
        /// From which results are sorted by distance.
        var sourceNode: String = ""
        var consistent: Bool
        /// Who sees the same is answered with the same.
        var view: Authorizer.View
    }

    struct Waiter {
        var requester: Requester
        var options: QueryOptions
        var context: RequestContext
    }

    struct Group {
        var question: Question
        var waiters = PersistentMap<UInt64, Waiter>()
    }

    /// Where a requester waits.
    private struct Place {
        var group: UInt64
        var waiter: UInt64
    }

    private var groups = PersistentMap<UInt64, Group>()
    private var groupOf = LookupTable<Question, UInt64>()
    private var places = LookupTable<Requester, Place>()
    private var requesters = LookupTable<UInt64, Requester>()
    private var deadlines = DeadlineQueue<UInt64>()
    private var registry = WatchRegistry<UInt64>()
    private var nextID: UInt64 = 1

    var count: Int { places.count }
    var deadline: Instant? { deadlines.first }
    /// Whether nothing at all is held: no waiter, group, watch or timer.
    var isEmpty: Bool { places.count == 0 && groups.isEmpty && groupOf.isEmpty && deadlines.isEmpty && registry.isEmpty }

    /// Lets `requester` wait until something under `topics` changes or `deadline` comes.
    mutating func block(
        _ requester: Requester, _ question: Question, options: QueryOptions, context: RequestContext, topics: [WatchTopic],
        until deadline: Instant
    ) {
        let group = (planted(.groupForgetsOthers) ? nil : groupOf[question]) ?? open(question)
        // Topics follow the latest evaluation: what an answer depends on changes with the state.
        registry.register(group, topics)
        let waiter = nextID
        nextID += 1
        groups.modify(group) { $0.waiters[waiter] = Waiter(requester: requester, options: options, context: context) }
        places[requester] = Place(group: group, waiter: waiter)
        requesters[waiter] = requester
        deadlines[waiter] = deadline
    }

    private mutating func open(_ question: Question) -> UInt64 {
        let id = nextID
        nextID += 1
        groups[id] = Group(question: question)
        groupOf[question] = id
        return id
    }

    /// Forgets a waiter that is answered or went away. Returns what it waited for, nil when it was not waiting.
    @discardableResult
    mutating func remove(_ requester: Requester) -> (Question, Waiter)? {
        guard let place = places.removeValue(forKey: requester) else { return nil }
        let group = place.group, waiter = place.waiter
        requesters.removeValue(forKey: waiter)
        deadlines[waiter] = nil
        guard let left = groups.modify(group, { ($0.question, $0.waiters.removeValue(forKey: waiter), $0.waiters.isEmpty) }) else {
            return nil
        }
        let (question, value, isLast) = left
        if planted(.lastWaiterEndsAll) { registry.cancel(group) }
        if isLast {
            registry.cancel(group)
            groups.removeValue(forKey: group)
            groupOf.removeValue(forKey: question)
        }
        return value.map { (question, $0) }
    }

    /// The next waiter whose time is over, which stays until it is removed.
    func expired(at now: Instant) -> Requester? {
        guard let first = deadlines.firstID, let deadline = deadlines.first, deadline <= now else { return nil }
        return requesters[first]
    }

    func deadline(of requester: Requester) -> Instant? { places[requester].flatMap { deadlines[$0.waiter] } }

    /// The groups that a change concerns. They watch nothing until `watch` or `block` says so again.
    mutating func woken(by changes: ChangeSet) -> [UInt64] { registry.wake(changes) }

    /// Every group: after the whole state was replaced.
    func allGroups() -> [UInt64] { groups.map(\.key) }

    func group(_ id: UInt64) -> Group? { groups[id] }

    /// Replaces what a group watches, after it was evaluated anew.
    mutating func watch(_ group: UInt64, _ topics: [WatchTopic]) {
        guard groups.contains(group) else { return }
        registry.register(group, topics)
    }
}
