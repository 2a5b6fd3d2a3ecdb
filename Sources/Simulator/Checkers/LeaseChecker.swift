import Core

/// Whether a lease was outlived: while a server may answer default reads from its own state, nothing can be committed in a newer term
/// (dissertation §6.4.1). Looks at the servers whenever a leader commits something, so that no client has to read in the instant.
struct LeaseChecker {
    /// A server that takes itself for the leader.
    struct Claim {
        var server: String
        var term: UInt64
        /// Until when it answers, by its own clock, and what that shows.
        var until: Instant
        var now: Instant
    }

    private(set) var looks = 0

    /// `leader` has just committed an entry in `term`.
    mutating func committed(_ leader: String, in term: UInt64, others: some Sequence<Claim>) throws(Violation) {
        looks += 1
        for other in others where other.term < term && other.now < other.until {
            throw Violation(
                rule: "no lease is outlived",
                text: "\(leader) commits in term \(term), while \(other.server) may answer reads by its lease of term \(other.term) "
                    + "for \((other.until - other.now).brief)")
        }
    }
}
