import Core

/// What can go wrong by chance during a run.
enum FaultKind: UInt8, CaseIterable {
    /// The process is killed; what it wrote stays with the system.
    case kill
    /// The machine loses power; unsynced writes are lost or torn.
    case powerLoss
    /// The process is stopped for a while; what happens to it meanwhile, it learns afterwards.
    case pause
    /// The servers fall into two groups that do not hear each other.
    case partition
    /// Some servers are heard by others but do not hear them, or the other way round.
    case oneWayPartition
    /// A link holds everything back for a while.
    case clog
    case slowDisk
    case fullDisk
    /// The monotonic clock begins to run faster or slower.
    case drift
    /// The monotonic clock leaps forward, as after a machine was suspended.
    case clockLeap
    /// A server leaves the cluster for good (at most as many as leave a working majority).
    case leave
    /// The wall clock is set forward or back.
    case wallClock
    /// One write or sync fails.
    case diskError
    /// A server is added to the cluster, or one is taken out of it.
    case membership
    /// Part of what goes to a machine and comes from it is lost.
    case packetLoss
    /// A process runs, but is late to see what arrives for it.
    case slow
    /// Somebody who is no part of the cluster sends garbage to every port of every agent.
    case garbage
    /// Several machines lose power at once, or all.
    case blackout
    /// Power is lost exactly at an operation of the disk, or with a message that goes out while the disk syncs.
    case crashAtOperation

    var name: String {
        switch self {
        case .kill: "kill"
        case .powerLoss: "power-loss"
        case .pause: "pause"
        case .partition: "partition"
        case .oneWayPartition: "one-way-partition"
        case .clog: "clog"
        case .slowDisk: "slow-disk"
        case .fullDisk: "full-disk"
        case .drift: "drift"
        case .clockLeap: "clock-leap"
        case .leave: "leave"
        case .wallClock: "wall-clock"
        case .diskError: "disk-error"
        case .membership: "membership"
        case .packetLoss: "packet-loss"
        case .slow: "slow"
        case .garbage: "garbage"
        case .blackout: "blackout"
        case .crashAtOperation: "crash-at-operation"
        }
    }

    /// How often a fault comes and how long it stays, when it is drawn without further ado.
    var typical: (interval: ClosedRange<Duration>, lasting: ClosedRange<Duration>) {
        switch self {
        case .kill: (.seconds(5)...(.seconds(30)), .milliseconds(100)...(.seconds(8)))
        case .powerLoss: (.seconds(5)...(.seconds(30)), .milliseconds(500)...(.seconds(10)))
        case .pause: (.seconds(4)...(.seconds(20)), .milliseconds(50)...(.seconds(12)))
        case .partition: (.seconds(5)...(.seconds(25)), .milliseconds(200)...(.seconds(15)))
        case .oneWayPartition: (.seconds(5)...(.seconds(25)), .milliseconds(200)...(.seconds(12)))
        case .clog: (.seconds(2)...(.seconds(10)), .milliseconds(20)...(.seconds(4)))
        case .slowDisk: (.seconds(4)...(.seconds(20)), .milliseconds(200)...(.seconds(8)))
        case .fullDisk: (.seconds(10)...(.seconds(40)), .milliseconds(500)...(.seconds(6)))
        case .drift: (.seconds(5)...(.seconds(30)), .seconds(1)...(.seconds(20)))
        case .clockLeap: (.seconds(8)...(.seconds(40)), .milliseconds(1)...(.seconds(10)))
        case .leave: (.seconds(20)...(.seconds(60)), .zero...(.zero))
        case .wallClock: (.seconds(5)...(.seconds(30)), .milliseconds(1)...(.hours(2)))
        case .diskError: (.seconds(5)...(.seconds(30)), .zero...(.zero))
        case .membership: (.seconds(5)...(.seconds(20)), .zero...(.zero))
        case .packetLoss: (.seconds(4)...(.seconds(20)), .seconds(1)...(.seconds(20)))
        case .slow: (.seconds(4)...(.seconds(20)), .milliseconds(100)...(.seconds(16)))
        case .garbage: (.seconds(5)...(.seconds(20)), .seconds(1)...(.seconds(15)))
        case .blackout: (.seconds(5)...(.seconds(30)), .milliseconds(10)...(.seconds(5)))
        case .crashAtOperation: (.seconds(2)...(.seconds(15)), .milliseconds(10)...(.seconds(3)))
        }
    }
}

/// One kind of fault in one run.
struct FaultRate: Equatable {
    var kind: FaultKind
    /// Between two of its kind, on average.
    var interval: Duration
    /// How long one lasts; for a leap or setting of a clock, how far it goes.
    var lasting: ClosedRange<Duration>
}
