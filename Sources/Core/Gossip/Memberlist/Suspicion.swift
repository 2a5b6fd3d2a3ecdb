/// A node under suspicion (Lifeguard §IV-B, gossip §8.6). It lasts long at first; every further accuser, up to `needed`, makes it
/// shorter, on a logarithmic scale.
struct Suspicion {
    let start: Instant
    private let least: Duration
    private let longest: Duration
    let needed: Int
    private(set) var confirmations = 0
    /// The first accuser and those who confirmed; few.
    private var accusers: [String]

    init(from accuser: String, needed: Int, least: Duration, longest: Duration, at now: Instant) {
        start = now
        self.least = least
        self.longest = longest
        self.needed = needed
        accusers = [accuser]
    }

    /// When the node is to be declared dead; may be past.
    var deadline: Instant {
        guard needed > 0 else { return start + least }
        guard confirmations > 0, !planted(.confirmationsIgnored) else { return start + longest }
        return start + GossipMath.suspicionTimeout(confirmations: confirmations, of: needed, least: least, longest: longest)
    }

    /// False where that adds nothing: an accuser already counted, or enough of them.
    mutating func confirm(_ accuser: String) -> Bool {
        guard confirmations < needed, !accusers.contains(accuser) || planted(.confirmedByOne) else { return false }
        confirmations += 1
        accusers.append(accuser)
        return true
    }
}

/// The nodes under suspicion, by slot, and when each is to be declared dead.
struct SuspicionTable {
    private var suspicions = LookupTable<Int, Suspicion>()
    private var deadlines = DeadlineQueue<Int>()

    /// The first deadline of all.
    var deadline: Instant? { deadlines.first }

    func contains(_ slot: Int) -> Bool { suspicions[slot] != nil }

    mutating func add(_ suspicion: Suspicion, of slot: Int) {
        suspicions[slot] = suspicion
        if !planted(.suspicionForEver) { deadlines[slot] = suspicion.deadline }
    }

    /// Another accuser: false where that adds nothing. The deadline comes nearer, but not before `earliest`.
    mutating func confirm(_ slot: Int, by accuser: String, notBefore earliest: Instant) -> Bool {
        guard let before = deadlines[slot], suspicions[slot]?.confirm(accuser) == true else { return false }
        deadlines[slot] = suspicions[slot].map { min(before, max($0.deadline, earliest)) }
        return true
    }

    /// The suspicion that ends; nil if there is none.
    @discardableResult
    mutating func remove(_ slot: Int) -> Suspicion? {
        guard let suspicion = suspicions.removeValue(forKey: slot) else { return nil }
        deadlines[slot] = nil
        return suspicion
    }

    /// The next node whose deadline has come, with its suspicion, which is over.
    mutating func popExpired(at now: Instant) -> (slot: Int, suspicion: Suspicion)? {
        guard let slot = deadlines.popExpired(at: now) else { return nil }
        guard let suspicion = suspicions.removeValue(forKey: slot) else { preconditionFailure("a deadline belongs to a suspicion") }
        return (slot, suspicion)
    }
}
