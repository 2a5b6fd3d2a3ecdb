import Core
import Testing

@testable import Simulator

/// Whole runs with the toy machine: what a correct one passes and a flawed one does not. One after the other, since the toy's
/// flaw is one for all.
@Suite(.serialized) struct SimulationTests {
    private func options(_ kinds: [WorkloadKind] = [.register], faults: [FaultKind] = []) -> RunOptions {
        var options = RunOptions()
        options.servers = 3
        options.duration = .seconds(20)
        options.clientTimeout = .seconds(3)
        options.workloads = kinds.map { WorkloadOptions(kind: $0, clients: 4, rate: 40, objects: 1) }
        options.faults = faults.map { FaultRate(kind: $0, interval: .seconds(2), lasting: .milliseconds(100)...(.seconds(1))) }
        return options
    }

    private func run(_ options: RunOptions, seed: UInt64, _ flaw: ToyMachine.Flaw = .none, tracer: Tracer? = nil) -> RunReport {
        ToyMachine.flaw = flaw
        defer { ToyMachine.flaw = .none }
        return Simulation<ToyMachine>(options, seed: seed, tracer: tracer).run()
    }

    /// Whether one of a few seeds breaks the rule.
    private func finds(_ rule: String, _ options: RunOptions, _ flaw: ToyMachine.Flaw) -> Bool {
        for seed in 1...10 as ClosedRange<UInt64> {
            let report = run(options, seed: seed, flaw)
            if report.violations.contains(where: { $0.rule == rule }) { return true }
        }
        return false
    }

    @Test func `a correct machine passes without faults`() {
        let report = run(options([.register, .catalog]), seed: 1)
        #expect(report.violations == [])
        #expect(report.undecided == [])
        #expect(report.answered > 500)
        #expect(report.answered == report.asked || report.asked - report.answered < 20)
    }

    @Test func `a correct machine passes with every fault`() {
        var hard = options([.register, .catalog], faults: FaultKind.allCases.filter { ![.leave, .membership, .garbage].contains($0) })
        hard.network.drop = 0.02
        hard.clientNetwork.drop = 0.02
        hard.network.reorders = true
        hard.driftPPM = 10_000
        hard.crashDuringStart = 0.3
        var faults = 0
        for seed in 1...30 as ClosedRange<UInt64> {
            let report = run(hard, seed: seed)
            #expect(report.violations == [], "seed \(seed)")
            faults += report.faults.reduce(0) { $0 + $1.count }
            #expect(report.restarts > 0)
            #expect(report.answered > 50)
        }
        #expect(faults > 1000)
    }

    @Test func `the same seed takes the same course, another one does not`() {
        let hard = options([.register, .catalog], faults: [.kill, .powerLoss, .partition, .pause, .drift])
        let first = run(hard, seed: 5)
        var lines = 0
        let second = run(hard, seed: 5, tracer: Tracer { _ in lines += 1 })
        #expect(first.digest == second.digest)
        #expect(first.events == second.events)
        #expect(lines > 100)
        #expect(run(hard, seed: 6).digest != first.digest)
    }

    @Test func `a machine that acknowledges too early loses writes`() {
        #expect(finds("linearizability", options(faults: [.powerLoss]), .acknowledgesBeforeSync))
    }

    @Test func `a machine that ignores indexes is not linearizable`() {
        #expect(finds("linearizability", options(), .ignoresIndexes))
    }

    @Test func `a machine that forgets to wake watchers is noticed`() {
        #expect(finds("no wake-up is lost", options([.catalog]), .losesWakeUps))
    }

    @Test func `a second answer is noticed`() {
        #expect(finds("one answer per request", options(), .answersTwice))
    }

    @Test func `a machine that spins is noticed`() {
        #expect(finds("liveness", options(), .spins))
    }

    @Test func `a machine that cannot read a torn file is noticed`() {
        var slow = options(faults: [.powerLoss])
        slow.disk.sync = .milliseconds(20)...(.milliseconds(60))
        #expect(finds("a server starts from what it synced", slow, .trustsItsFile))
    }

    @Test func `a cluster that does not serve after the faults is noticed`() {
        var options = options()
        options.steps = [ScenarioStep(at: .seconds(6), action: .kill(.server(0)))]
        options.expect.convergedWithin = .seconds(20)
        options.expect.leaderWithin = .seconds(20)
        #expect(run(options, seed: 1).violations == [])
        #expect(run(options, seed: 1, .givesUpServing).violations.map(\.rule) == ["liveness"])
    }

    @Test func `expectations that are not met are reported`() {
        var options = options()
        options.expect.minimumAnswered = 1_000_000
        options.expect.minimumElections = 1
        #expect(run(options, seed: 1).violations.map(\.rule) == ["expectation", "expectation"])
    }

    @Test func `options are drawn from the seed alone`() {
        var servers: Set<Int> = []
        for seed in 1...200 as ClosedRange<UInt64> {
            let options = Swarm.options(seed: seed)
            #expect(options == Swarm.options(seed: seed))
            servers.insert(options.servers)
        }
        #expect(servers == [1, 2, 3, 4, 5, 6, 7])
    }
}
