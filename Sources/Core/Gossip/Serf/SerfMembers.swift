/// A member as Serf keeps it (gossip §12.2). Its tags stay encoded until somebody asks: a simulation holds a million of these.
struct SerfMember {
    let name: String
    var address: NodeAddress
    /// The encoded tags.
    var meta: [UInt8]
    var versions: MemberVersions
    fileprivate(set) var status: MemberStatus
    /// When, on the member clock, the status was last told.
    var statusTime: UInt64 = 0
    /// Said that it is here after it had left: what is left of its leaving is that nobody has reached it yet.
    fileprivate(set) var hasReturned = false
    /// Of those that left or failed.
    var leftAt = Instant.zero

    init(_ node: MemberlistNode, status: MemberStatus) {
        name = node.name
        address = node.address
        meta = node.meta
        versions = node.versions
        self.status = status
    }

    var member: Member { Member(name: name, address: address, meta: meta, versions: versions, status: status) }
}

extension Member {
    init(name: String, address: NodeAddress, meta: [UInt8], versions: MemberVersions, status: MemberStatus) {
        self.init(
            name: name, address: address.bytes, port: address.port, tags: SerfTags.decode(meta), status: status,
            protocolMin: versions.protocolMin, protocolMax: versions.protocolMax, protocolCurrent: versions.protocolCurrent,
            delegateMin: versions.delegateMin, delegateMax: versions.delegateMax, delegateCurrent: versions.delegateCurrent)
    }

    /// As merge checks see a node: all that counts of the state is whether it left.
    init(_ node: MemberlistNode) {
        self.init(
            name: node.name, address: node.address, meta: node.meta, versions: node.versions, status: node.state == .left ? .left : .none)
    }
}

/// All members in any status, by name. Look-ups are O(log n); additions and removals move what is behind them.
struct SerfMembers {
    private var entries: [SerfMember] = []
    /// The decoded members at the same places, once somebody has asked for them.
    private var decoded: [Member]?
    /// By the raw values of statuses.
    private var counts: [Int] = Array(repeating: 0, count: 5)
    /// Those that failed, respectively left, in the order in which they did.
    private(set) var failed: [String] = []
    private(set) var left: [String] = []

    var count: Int { entries.count }
    /// In the order of names.
    var all: [SerfMember] { entries }

    func count(_ status: MemberStatus) -> Int { counts[Int(status.rawValue)] }

    private func lowerBound(_ name: String) -> Int {
        var low = 0, high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].name < name { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The place of a member, valid until the next addition or removal.
    func place(_ name: String) -> Int? {
        let at = lowerBound(name)
        return at < entries.count && entries[at].name == name ? at : nil
    }

    subscript(place: Int) -> SerfMember { entries[place] }
    subscript(name: String) -> SerfMember? { place(name).map { entries[$0] } }

    mutating func insert(_ member: SerfMember) {
        let at = lowerBound(member.name)
        entries.insert(member, at: at)
        decoded?.insert(member.member, at: at)
        counts[Int(member.status.rawValue)] += 1
    }

    mutating func remove(at place: Int) {
        let member = entries.remove(at: place)
        decoded?.remove(at: place)
        counts[Int(member.status.rawValue)] -= 1
        if member.status == .failed { failed.removeAll { $0 == member.name } }
        if member.status == .left { left.removeAll { $0 == member.name } }
    }

    /// Those that left and have not been heard of since.
    var gone: [String] { left.filter { self[$0]?.hasReturned == false } }

    /// Keeps the lists of those that failed and left.
    mutating func setStatus(_ status: MemberStatus, at place: Int) {
        let (old, name) = (entries[place].status, entries[place].name)
        entries[place].hasReturned = false
        guard status != old else { return }
        if old == .failed, !planted(.reapedAlive) { failed.removeAll { $0 == name } }
        if old == .left { left.removeAll { $0 == name } }
        if status == .failed { failed.append(name) }
        if status == .left { left.append(name) }
        counts[Int(old.rawValue)] -= 1
        counts[Int(status.rawValue)] += 1
        entries[place].status = status
        decoded?[place].status = status
    }

    /// Takes over what memberlist says of a node.
    mutating func update(_ node: MemberlistNode, at place: Int) {
        entries[place].address = node.address
        entries[place].meta = node.meta
        entries[place].versions = node.versions
        if decoded != nil { decoded?[place] = entries[place].member }
    }

    mutating func setStatusTime(_ time: UInt64, at place: Int) { entries[place].statusTime = time }
    mutating func setReturned(_ hasReturned: Bool, at place: Int) { entries[place].hasReturned = hasReturned }
    mutating func setLeft(at instant: Instant, at place: Int) { entries[place].leftAt = instant }

    /// With their tags, in the order of names. Decodes each once.
    mutating func decodedAll() -> [Member] {
        if let decoded { return decoded }
        let all = entries.map(\.member)
        decoded = all
        return all
    }

    /// Whether anybody but `own` is alive.
    func hasOthersAlive(besides own: String) -> Bool {
        count(.alive) > (self[own]?.status == .alive ? 1 : 0)
    }

    /// Up to `k` different members, by at most 3n draws (gossip §9.3).
    func choose(_ k: Int, _ random: inout Random, where isWanted: (SerfMember) -> Bool) -> [SerfMember] {
        var places: [Int] = []
        for _ in 0..<3 * count where places.count < k {
            let place = Int.random(in: 0..<count, using: &random)
            if isWanted(entries[place]), !places.contains(place) { places.append(place) }
        }
        return places.map { entries[$0] }
    }
}

/// What was said of names that are no members yet (gossip §12.5): the latest per name, for a while.
struct IntentBuffer {
    struct Intent {
        var isLeave: Bool
        var time: UInt64
        fileprivate var arrived: Instant
    }

    private var intents = SortedMap<String, Intent>()
    private(set) var byteCount = 0

    /// Of the oldest intent.
    var oldest: Instant? { intents.lazy.map(\.value.arrived).min() }
    var isEmpty: Bool { intents.isEmpty }

    private static func cost(_ name: String) -> Int { name.utf8.count + SerfLimits.intentOverhead }

    /// Whether that was news, and there was room for it.
    mutating func add(_ name: String, isLeave: Bool, time: UInt64, at now: Instant) -> Bool {
        if let known = intents[name] {
            if time <= known.time { return false }
        } else {
            let cost = Self.cost(name)
            if byteCount + cost > SerfLimits.intentsSizeMax { return false }
            byteCount += cost
        }
        intents[name] = Intent(isLeave: isLeave, time: time, arrived: now)
        return true
    }

    subscript(name: String) -> Intent? { intents[name] }

    mutating func removeAll(before limit: Instant) {
        if intents.contains(where: { $0.value.arrived < limit }) {
            intents = SortedMap(intents.filter { $0.value.arrived >= limit }.map { ($0.key, $0.value) })
            byteCount = intents.reduce(0) { $0 + Self.cost($1.key) }
        }
    }
}
