import Core
import Testing

@testable import Simulator

/// Whole runs of the production agent: what it gets right, and that the same run finds it when it does not.
@Suite(.serialized) struct AgentRunTests {
    private func options(_ kinds: [WorkloadKind], faults: [FaultKind] = [], servers: Int = 3) -> RunOptions {
        var options = RunOptions()
        options.servers = servers
        options.duration = .seconds(15)
        options.clientTimeout = .seconds(3)
        options.workloads = kinds.map { WorkloadOptions(kind: $0, clients: 4, rate: 20, objects: 1) }
        options.faults = faults.map { FaultRate(kind: $0, interval: .seconds(3), lasting: .milliseconds(100)...(.seconds(1))) }
        return options
    }

    private func run(_ options: RunOptions, seed: UInt64, _ flaw: FlawedAgent.Flaw = .none) -> RunReport {
        FlawedAgent.flaw = flaw
        defer { FlawedAgent.flaw = .none }
        return Simulation<FlawedAgent>(options, seed: seed).run()
    }

    @Test func `DNS follows the catalog`() {
        for stale in [true, false] {
            var options = options([.dns], faults: [.kill])
            options.staleDNS = stale
            let report = run(options, seed: 1)
            #expect(report.violations == [])
            #expect(report.workloads[0].counts.first { $0.name == "dns-answers" }?.value ?? 0 > 50)
        }
    }

    @Test func `answers from an old state are found`() {
        #expect(run(options([.dns]), seed: 1, .frozenDNS).violations.map(\.rule) == ["DNS follows the catalog"])
    }

    @Test func `archives are saved, restored, and refused when they are damaged`() {
        let report = run(options([.snapshot], faults: [.kill, .partition]), seed: 1)
        #expect(report.violations == [])
        for count in report.workloads[0].counts { #expect(count.value > 0, "\(count.name)") }
    }

    @Test func `a restore that never takes place is found`() {
        let rules = Set(run(options([.snapshot]), seed: 1, .forgetsRestores).violations.map(\.rule))
        #expect(rules == ["linearizability", "damaged archives are refused"])
    }

    @Test func `a cluster grows from three to five servers and shrinks again`() {
        var options = options([.register])
        options.spares = 2
        options.duration = .seconds(30)
        options.steps = [
            ScenarioStep(at: .seconds(5), action: .join(.server(3))), ScenarioStep(at: .seconds(5), action: .join(.server(4))),
            ScenarioStep(at: .seconds(15), action: .retire(.leader)), ScenarioStep(at: .seconds(20), action: .retire(.leader)),
        ]
        for seed in 1...3 as ClosedRange<UInt64> { #expect(run(options, seed: seed).violations == []) }
    }

    @Test func `a change of membership that is never made is found`() {
        var options = options([.register])
        options.spares = 1
        options.steps = [ScenarioStep(at: .seconds(5), action: .join(.server(3)))]
        options.expect.leaderWithin = .seconds(10)
        let report = run(options, seed: 1, .ignoresMembershipChanges)
        #expect(report.violations.map(\.rule) == ["liveness"])
        #expect(report.violations.first?.text.contains("membership") ?? false)
    }

    @Test func `failing writes and syncs lose nothing`() {
        for seed in 1...3 as ClosedRange<UInt64> {
            #expect(run(options([.register], faults: [.diskError, .powerLoss]), seed: seed).violations == [])
        }
    }

    @Test func `a server that takes a failed write for a good one is found`() {
        let hard = options([.register], faults: [.diskError, .powerLoss])
        let isFound = (1...6 as ClosedRange<UInt64>).contains { !run(hard, seed: $0, .ignoresDiskErrors).passed }
        #expect(isFound)
    }

    @Test func `wall clocks that jump break nothing`() {
        #expect(run(options([.register, .session], faults: [.wallClock, .kill]), seed: 1).violations == [])
    }

    // MARK: - Agents that find each other

    private func gossiping() -> RunOptions {
        var options = options([.agent], servers: 1)
        options.gossip = true
        options.agents = 2
        options.workloads = [WorkloadOptions(kind: .agent, clients: 2, rate: 5, objects: 2)]
        return options
    }

    @Test func `agents find their server, and the catalog shows what they register`() {
        var options = gossiping()
        options.steps = [
            ScenarioStep(at: .seconds(8), action: .judgePool), ScenarioStep(at: .seconds(9), action: .kill(.agents)),
            ScenarioStep(at: .seconds(12), action: .start(.agents)),
        ]
        let report = run(options, seed: 1)
        #expect(report.violations == [])
        #expect(report.workloads[0].counts.first?.value ?? 0 > 10)
    }

    @Test func `a pool whose members do not hear each other is found`() {
        var options = gossiping()
        options.workloads = [WorkloadOptions(kind: .register, clients: 1, rate: 1, objects: 1)]
        options.expect.convergedWithin = .seconds(20)
        #expect(run(options, seed: 1, .isDeafToThePool).violations.map(\.rule) == ["liveness"])
        options.steps = [ScenarioStep(at: .seconds(8), action: .judgePool)]
        #expect(run(options, seed: 1, .isDeafToThePool).violations.map(\.rule) == ["the pool converges"])
    }

    @Test func `services that never reach the catalog are found`() {
        var options = gossiping()
        options.expect.convergedWithin = .minutes(10)
        #expect(run(options, seed: 1, .losesCalls).violations.map(\.rule) == ["the catalog equals what agents registered"])
    }

    @Test func `an agent that forgets what was registered is found`() {
        let found = run(gossiping(), seed: 1, .forgetsRegistrations).violations.map(\.rule)
        #expect(!found.isEmpty && found.allSatisfy { $0 == "an agent keeps what was registered" })
    }

    @Test func `more elections than expected are reported`() {
        var options = options([.register])
        options.steps = [ScenarioStep(at: .seconds(8), action: .pause(.leader))]
        options.expect.maximumElections = 1
        #expect(run(options, seed: 1).violations.map(\.rule) == ["expectation"])
    }
}
