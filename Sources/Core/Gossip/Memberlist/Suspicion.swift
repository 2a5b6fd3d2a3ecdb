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
        guard confirmations > 0 else { return start + longest }
        return start + GossipMath.suspicionTimeout(confirmations: confirmations, of: needed, least: least, longest: longest)
    }

    /// False where that adds nothing: an accuser already counted, or enough of them.
    mutating func confirm(_ accuser: String) -> Bool {
        guard confirmations < needed, !accusers.contains(accuser) else { return false }
        confirmations += 1
        accusers.append(accuser)
        return true
    }
}
