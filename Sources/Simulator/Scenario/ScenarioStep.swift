import Core

/// Whom a step of a scenario is about; roles are those at the time of the step.
enum Target: Hashable {
    case server(Int)
    case leader
    /// The servers that do not lead.
    case followers
    /// One of them: the first.
    case follower
    case all
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
    /// Turns bits of a synced record in the middle of the log.
    case damage(Target)
    case leave(Target)
    case network(drop: Double?, delay: ClosedRange<Duration>?, duplicate: Double?, reorders: Bool?)

    /// Whether a server may lose its memory by it.
    var mayRestart: Bool {
        switch self {
        case .kill, .powerLoss, .fullDisk, .leave, .damage, .start: true
        default: false
        }
    }
}

struct ScenarioStep: Hashable {
    var at: Duration
    var action: StepAction
}
