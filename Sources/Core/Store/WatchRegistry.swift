/// Who waits for which topics. Finds exactly the watchers of a change, in time proportional to those found.
///
/// A watcher is woken once and is gone then; whoever still has to wait registers again.
public struct WatchRegistry<ID: Hashable & Sendable>: Sendable {
    private struct Watcher {
        /// Order of registration: the order of waking.
        var order: UInt64
        var topics: [WatchTopic]
        /// Where this watcher stands among the watchers of each of its topics.
        var positions: [Int]
        /// Where it stands in `ids`.
        var slot: Int
    }

    private var watchers = LookupTable<ID, Watcher>()
    /// Everybody, in no particular order.
    private var ids: [ID] = []
    /// The watchers of each topic, and which of their topics it is; in no particular order.
    private var members = LookupTable<WatchTopic, [(id: ID, topic: Int)]>()
    /// How many topics are prefixes of each length, so that a key finds the prefixes that match it.
    private var prefixLengths = SortedMap<Int, Int>()
    private var nextOrder: UInt64 = 0

    public init() {}

    public var count: Int { watchers.count }
    public var isEmpty: Bool { watchers.isEmpty && members.isEmpty && prefixLengths.isEmpty }

    public func contains(_ id: ID) -> Bool { watchers.contains(id) }

    /// Starts waiting; an earlier registration of the same id ends. O(topics).
    public mutating func register(_ id: ID, _ topics: [WatchTopic]) {
        cancel(id)
        var watcher = Watcher(order: nextOrder, topics: [], positions: [], slot: ids.count)
        nextOrder += 1
        watcher.topics.reserveCapacity(topics.count)
        watcher.positions.reserveCapacity(topics.count)
        for topic in topics where !watcher.topics.contains(topic) {
            let member = (id, watcher.topics.count)
            if members[topic] == nil, case .kvPrefix(let prefix) = topic {
                prefixLengths[prefix.count] = (prefixLengths[prefix.count] ?? 0) + 1
            }
            members[topic, default: []].append(member)
            watcher.positions.append(members[topic]!.count - 1)
            watcher.topics.append(topic)
        }
        watchers[id] = watcher
        ids.append(id)
    }

    /// Ends a registration, if there is one. O(its topics).
    public mutating func cancel(_ id: ID) {
        guard let watcher = watchers.removeValue(forKey: id) else { return }
        let lastID = ids.removeLast()
        if watcher.slot < ids.count {
            ids[watcher.slot] = lastID
            watchers[lastID]!.slot = watcher.slot
        }
        for (topic, position) in zip(watcher.topics, watcher.positions) {
            let last = members[topic]!.count - 1
            if position < last {
                let moved = members[topic]![last]
                members[topic]![position] = moved
                if !planted(.cancelMisplacesLast) { watchers[moved.id]!.positions[moved.topic] = position }
            }
            members[topic]!.removeLast()
            if last == 0 { remove(topic) }
        }
    }

    private mutating func remove(_ topic: WatchTopic) {
        members.removeValue(forKey: topic)
        guard case .kvPrefix(let prefix) = topic else { return }
        let left = prefixLengths[prefix.count]! - 1
        prefixLengths[prefix.count] = left == 0 || planted(.prefixForgotten) ? nil : left
    }

    /// The watchers of what changed, in the order of their registration. They are registered no longer.
    public mutating func wake(_ changes: ChangeSet) -> [ID] {
        if watchers.isEmpty { return [] }
        var woken: [(order: UInt64, id: ID)] = []
        for topic in changes.topics {
            wake(topic, &woken)
            guard case .kvKey(let key) = topic else { continue }
            // A copy, since prefixes leave the map when their last watcher is woken.
            let lengths = prefixLengths
            for (length, _) in lengths where !planted(.prefixesNotWoken) || length + 1 >= key.count {
                guard length <= key.count else { break }
                wake(.kvPrefix(length == key.count ? key : ByteString(Array(key.bytes[..<length]))), &woken)
            }
        }
        woken.sort { $0.order < $1.order }
        return woken.map(\.id)
    }

    private mutating func wake(_ topic: WatchTopic, _ woken: inout [(order: UInt64, id: ID)]) {
        guard let found = members[topic] else { return }
        for (id, _) in planted(.oneWatcherWoken) ? Array(found.prefix(1)) : found {
            woken.append((watchers[id]!.order, id))
            cancel(id)
        }
    }
}
