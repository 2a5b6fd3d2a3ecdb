import Core

/// A machine that a simulated server can run: the production agent, or a toy that tests the simulator.
protocol SimulatedMachine: AgentMachine {
    associatedtype FrontEnd: RequestFrontEnd
    associatedtype View: RaftView

    /// Starts with what is on the disk; throws if that cannot be recovered.
    init(_ settings: AgentSettings, disk: VirtualDisk, seed: UInt64, now: Instant) throws
    static func frontEnd(_ settings: AgentSettings) -> FrontEnd
    /// What the checkers look at; nil for a machine without consensus.
    var raft: View? { get }
    /// The ids of the voters, if this machine leads and no change of them is under way.
    var settledVoters: [String]? { get }
    /// The members of the gossip pool as this one sees them; nil without gossip.
    var poolMembers: [PoolChecker.Sighting]? { get }
    /// An operator asks this machine to change who votes.
    func change(_ change: MembershipChange, at now: Instant)
}

extension SimulatedMachine {
    var settledVoters: [String]? { nil }
    var poolMembers: [PoolChecker.Sighting]? { nil }
    func change(_ change: MembershipChange, at now: Instant) {}
}

/// What a simulated server is to the cluster.
enum Standing: UInt8 {
    /// Not started yet: it waits to be added.
    case spare
    case member
    /// It is to be taken out, or has been.
    case retiring
}

/// One server of the simulated cluster: its process, which may be down, and its machine: clock, disk, address.
final class Server<Machine: SimulatedMachine> {
    let index: Int
    let name: String
    let identity: ServerIdentity
    var settings: AgentSettings
    var clock: ServerClock
    let disk = VirtualDisk()
    var diskQueue = DiskQueue()

    /// The running process, nil while it is down.
    var machine: Machine?
    var frontEnd: Machine.FrontEnd
    var published: PublishedState?
    var life: UInt32 = 0
    var standing = Standing.member
    /// Whether somebody answers for the machine's address: without it a connection attempt hears nothing at all.
    var hasPower = true
    /// It was told to leave or must not come back.
    var isGone = false
    var isLeaving = false
    /// It ended after it had left; it was leaving when its process ended otherwise.
    var hasLeft = false
    var wasLeaving = false
    /// Synced data was damaged on purpose, so that it must refuse to start.
    var isDamaged = false
    var refusal: String?
    /// Power is lost with one of the next messages that go out during a sync, after so many; nil: with none.
    var messagesUntilCrash: Int?
    /// A planned crash is followed by a start after this long.
    var restartAfterCrash: Duration = .zero
    /// Until when a failure may be put down to the disk, which refused to write.
    var troubleEnds = Instant.zero

    /// When its first life began.
    var firstStarted = Instant.zero

    /// What arrived while the core loop was busy or the process stopped.
    var inbox: [Happening] = []
    var busyUntil = Instant.zero
    var isPaused = false
    /// It gets nothing from the network before then, though it runs.
    var isSlow = false
    /// What has arrived at a slow one.
    var held: [Happening] = []
    var isBatchScheduled = false
    var wakeAt: Instant?
    var wakeGeneration: UInt64 = 0
    /// Wake-ups without any progress of the clock; a machine that asks for them forever hangs.
    var idleWakes = 0
    var cancelledProbes = LookupSet<UInt64>()

    var lifeID: LifeID { LifeID(server: index, life: life) }
    var isRunning: Bool { machine != nil }

    init(index: Int, identity: ServerIdentity, settings: AgentSettings, clock: ServerClock) {
        self.index = index
        name = identity.name
        self.identity = identity
        self.settings = settings
        self.clock = clock
        frontEnd = Machine.frontEnd(settings)
    }
}
