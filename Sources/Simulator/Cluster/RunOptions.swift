import Core

/// How the servers' consensus is set up.
struct RaftOptions: Equatable {
    /// Of the reference's `raft_multiplier`.
    var multiplier = 1
    /// How long a follower bears silence and a candidate waits, at a multiplier of 1. The reference's is a second.
    var timeout: Duration = .seconds(1)
    var electionTimeout: Duration { timeout * multiplier }
    /// How long a leader may answer default reads after it last heard from a majority.
    var leaderLeaseTimeout: Duration { electionTimeout / 2 }
    var snapshotThreshold: UInt64 = 16384
    var snapshotInterval: Duration = .seconds(30)
    var trailingLogs: UInt64 = 10240
    var segmentSize = 1 << 20
}

/// One group of clients that do the same thing.
struct WorkloadOptions: Equatable {
    var kind: WorkloadKind
    var clients: Int
    /// Operations per second of all its clients together.
    var rate: Double
    /// Keys, services or locks that they share.
    var objects: Int
}

enum WorkloadKind: UInt8, CaseIterable {
    /// Reads, writes and compare-and-set on single keys, in every consistency mode.
    case register
    /// Several keys written and read in one transaction.
    case transaction
    /// Sessions that contend for locks.
    case lock
    /// Sessions with a time to live that are renewed, then left to expire.
    case session
    /// Registrations in the catalog, watched by blocking queries.
    case catalog
    /// Registrations in the catalog, looked up in DNS.
    case dns
    /// Services and checks registered at agents, which bring them into the catalog.
    case agent
    /// Sessions that depend on checks of agents.
    case checkSession
    /// Keys, and archives of all of them that are saved and restored. Nothing else that is kept would survive beside it.
    case snapshot
    /// All that can be done with keys, sessions and the catalog, against an exact model; and watchers of it.
    case model
    /// Checks of agents that fail, expire and follow others.
    case check
    /// User events, fired at agents.
    case event

    var name: String {
        switch self {
        case .register: "kv-register"
        case .transaction: "txn"
        case .lock: "lock"
        case .session: "session-ttl"
        case .catalog: "catalog-watch"
        case .dns: "dns"
        case .agent: "agent-services"
        case .checkSession: "session-check"
        case .snapshot: "snapshot"
        case .model: "model"
        case .check: "check"
        case .event: "event"
        }
    }
}

/// What is demanded of a run beside the rules that always hold.
struct Expectations: Equatable {
    var linearizable = true
    /// After the faults: until there is a leader.
    var leaderWithin: Duration = .seconds(60)
    /// After the faults: until every healed server serves reads and writes, and all have the same state.
    var convergedWithin: Duration = .seconds(120)
    /// Answered operations, in all workloads together.
    var minimumAnswered = 0
    /// Servers whose damaged disk must make them refuse to start.
    var refuseToStart: [Int] = []
    var minimumElections = 0
    /// nil: as many as there may be.
    var maximumElections: Int?
}

/// Everything that decides the course of a run beside its seed.
struct RunOptions: Equatable {
    var name = "random"
    var servers = 3
    /// Servers that are no part of the cluster until they are added to it.
    var spares = 0
    /// Agents without a server of their own. They need gossip.
    var agents = 0
    /// How long it takes until the last of them is started; zero: they start as soon as they can, a millisecond apart.
    var agentsWithin: Duration = .zero
    /// Whether agents find each other by gossip; otherwise servers know each other from the start.
    var gossip = false
    /// With faults; then the run goes on until all is quiet and checked.
    var duration: Duration = .seconds(60)
    var network = NetworkProfile()
    var clientNetwork = NetworkProfile()
    /// For the datagrams of gossip.
    var packetNetwork = NetworkProfile()
    var disk = DiskProfile()
    /// Links between servers differ by up to so many times.
    var linkSpread = 1
    var faults: [FaultRate] = []
    /// Disks and links are as slow as an election lasts: with the faults that ends, too, or nobody would lead for long.
    var isStorm = false
    /// How often a fault picks the leader, where it could pick any server.
    var leaderBias = 0.3
    /// How far apart clocks start, and how much faster or slower they run in millionths.
    var clockOffset: Duration = .hours(1)
    var driftPPM = 0
    /// What handling one batch of events costs a server.
    var coreTime: Duration = .microseconds(20)
    var raft = RaftOptions()
    var workloads: [WorkloadOptions] = []
    /// How long a client waits for an answer.
    var clientTimeout: Duration = .seconds(10)
    /// Clients go on asking a server that answers; otherwise they pick one each time.
    var clientsStay = false
    /// After the faults only a majority is healed; the others stay away.
    var healsOnlyMajority = false
    /// How long deletions of keys are remembered.
    var tombstoneTTL: Duration = .minutes(15)
    /// Whether servers answer DNS questions from the state that they have, or ask the leader.
    var staleDNS = true
    /// How often starting a server is interrupted by another loss of power.
    var crashDuringStart = 0.0
    var steps: [ScenarioStep] = []
    var expect = Expectations()
}

extension RunOptions {
    /// All servers that there will ever be.
    var serverPlaces: Int { servers + spares }
    /// And the client agents behind them.
    var places: Int { serverPlaces + agents }

    /// When the agent at a place is first started.
    func startTime(of place: Int) -> Duration {
        guard place >= serverPlaces, agentsWithin > .zero else { return .milliseconds(Int64(place)) }
        return .nanoseconds(agentsWithin.nanoseconds / Int64(agents) * Int64(place - serverPlaces + 1))
    }

    /// The name of the agent at a place.
    func name(of place: Int) -> String {
        place < serverPlaces ? "s\(place + 1)" : "a\(place - serverPlaces + 1)"
    }

    /// Lock-delays live in the memory of the servers: who restarts or takes over a snapshot may have lost them.
    var judgesLockDelays: Bool {
        let restarts = faults.contains { Self.restartingKinds.contains($0.kind) }
        return !restarts && raft.snapshotThreshold > 10_000 && !steps.contains { $0.action.mayRestart }
    }

    private static let restartingKinds: [FaultKind] = [
        .kill, .powerLoss, .fullDisk, .leave, .diskError, .membership, .blackout, .crashAtOperation,
    ]

    /// Who leaves tells the pool so often and not again: that takes its time, whoever hears it.
    var judgesLeaves: Bool {
        !faults.contains { [.pause, .slow, .clockLeap].contains($0.kind) } && !steps.contains { $0.action.mayDelay }
    }

    /// Whether a leader that runs answers within the time that clients wait: what it cannot do it refuses when it steps down.
    var answersInTime: Bool {
        let delaying: [FaultKind] = [.pause, .slow, .slowDisk, .fullDisk, .diskError, .clockLeap, .drift]
        return clientTimeout >= .seconds(30) && raft.multiplier == 1 && steps.isEmpty && spares == 0
            && !faults.contains { delaying.contains($0.kind) } && disk.spikeChance == 0
    }

    /// Whether nothing keeps those who leave from being heard by anybody.
    var leavesAreHeard: Bool {
        let deaf: [FaultKind] = [.partition, .oneWayPartition, .clog, .packetLoss]
        return judgesLeaves && steps.isEmpty && !faults.contains { deaf.contains($0.kind) }
    }

    /// Nothing goes wrong that could make a member of the pool doubt another one.
    var isPeaceful: Bool {
        faults.isEmpty && steps.isEmpty && spares == 0 && packetNetwork.drop == 0 && network.drop == 0 && crashDuringStart == 0
    }

    /// How old the state may be that a default read shows, beyond what linearizability allows.
    ///
    /// A leader answers default reads under a lease of half the time that the others wait before they elect somebody else. That is
    /// linearizable as long as no clock runs a third faster than another; then nothing is tolerated. A clock that leaps forward ends a
    /// server's patience early, and for what is left of its lease the old leader may show what was so when the lease began.
    var defaultReadTolerance: Duration {
        guard clockLeaps > .zero || driftPPM > 300_000 else { return .zero }
        return raft.leaderLeaseTimeout + raft.leaderLeaseTimeout * (driftPPM + 10_000) / 1_000_000
    }

    /// The most that clocks may leap forward during the run; leaps by chance are not bounded.
    var clockLeaps: Duration {
        if faults.contains(where: { $0.kind == .clockLeap }) { return .hours(1) }
        return steps.reduce(.zero) { sum, step in
            if case .clockLeap(_, let leap) = step.action { sum + leap } else { sum }
        }
    }
}
