import Core

/// Whom a step of a scenario is about; roles are those at the time of the step.
enum Target: Hashable {
    case server(Int)
    case leader
    /// The servers that do not lead.
    case followers
    /// One of them: the first.
    case follower
    /// All servers.
    case all
    /// All client agents.
    case agents
    /// Neighbours, from the first to the last.
    case range(Int, Int)
    /// Whom the last step with a role meant: to bring back who led then.
    case same
    /// All clients, in partitions.
    case clients
}

enum Direction: Hashable {
    case both
    /// What it sends is lost; it hears the others.
    case outgoing
    /// It hears nobody; what it sends arrives.
    case incoming
}

enum StepAction: Hashable {
    case kill(Target)
    case powerLoss(Target)
    case start(Target)
    case pause(Target)
    case resume(Target)
    case partition([[Target]])
    case isolate(Target, Direction)
    case clog(Target, Duration)
    /// Ends partitions, pauses, slow and full disks; starts nobody.
    case heal
    case slowDisk(Target, factor: Int)
    case fullDisk(Target, Bool)
    case clockLeap(Target, Duration)
    case drift(Target, ppm: Int)
    case wallClock(Target, Duration)
    case diskError(Target, DiskFailure)
    /// Power is lost exactly there, and comes back after so long.
    case crash(Target, PlannedCrash, Duration)
    /// Part of all that goes to it or comes from it is lost.
    case packetLoss(Target, Double)
    /// It runs, but gets nothing from the network for so long.
    case slow(Target, Duration)
    /// A stranger sends garbage to every port of every agent for so long.
    case garbage(Duration)
    /// By now all agents must know who is there.
    case judgePool
    /// A spare server becomes a member.
    case join(Target)
    /// A member is taken out of the cluster.
    case retire(Target)
    /// Turns bits of a synced record in the middle of the log.
    case damage(Target)
    case leave(Target)
    case network(drop: Double?, delay: ClosedRange<Duration>?, duplicate: Double?, reorders: Bool?)

    /// Whether a server may lose its memory by it.
    var mayRestart: Bool {
        switch self {
        case .kill, .powerLoss, .fullDisk, .leave, .damage, .start, .diskError, .join, .retire, .crash: true
        default: false
        }
    }

    /// Whether a process may miss its own deadlines by it.
    var mayDelay: Bool {
        switch self {
        case .pause, .slow, .clockLeap: true
        default: false
        }
    }
}

struct ScenarioStep: Hashable {
    var at: Duration
    var action: StepAction
}
