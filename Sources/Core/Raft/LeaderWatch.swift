/// How a node that does not lead watches over its leader: when it stands for election itself, and what probes of a silent leader have shown.
struct LeaderWatch {
    /// When this node stands for election, unless a leader is heard before.
    var electionDeadline: Instant
    /// Until then no votes are granted: this node may have confirmed a lease before it was restarted.
    let votesBlockedUntil: Instant
    /// When to probe a silent leader, how often that was done since it was heard, and whether nobody was there.
    private(set) var probeAt: Instant?
    private var probes = 0
    private(set) var isLost = false
    /// Where the leader's entries came from last: its host may have several addresses.
    var source: Address = ""

    /// Further probes say nothing that these have not said.
    static let probesMax = 3

    init(electionDeadline: Instant, votesBlockedUntil: Instant) {
        self.electionDeadline = electionDeadline
        self.votesBlockedUntil = votesBlockedUntil
    }

    /// The leader was heard; silent until `probeAt`, it is probed.
    mutating func heard(probeAt: Instant) {
        self.probeAt = probeAt
        probes = 0
        isLost = false
    }

    /// A probe goes out, or cannot.
    mutating func beginProbe(isSent: Bool) {
        probeAt = nil
        if isSent { probes += 1 }
    }

    /// A probe has failed in a way that tells nothing: the next one goes out at `instant`, unless there were enough.
    mutating func probeAgain(at instant: Instant) {
        if probes < Self.probesMax { probeAt = instant }
    }

    /// Nobody is there: the election comes at `deadline`, if it does not come before.
    mutating func lost(electionBy deadline: Instant) {
        isLost = true
        electionDeadline = min(electionDeadline, deadline)
    }
}
