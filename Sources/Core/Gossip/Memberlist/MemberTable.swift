/// The nodes that a memberlist knows, this one among them, and the order in which they are probed (gossip §8, §9).
///
/// An entry is 64 bytes and its share of the index: a simulation holds a million of them.
struct MemberTable {
    /// More nodes than any pool has.
    static let limit = 1 << 17
    /// Longer names and metadata than any node has; they come from others.
    static let nameLimit = 1_024
    static let metaLimit = 16 << 10

    struct Entry {
        var name: String
        var address: NodeAddress
        fileprivate(set) var state: NodeState
        var incarnation: UInt32
        var versions: MemberVersions
        var meta: [UInt8]
        /// Since when the node is in its state.
        fileprivate(set) var changed: Instant

        var node: MemberlistNode {
            MemberlistNode(name: name, address: address, meta: meta, versions: versions, state: state, incarnation: incarnation)
        }
    }

    /// By slot. A slot is a node's as long as it is known.
    private var entries: [Entry] = []
    private var free: [Int32] = []
    private var slots = LookupTable<String, Int32>()
    /// The slots in the order of probing.
    private var order: [Int32] = []
    private(set) var aliveCount = 0
    private(set) var suspectCount = 0
    private(set) var deadCount = 0

    /// All, in any state.
    var count: Int { order.count }
    /// Alive or suspected.
    var activeCount: Int { aliveCount + suspectCount }

    func slot(_ name: String) -> Int? { slots[name].map { Int($0) } }

    /// The slot at a place of the order.
    func slot(at place: Int) -> Int { Int(order[place]) }

    subscript(slot: Int) -> Entry {
        get { entries[slot] }
        _modify { yield &entries[slot] }
    }

    /// A node not known before goes to a random place of the order. It starts as dead.
    mutating func insert(_ name: String, address: NodeAddress, at now: Instant, _ random: inout Random) -> Int {
        let entry = Entry(name: name, address: address, state: .dead, incarnation: 0, versions: MemberVersions(), meta: [], changed: now)
        let slot: Int32
        if let unused = free.popLast() {
            slot = unused
            entries[Int(slot)] = entry
        } else {
            slot = Int32(entries.count)
            entries.append(entry)
        }
        slots[name] = slot
        let place = Int.random(in: 0...order.count, using: &random)
        order.append(slot)
        order.swapAt(place, order.count - 1)
        deadCount += 1
        return Int(slot)
    }

    mutating func set(_ slot: Int, _ state: NodeState, at now: Instant) {
        count(entries[slot].state, -1)
        count(state, 1)
        entries[slot].state = state
        entries[slot].changed = now
    }

    private mutating func count(_ state: NodeState, _ delta: Int) {
        switch state {
        case .alive: aliveCount += delta
        case .suspect: suspectCount += delta
        case .dead: deadCount += delta
        case .left: break
        }
    }

    /// Forgets the nodes that died before `limit`, but never `own`, and shuffles the others; O(n), once per round of probes.
    mutating func beginRound(forgettingDeadBefore limit: Instant, own: Int?, _ random: inout Random) {
        if deadCount > 0 {
            order.removeAll { slot in
                let entry = entries[Int(slot)]
                guard entry.state == .dead, entry.changed < limit || planted(.deadNotForgotten), slot != own.map({ Int32($0) }) else {
                    return false
                }
                slots.removeValue(forKey: entry.name)
                entries[Int(slot)].name = ""
                entries[Int(slot)].meta = []
                free.append(slot)
                deadCount -= 1
                return true
            }
        }
        order.shuffle(using: &random)
    }

    /// Up to `k` different nodes, by at most 3n draws (gossip §9.3).
    func choose(_ k: Int, _ random: inout Random, where isWanted: (Int, Entry) -> Bool) -> [Int] {
        var chosen: [Int] = []
        guard k > 0, count > 0 else { return chosen }
        var draws = 3 * count
        while draws > 0, chosen.count < k {
            draws -= 1
            let slot = Int(order[Int.random(in: 0..<order.count, using: &random)])
            if isWanted(slot, entries[slot]), !chosen.contains(slot) { chosen.append(slot) }
        }
        return chosen
    }

    /// Every slot, in the order of probing.
    var allSlots: some Sequence<Int> { order.lazy.map { Int($0) } }
}
