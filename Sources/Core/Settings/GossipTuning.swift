/// The timing of a gossip pool that users may set: the blocks `gossip_lan` and `gossip_wan`. Spec: config §15, gossip §10.
public struct GossipTuning: Hashable, Sendable {
    /// How many members a tick of gossip goes to.
    public var gossipNodes = 3
    public var gossipInterval: Duration = .milliseconds(200)
    public var probeInterval: Duration = .seconds(1)
    public var probeTimeout: Duration = .milliseconds(500)
    public var retransmitMult = 4
    public var suspicionMult = 4

    public init(
        gossipInterval: Duration = .milliseconds(200), probeInterval: Duration = .seconds(1), probeTimeout: Duration = .milliseconds(500),
        suspicionMult: Int = 4
    ) {
        self.gossipInterval = gossipInterval
        self.probeInterval = probeInterval
        self.probeTimeout = probeTimeout
        self.suspicionMult = suspicionMult
    }

    public static let lan = GossipTuning()
    public static let wan = GossipTuning(
        gossipInterval: .milliseconds(500), probeInterval: .seconds(5), probeTimeout: .seconds(3), suspicionMult: 6)
}
