import Core
import Testing

@testable import Simulator

/// Whole runs of consensus under a toy state machine: correct ones pass, and what breaks consensus is found.
@Suite(.serialized) struct RaftRunTests {
    private func options(faults: [FaultKind], servers: Int = 3) -> RunOptions {
        var options = RunOptions()
        options.servers = servers
        options.duration = .seconds(15)
        options.clientTimeout = .seconds(4)
        options.workloads = [WorkloadOptions(kind: .register, clients: 5, rate: 40, objects: 2)]
        options.faults = faults.map { FaultRate(kind: $0, interval: .seconds(3), lasting: .milliseconds(100)...(.seconds(2))) }
        options.leaderBias = 0.5
        return options
    }

    private func run(_ options: RunOptions, seed: UInt64, _ flaw: RaftToy.Flaw = .none) -> RunReport {
        RaftToy.flaw = flaw
        defer { RaftToy.flaw = .none }
        return Simulation<RaftToy>(options, seed: seed).run()
    }

    /// Whether one of a few seeds breaks one of the rules.
    private func finds(_ rules: Set<String>, _ options: RunOptions, _ flaw: RaftToy.Flaw) -> Bool {
        for seed in 1...12 as ClosedRange<UInt64> {
            if run(options, seed: seed, flaw).violations.contains(where: { rules.contains($0.rule) }) { return true }
        }
        return false
    }

    @Test func `consensus passes without faults`() {
        let report = run(options(faults: []), seed: 1)
        #expect(report.violations == [])
        #expect(report.elections >= 1)
        #expect(report.answered > 500)
    }

    @Test func `consensus passes with every fault`() {
        for seed in 1...8 as ClosedRange<UInt64> {
            var hard = Swarm.options(seed: seed)
            // Toys change no memberships, and do not gossip.
            hard.spares = 0
            hard.gossip = false
            hard.agents = 0
            hard.faults.removeAll { $0.kind == .membership }
            hard.workloads = [WorkloadOptions(kind: .register, clients: 5, rate: 30, objects: 2)]
            hard.duration = .seconds(12)
            let report = run(hard, seed: seed)
            #expect(report.violations == [], "seed \(seed)")
        }
    }

    @Test func `a disk that is never synced is found`() {
        let rules: Set = [
            "linearizability", "leader completeness", "state-machine safety", "a server starts from what it synced", "log matching",
        ]
        var hard = options(faults: [.powerLoss])
        hard.leaderBias = 0
        #expect(finds(rules, hard, .neverSyncs))
    }

    @Test func `servers that forget their votes are found`() {
        let rules: Set = [
            "election safety", "leader completeness", "log matching", "state-machine safety", "a server starts from what it synced",
        ]
        #expect(finds(rules, options(faults: [.kill, .partition], servers: 5), .forgetsItsVote))
    }

    @Test func `a state machine that goes its own way is found`() {
        #expect(finds(["state-machine safety"], options(faults: []), .appliesAlmostEverything))
    }

    @Test func `default reads that are not the leader's are found`() {
        #expect(finds(["linearizability"], options(faults: []), .readsAnywhere))
    }

    @Test func `a leader that answers before it has committed is found`() {
        #expect(finds(["linearizability"], options(faults: [.partition, .kill]), .answersBeforeCommit))
    }
}
