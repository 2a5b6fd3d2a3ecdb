/// What readers outside the core loop answer from: the applied state and what may be said about it.
///
/// A new one is published after each applied batch and when leadership changes, before anybody is told of the change.
public final class PublishedState: Sendable {
    public let store: Store
    /// This server leads and has finished establishing its leadership.
    public let isLeader: Bool
    /// Until when default reads may be answered here without asking anybody; `distantFuture` for the only voter.
    public let leaseExpiry: Instant
    /// The only voter needs no round trip to verify its leadership.
    public let isSoleVoter: Bool
    /// Whether a leader is known at all, and when it was last heard from (nil: never).
    public let knowsLeader: Bool
    public let lastLeaderContact: Instant?
    /// What the agent asks of its servers is limited, and the core counts it: nothing is answered from here.
    public let limitsCalls: Bool

    public init(
        store: Store, isLeader: Bool, leaseExpiry: Instant, isSoleVoter: Bool, knowsLeader: Bool, lastLeaderContact: Instant?,
        limitsCalls: Bool = false
    ) {
        self.store = store
        self.isLeader = isLeader
        self.leaseExpiry = leaseExpiry
        self.isSoleVoter = isSoleVoter
        self.knowsLeader = knowsLeader
        self.lastLeaderContact = lastLeaderContact
        self.limitsCalls = limitsCalls
    }
}
