/// Messages that are passed on by gossip, each a limited number of times (gossip §5): the least sent first, of those the longest, of
/// those the newest. Memberlist has one, Serf three.
///
/// Adding and taking cost O(log n) comparisons and moving the references behind the place.
public struct BroadcastQueue: Sendable {
    private struct Entry: Sendable {
        let message: [UInt8]
        let id: UInt64
        let name: String?
        let token: UInt64

        /// The longest first, then the newest.
        func precedes(_ length: Int, _ id: UInt64) -> Bool { message.count != length ? message.count > length : self.id > id }
    }

    private struct Place {
        var tier: Int
        var length: Int
        var id: UInt64
    }

    private let retransmitMult: Int
    /// By how often they were sent; each tier in the order of `Entry.precedes`.
    private var tiers: [[Entry]] = []
    private var places = LookupTable<String, Place>()
    private var nextID: UInt64 = 0
    public private(set) var count = 0
    /// The tokens of entries that were sent often enough, replaced or pruned since `takeFinished`.
    private var finished: [UInt64] = []

    public init(retransmitMult: Int) { self.retransmitMult = retransmitMult }

    public var isEmpty: Bool { count == 0 }

    /// An entry of the same name is replaced. A token other than 0 comes out of `takeFinished` when the entry is done with.
    public mutating func enqueue(_ message: [UInt8], name: String? = nil, token: UInt64 = 0) {
        if let name, let place = places.removeValue(forKey: name) { finish(remove(place)) }
        nextID += 1
        insert(Entry(message: message, id: nextID, name: name, token: token), tier: 0)
    }

    /// Takes messages whose lengths, each with `overhead` added, come to `limit` at most. `nodes`: how many there are in the pool.
    public mutating func drain(overhead: Int, limit: Int, nodes: Int, to messages: inout [[UInt8]]) {
        guard count > 0 else { return }
        let transmitLimit = GossipMath.retransmitLimit(mult: retransmitMult, nodes: nodes)
        var free = limit - overhead
        var tier = 0
        var sent: [(entry: Entry, tier: Int)] = []
        while tier < tiers.count, free > 0 {
            // The first entry that is short enough.
            let at = position(in: tier, length: free, id: .max)
            guard at < tiers[tier].count else {
                tier += 1
                continue
            }
            let entry = tiers[tier].remove(at: at)
            count -= 1
            messages.append(entry.message)
            free -= overhead + entry.message.count
            if tier + 1 >= transmitLimit {
                if let name = entry.name { places.removeValue(forKey: name) }
                finish(entry)
            } else {
                sent.append((entry, tier + 1))
            }
        }
        for (entry, tier) in sent { insert(entry, tier: tier) }
        trim()
    }

    /// Drops what would be sent last, until at most `maximum` are left.
    public mutating func prune(to maximum: Int) {
        while count > max(0, maximum), let tier = tiers.lastIndex(where: { !$0.isEmpty }) {
            let entry = tiers[tier].removeLast()
            count -= 1
            if let name = entry.name { places.removeValue(forKey: name) }
            finish(entry)
        }
        trim()
    }

    /// The tokens of the entries that are done with since the last call.
    public mutating func takeFinished() -> [UInt64] {
        if finished.isEmpty { return [] }
        let tokens = finished
        finished = []
        return tokens
    }

    private mutating func finish(_ entry: Entry) {
        if entry.token != 0 { finished.append(entry.token) }
    }

    private func position(in tier: Int, length: Int, id: UInt64) -> Int {
        var low = 0, high = tiers[tier].count
        while low < high {
            let middle = (low + high) / 2
            if tiers[tier][middle].precedes(length, id) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func insert(_ entry: Entry, tier: Int) {
        while tiers.count <= tier { tiers.append([]) }
        tiers[tier].insert(entry, at: position(in: tier, length: entry.message.count, id: entry.id))
        count += 1
        if let name = entry.name { places[name] = Place(tier: tier, length: entry.message.count, id: entry.id) }
    }

    private mutating func remove(_ place: Place) -> Entry {
        let entry = tiers[place.tier].remove(at: position(in: place.tier, length: place.length, id: place.id))
        precondition(entry.id == place.id, "the broadcast queue knows where its entries are")
        count -= 1
        return entry
    }

    /// An empty queue holds no memory: most are empty most of the time.
    private mutating func trim() {
        if count == 0 { tiers = [] }
    }
}
