import Core

/// Draws the options of a run from its seed. Not every fault in every run: a few at a time, in random strength, find more than all
/// of them always (swarm testing).
enum Swarm {
    /// How many of the runs are storms.
    private static let stormShare = 0.35

    static func options(seed: UInt64) -> RunOptions {
        var storms = Random(seed: seed, stream: .storms)
        return storms.chance(stormShare) ? storm(&storms) : gentle(seed: seed)
    }

    private static func gentle(seed: UInt64) -> RunOptions {
        var random = Random(seed: seed, stream: .options)
        var options = RunOptions()
        options.servers = random.pick([1, 2, 3, 3, 3, 3, 4, 5, 5, 5, 6, 7])
        options.duration = .seconds(random.int(in: 20...60))
        drawNetwork(&options, &random)
        drawDisk(&options, &random)
        drawFaults(&options, &random)
        drawClocks(&options, &random)
        drawRaft(&options, &random)
        drawWorkloads(&options, &random)
        options.coreTime = .microseconds(random.pick([0, 5, 20, 100, 1000]))
        drawMembership(&options, &random)
        drawGossip(&options, &random)
        options.healsOnlyMajority = options.servers > 2 && options.spares == 0 && !options.gossip && random.chance(0.3)
        options.staleDNS = random.chance(0.6)
        options.clientsStay = random.chance(0.5)
        if random.chance(0.2) { options.tombstoneTTL = .seconds(random.int(in: 4...20)) }
        options.clientTimeout = .seconds(random.pick([2, 5, 10, 30]))
        // A restored state takes away what all others rely on.
        if !options.gossip, random.chance(0.08) { options.workloads = [workload(.snapshot, &random)] }
        if !options.gossip, options.spares == 0, random.chance(0.03) { drawOutlivedLeases(&options, &random) }
        drawOutages(&options, &random)
        return options
    }

    private static func drawNetwork(_ options: inout RunOptions, _ random: inout Random) {
        let slowest: Duration = .microseconds(random.pick([500, 1000, 5000, 20_000, 60_000]))
        options.network.delay = .microseconds(50)...slowest
        options.network.tailChance = random.pick([0, 0.01, 0.05])
        if random.chance(0.4) { options.network.drop = random.fraction() * random.pick([0.01, 0.05, 0.2]) }
        if random.chance(0.3) { options.network.duplicate = random.fraction() * 0.1 }
        options.network.reorders = random.chance(0.3)
        options.clientNetwork.delay = .microseconds(50)...(.milliseconds(5))
        if random.chance(0.3) { options.clientNetwork.drop = random.fraction() * 0.05 }
        // The longest way must stay well below the timeouts of consensus.
        if random.chance(0.2) { options.linkSpread = random.int(in: 2...max(2, min(20, Int(60_000_000 / slowest.nanoseconds)))) }
    }

    private static func drawDisk(_ options: inout RunOptions, _ random: inout Random) {
        let slowest: Duration = .microseconds(random.pick([200, 1000, 5000, 30_000]))
        options.disk.sync = .microseconds(100)...slowest
        if random.chance(0.3) {
            options.disk.spikeChance = random.fraction() * 0.02
            options.disk.spikeFactor = random.int(in: 5...200)
        }
        if random.chance(0.3) { options.crashDuringStart = 0.3 }
    }

    private static func drawFaults(_ options: inout RunOptions, _ random: inout Random) {
        // One run in ten has none: then nothing excuses a failure.
        guard !random.chance(0.1) else { return }
        let likelihood = random.pick([0.15, 0.3, 0.5])
        for kind in FaultKind.allCases.prefix(while: { $0 != .blackout }) where random.chance(likelihood) {
            if kind == .leave || kind == .membership { continue }
            let typical = kind.typical
            options.faults.append(FaultRate(kind: kind, interval: random.duration(in: typical.interval), lasting: typical.lasting))
        }
        options.leaderBias = random.pick([0, 0.3, 0.8])
    }

    private static func drawOutages(_ options: inout RunOptions, _ random: inout Random) {
        guard !options.faults.isEmpty else { return }
        for kind in [.blackout, .crashAtOperation] as [FaultKind] where random.chance(0.15) {
            let typical = kind.typical
            options.faults.append(FaultRate(kind: kind, interval: random.duration(in: typical.interval), lasting: typical.lasting))
        }
    }

    private static func drawMembership(_ options: inout RunOptions, _ random: inout Random) {
        guard random.chance(0.2), !options.faults.isEmpty else { return }
        options.spares = random.int(in: 1...4)
        let typical = FaultKind.membership.typical
        options.faults.append(FaultRate(kind: .membership, interval: random.duration(in: typical.interval), lasting: typical.lasting))
    }

    /// Some runs have agents that find each other.
    private static func drawGossip(_ options: inout RunOptions, _ random: inout Random) {
        guard random.chance(0.2) else { return }
        options.gossip = true
        options.servers = min(options.servers, 5)
        options.spares = min(options.spares, 2)
        options.agents = random.pick([0, 1, 3, 8])
        options.packetNetwork.delay = .microseconds(50)...(.microseconds(random.pick([500, 5000, 50_000])))
        if random.chance(0.5) { options.packetNetwork.drop = random.fraction() * random.pick([0.05, 0.2, 0.4]) }
        if random.chance(0.3) { options.packetNetwork.duplicate = random.fraction() * 0.1 }
        options.duration += .seconds(20)
        options.expect.convergedWithin = .minutes(5)
        options.workloads.append(WorkloadOptions(kind: .agent, clients: random.int(in: 1...4), rate: 4, objects: random.int(in: 1...3)))
        if random.chance(0.7) {
            options.workloads.append(WorkloadOptions(kind: .check, clients: random.int(in: 1...4), rate: 4, objects: 1))
        }
        if random.chance(0.5) { options.workloads.append(WorkloadOptions(kind: .event, clients: 3, rate: 2, objects: 1)) }
    }

    /// Clocks leap while the leader is cut off, so that others elect somebody under a lease that is in force: then consistent reads alone may be
    /// relied on.
    private static func drawOutlivedLeases(_ options: inout RunOptions, _ random: inout Random) {
        options.servers = random.pick([3, 5])
        options.healsOnlyMajority = false
        options.raft.multiplier = 5
        options.leaderBias = 0.8
        options.faults = [
            FaultRate(kind: .partition, interval: .seconds(9), lasting: .seconds(4)...(.seconds(8))),
            FaultRate(kind: .clockLeap, interval: .seconds(1), lasting: .seconds(3)...(.seconds(12))),
        ]
        options.workloads = [WorkloadOptions(kind: .register, clients: 10, rate: 100, objects: 1)]
    }

    private static func drawClocks(_ options: inout RunOptions, _ random: inout Random) {
        options.clockOffset = random.pick([.zero, .seconds(10), .hours(1), .hours(24 * 365)])
        let drifts = options.faults.contains { $0.kind == .drift }
        // Up to two parts in a hundred: far worse than real clocks, and within what the lease of a leader allows for.
        if drifts || random.chance(0.3) { options.driftPPM = random.pick([50, 500, 5000, 20_000]) }
    }

    private static func drawRaft(_ options: inout RunOptions, _ random: inout Random) {
        options.raft.multiplier = random.pick([1, 1, 1, 2, 5])
        if random.chance(0.5) {
            options.raft.snapshotThreshold = UInt64(random.pick([5, 20, 100, 500]))
            options.raft.snapshotInterval = random.duration(in: .seconds(1)...(.seconds(10)))
            options.raft.trailingLogs = UInt64(random.pick([0, 1, 10, 100, 1000]))
        }
        options.raft.segmentSize = random.pick([4096, 16_384, 65_536, 1 << 20])
    }

    private static func drawWorkloads(_ options: inout RunOptions, _ random: inout Random) {
        for kind in WorkloadKind.allCases where ![.agent, .checkSession, .snapshot, .check, .event].contains(kind) && random.chance(0.5) {
            options.workloads.append(workload(kind, &random))
        }
        if options.workloads.isEmpty { options.workloads = [workload(.register, &random)] }
    }

    static func workload(_ kind: WorkloadKind, _ random: inout Random) -> WorkloadOptions {
        let clients = random.int(in: 2...8)
        let rate = random.pick([5.0, 20, 50])
        switch kind {
        case .register, .transaction:
            return WorkloadOptions(kind: kind, clients: clients, rate: rate, objects: random.int(in: 1...6))
        case .lock:
            return WorkloadOptions(kind: kind, clients: clients, rate: rate / 2, objects: random.int(in: 1...3))
        case .snapshot:
            return WorkloadOptions(kind: kind, clients: clients, rate: min(rate, 20), objects: random.int(in: 1...3))
        case .session:
            return WorkloadOptions(kind: kind, clients: clients, rate: 5, objects: 1)
        case .catalog:
            return WorkloadOptions(kind: kind, clients: clients + 4, rate: rate / 2, objects: random.int(in: 1...3))
        case .model:
            return WorkloadOptions(kind: kind, clients: max(4, clients), rate: rate, objects: 1)
        case .dns, .agent, .checkSession, .check, .event:
            return WorkloadOptions(kind: kind, clients: clients + 2, rate: rate / 2, objects: random.int(in: 1...3))
        }
    }
}
