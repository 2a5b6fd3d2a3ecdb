import Core

/// How fast the simulation runs: five servers, default faults, fifty client operations per simulated second.
enum Bench {
    static var options: RunOptions {
        var options = RunOptions()
        options.name = "bench"
        options.servers = 5
        options.duration = .seconds(600)
        options.network.drop = 0.005
        for kind in [FaultKind.kill, .powerLoss, .pause, .partition, .slowDisk] {
            options.faults.append(FaultRate(kind: kind, interval: .seconds(60), lasting: kind.typical.lasting))
        }
        options.raft.snapshotThreshold = 1000
        options.raft.trailingLogs = 500
        options.workloads = [WorkloadOptions(kind: .register, clients: 10, rate: 50, objects: 50)]
        return options
    }

    static func perform() -> Int32 {
        var events = 0
        var simulated = 0.0
        var answered = 0
        var elapsed = 0.0
        for seed in 1...3 as ClosedRange<UInt64> {
            let began = wallClock()
            let report = Simulation<Product>(options, seed: seed).run()
            elapsed += wallClock() - began
            events += report.events
            simulated += report.simulated.seconds
            answered += report.answered
            if !report.passed { writeLine(report.text(options: options, replay: "consul-sim bench")) }
        }
        writeLine(
            "5 servers, default faults, 50 operations/s: \(decimal(simulated, digits: 0))s simulated in \(decimal(elapsed, digits: 2))s, "
                + "\(decimal(simulated / elapsed, digits: 0))x real time, \(decimal(Double(events) / elapsed, digits: 0)) events/s, "
                + "\(decimal(Double(events) / simulated, digits: 0)) events per simulated second, \(answered) answers")
        return 0
    }
}
