/// The server's side of consensus. Owns the Raft node, what it wants to have done, the proposals that are collected in a batch of events, and
/// why it was asked for something, by the token of the question.
struct ConsensusPort {
    let raft: RaftNode
    private var effects: [RaftEffect] = []
    /// Kept for its memory.
    private var spare: [RaftEffect] = []
    private var isPerforming = false
    private var proposals: [Proposal] = []
    private var purposes = LookupTable<UInt64, ConsensusPurpose>()
    /// Changes of the Raft configuration that the leader has asked for on its own behalf.
    private var changesUnderWay = LookupSet<MembershipChange>()
    private var nextToken: UInt64 = 1

    init(_ raft: RaftNode) { self.raft = raft }

    // MARK: Tokens

    mutating func makeToken() -> UInt64 {
        defer { nextToken += 1 }
        return nextToken
    }

    /// A token whose answer is for that purpose.
    mutating func makeToken(for purpose: ConsensusPurpose) -> UInt64 {
        let token = makeToken()
        purposes[token] = purpose
        return token
    }

    /// A token for a change on the leader's own behalf; nil while the same change is under way.
    mutating func makeToken(for change: MembershipChange, failure: String) -> UInt64? {
        guard changesUnderWay.insert(change) else { return nil }
        return makeToken(for: .membership(change, failure))
    }

    func purpose(of token: UInt64) -> ConsensusPurpose? { purposes[token] }

    /// The question is answered.
    mutating func takePurpose(of token: UInt64) -> ConsensusPurpose? {
        let purpose = purposes.removeValue(forKey: token)
        if case .membership(let change, _)? = purpose { changesUnderWay.remove(change) }
        return purpose
    }

    // MARK: Proposals

    var hasProposals: Bool { !proposals.isEmpty }

    mutating func propose(_ proposal: Proposal) { proposals.append(proposal) }
    mutating func propose(_ parts: [Proposal]) { proposals.append(contentsOf: parts) }

    // MARK: Events and effects

    mutating func handle(_ event: RaftEvent, at now: Instant) { raft.handle(event, at: now, into: &effects) }

    /// The end of a batch of events: what was proposed in it goes to the log together.
    mutating func flushProposals(at now: Instant) {
        let batch = proposals
        proposals = []
        handle(.propose(batch), at: now)
    }

    mutating func flush(at now: Instant) { raft.flush(at: now, into: &effects) }

    /// Whether effects are to be performed by the caller, who calls `endPerforming` after it: those that performing one brings about come after all
    /// that were there before.
    mutating func beginPerforming() -> Bool {
        if isPerforming { return false }
        isPerforming = true
        return true
    }

    /// The effects to perform next, in their order; nil when there are none.
    mutating func takeEffects() -> [RaftEffect]? {
        if effects.isEmpty { return nil }
        let taken = effects
        effects = spare
        spare = []
        return taken
    }

    /// They are performed.
    mutating func giveBack(_ performed: consuming [RaftEffect]) {
        performed.removeAll(keepingCapacity: true)
        spare = performed
    }

    mutating func endPerforming() { isPerforming = false }
}

/// Why consensus was asked to change its configuration or its leader, or whether this server leads.
enum ConsensusPurpose {
    case operation(Requester)
    /// The leader's own; the text begins the message about its failure.
    case membership(MembershipChange, String)
    case restore(Requester)
    /// An archive is made once it is certain that this server leads.
    case saving(Requester)
    /// This server leaves.
    case leaving
    /// Nobody waits for it; the text begins the message about its failure.
    case duty(String)
}
