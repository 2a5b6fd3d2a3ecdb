import Core

/// A machine that a simulated server can run: the production agent, or a toy that tests the simulator.
protocol SimulatedMachine: AgentMachine {
    associatedtype FrontEnd: RequestFrontEnd
    associatedtype View: RaftView

    /// Starts with what is on the disk; throws if that cannot be recovered.
    init(_ config: AgentConfig, disk: VirtualDisk, seed: UInt64, now: Instant) throws
    static func frontEnd(_ config: AgentConfig) -> FrontEnd
    /// What the checkers look at; nil for a machine without consensus.
    var raft: View? { get }
}

/// One server of the simulated cluster: its process, which may be down, and its machine: clock, disk, address.
final class Server<Machine: SimulatedMachine> {
    let index: Int
    let identity: ServerIdentity
    var config: AgentConfig
    var clock: ServerClock
    let disk = VirtualDisk()
    var diskQueue = DiskQueue()

    /// The running process, nil while it is down.
    var machine: Machine?
    var frontEnd: Machine.FrontEnd
    var published: PublishedState?
    var life: UInt32 = 0
    /// Whether somebody answers for the machine's address: without it a connection attempt hears nothing at all.
    var hasPower = true
    /// It was told to leave or must not come back.
    var isGone = false
    var isLeaving = false
    /// Synced data was damaged on purpose, so that it must refuse to start.
    var isDamaged = false
    var refusal: String?
    /// Until when a failure may be put down to the disk, which refused to write.
    var troubleEnds = Instant.zero

    /// What arrived while the core loop was busy or the process stopped.
    var inbox: [Happening] = []
    var busyUntil = Instant.zero
    var isPaused = false
    var isBatchScheduled = false
    var wakeAt: Instant?
    var wakeGeneration: UInt64 = 0
    /// Wake-ups without any progress of the clock; a machine that asks for them forever hangs.
    var idleWakes = 0
    var cancelledProbes = LookupSet<UInt64>()

    var lifeID: LifeID { LifeID(server: index, life: life) }
    var isRunning: Bool { machine != nil }
    var name: String { "s\(index + 1)" }

    init(index: Int, identity: ServerIdentity, config: AgentConfig, clock: ServerClock) {
        self.index = index
        self.identity = identity
        self.config = config
        self.clock = clock
        frontEnd = Machine.frontEnd(config)
    }
}
