/// The settings of one Serf (gossip §10), with Consul's values. Over 15 stored variables, under the reference's names.
public struct SerfConfig: Sendable {
    /// Its name is the member's.
    public var memberlist: MemberlistConfig
    public var tags: StringMap
    /// Who may be in the pool.
    public var check = MergeCheck.none

    /// How long a message of ours may take until it was sent often enough.
    public var broadcastTimeout: Duration = .seconds(5)
    /// How long a member that leaves stays to answer probes, so that everybody hears of it.
    public var leavePropagateDelay: Duration = .seconds(3)
    public var reapInterval: Duration = .seconds(15)
    public var reconnectInterval: Duration = .seconds(30)
    /// How long a failed member is remembered, and is tried to be reached.
    public var reconnectTimeout: Duration = .hours(72)
    /// How long a member that left is remembered.
    public var tombstoneTimeout: Duration = .hours(24)
    /// How long what was said of unknown names is remembered.
    public var recentIntentTimeout: Duration = .minutes(5)
    /// A member that comes back this soon after it failed counts as flapping.
    public var flapTimeout: Duration = .seconds(60)
    /// How many Lamport times of events, respectively queries, are remembered.
    public var eventBuffer = 512
    public var queryBuffer = 512
    /// Queries take `gossipInterval × queryTimeoutMult × ceil(log10(n + 1))` unless told otherwise.
    public var queryTimeoutMult = 16
    public var querySizeLimit = 1_024
    public var queryResponseSizeLimit = 1_024
    public var userEventSizeLimit = 512
    public var queueCheckInterval: Duration = .seconds(30)
    public var queueDepthWarning = 1_000_000
    /// A queue keeps the larger of this and twice the number of members.
    public var minQueueDepth = 4_096
    /// Whether the members are asked, when another claims our name, which of us it is. Consul: clients only.
    public var resolvesNameConflicts = false

    /// Where members are remembered, in the data directory; nil: nowhere.
    public var snapshotFile: String?
    /// Whether the members are joined again at the start even if the pool was left before.
    public var rejoinAfterLeave = false
    /// Where changes of keys are written to, in the data directory; nil: nowhere.
    public var keyringFile: String?

    public init(memberlist: MemberlistConfig, tags: StringMap) {
        self.memberlist = memberlist
        self.tags = tags
    }

    public var name: String { memberlist.name }
}
