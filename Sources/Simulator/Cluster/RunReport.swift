import Core

/// What one run came to.
struct RunReport {
    var seed: UInt64
    var scenario: String
    var digest: UInt64
    var events: Int
    var simulated: Duration
    var violations: [Violation]
    /// Histories that could not be decided within the limits: neither passed nor failed.
    var undecided: [String]
    var elections: Int
    var restarts: Int
    var messages: Int
    var lostMessages: Int
    var asked: Int
    var answered: Int
    var workloads: [WorkloadVerdict]
    var faults: [(name: String, count: Int)]

    var passed: Bool { violations.isEmpty }
}

extension Simulation {
    func report() -> RunReport {
        var violations: [Violation] = []
        if let violation = world.violation { violations.append(violation) }
        let verdicts = workloads.map { $0.verdict() }
        // The history of a run that was broken off lacks what was under way.
        let judgesHistories = options.expect.linearizable && world.violation == nil
        for verdict in verdicts { violations += verdict.violations.filter { judgesHistories || $0.rule != "linearizability" } }
        if world.violation == nil { violations += unmetExpectations() }
        return RunReport(
            seed: world.seed, scenario: options.name, digest: world.digest.value, events: world.events, simulated: world.now - .zero,
            violations: violations, undecided: verdicts.flatMap(\.undecided), elections: raft.elections, restarts: restarts,
            messages: network.messages, lostMessages: network.lost, asked: hub.asked, answered: hub.answered, workloads: verdicts,
            faults: FaultKind.allCases.map { ($0.name, faultCounts[Int($0.rawValue)]) }.filter { $0.1 > 0 })
    }

    private func unmetExpectations() -> [Violation] {
        var violations: [Violation] = []
        func expect(_ holds: Bool, _ text: String) {
            if !holds { violations.append(Violation(rule: "expectation", text: text)) }
        }
        expect(hub.answered >= options.expect.minimumAnswered, "\(hub.answered) answers, expected \(options.expect.minimumAnswered)")
        expect(
            raft.elections >= options.expect.minimumElections, "\(raft.elections) elections, expected \(options.expect.minimumElections)")
        if let most = options.expect.maximumElections {
            expect(raft.elections <= most, "\(raft.elections) elections, at most \(most) expected")
        }
        for index in options.expect.refuseToStart {
            expect(server(index).refusal != nil, "s\(index + 1) did not refuse to start from a damaged disk")
        }
        return violations
    }
}
