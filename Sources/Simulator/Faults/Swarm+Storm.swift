import Core

// Storms: faults follow each other so closely that one meets what the last one left unfinished. Terms last less than a second, servers
// lose power alone and together and are back at once, and disks are so slow that much is written and not yet synced.
extension Swarm {
    static func storm(_ random: inout Random) -> RunOptions {
        var options = RunOptions()
        options.isStorm = true
        options.servers = random.pick([1, 2, 3, 3, 3, 3, 3, 4, 5, 5, 5])
        options.duration = .seconds(random.int(in: 8...20))
        drawStormNetwork(&options, &random)
        drawStormDisk(&options, &random)
        drawStormRaft(&options, &random)
        drawStormFaults(&options, &random)
        drawStormWorkloads(&options, &random)
        options.coreTime = .microseconds(random.pick([0, 5, 20, 100]))
        options.clockOffset = random.pick([.zero, .hours(1)])
        if random.chance(0.3) { options.driftPPM = random.pick([500, 5000, 20_000]) }
        options.clientTimeout = .milliseconds(random.pick([500, 2000, 5000]))
        options.clientsStay = random.chance(0.5)
        return options
    }

    private static func drawStormNetwork(_ options: inout RunOptions, _ random: inout Random) {
        options.network.delay = .microseconds(50)...(.microseconds(random.pick([500, 1000, 3000, 8000])))
        options.network.tailChance = random.pick([0, 0.01, 0.1])
        if random.chance(0.4) { options.network.drop = random.fraction() * random.pick([0.02, 0.1]) }
        if random.chance(0.3) { options.network.duplicate = random.fraction() * 0.2 }
        options.network.reorders = random.chance(0.4)
        options.clientNetwork.delay = .microseconds(50)...(.milliseconds(2))
    }

    private static func drawStormDisk(_ options: inout RunOptions, _ random: inout Random) {
        let slowest: Duration = .milliseconds(random.pick([5, 20, 40, 80]))
        options.disk.sync = .milliseconds(random.pick([0, 1, 5]))...slowest
        options.disk.write = .microseconds(10)...(.milliseconds(random.pick([1, 1, 10])))
        if random.chance(0.4) { options.crashDuringStart = random.pick([0.1, 0.3]) }
    }

    private static func drawStormRaft(_ options: inout RunOptions, _ random: inout Random) {
        options.raft.timeout = .milliseconds(random.pick([100, 150, 250, 500]))
        options.raft.segmentSize = random.pick([4096, 4096, 16_384])
        guard random.chance(0.7) else { return }
        options.raft.snapshotThreshold = UInt64(random.pick([3, 10, 30, 100]))
        options.raft.snapshotInterval = random.duration(in: .milliseconds(50)...(.seconds(2)))
        options.raft.trailingLogs = UInt64(random.pick([0, 1, 5, 20, 100]))
    }

    private static func drawStormFaults(_ options: inout RunOptions, _ random: inout Random) {
        let outages: [FaultKind] = [.powerLoss, .crashAtOperation, .blackout]
        let others: [FaultKind] = [
            .kill, .partition, .oneWayPartition, .clog, .pause, .slowDisk, .diskError, .packetLoss, .fullDisk, .slow,
        ]
        for kind in outages where random.chance(0.6) { add(kind, .milliseconds(10)...(.milliseconds(400)), &options, &random) }
        if options.faults.isEmpty { add(random.pick(outages), .milliseconds(10)...(.milliseconds(400)), &options, &random) }
        let likelihood = random.pick([0.1, 0.25, 0.5])
        for kind in others where random.chance(likelihood) { add(kind, .milliseconds(10)...(.milliseconds(1200)), &options, &random) }
        options.leaderBias = random.pick([0, 0.3, 0.7])
        guard options.servers > 1, random.chance(0.15) else { return }
        options.spares = random.int(in: 1...3)
        options.faults.append(
            FaultRate(kind: .membership, interval: random.duration(in: .milliseconds(500)...(.seconds(3))), lasting: .zero...(.zero)))
    }

    private static func add(_ kind: FaultKind, _ lasting: ClosedRange<Duration>, _ options: inout RunOptions, _ random: inout Random) {
        options.faults.append(
            FaultRate(kind: kind, interval: random.duration(in: .milliseconds(300)...(.seconds(3))), lasting: lasting))
    }

    private static func drawStormWorkloads(_ options: inout RunOptions, _ random: inout Random) {
        let rate = random.pick([20.0, 60, 150])
        let kinds: [WorkloadKind] = [.register, .register, .register, .transaction, .lock, .catalog, .session, .model]
        options.workloads = [storming(random.pick(kinds), rate, &random)]
        if random.chance(0.3) { options.workloads.append(storming(.register, rate, &random)) }
        if random.chance(0.05) { options.workloads = [workload(.snapshot, &random)] }
    }

    /// Few keys, so that what is lost is missed.
    private static func storming(_ kind: WorkloadKind, _ rate: Double, _ random: inout Random) -> WorkloadOptions {
        WorkloadOptions(kind: kind, clients: random.int(in: 2...6), rate: kind == .session ? 10 : rate, objects: random.int(in: 1...2))
    }
}
