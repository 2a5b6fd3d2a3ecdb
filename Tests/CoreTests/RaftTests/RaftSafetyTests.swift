import Testing

@testable import Core

@Suite struct RaftSafetyTests {
    /// One run: faults for a while, then peace, in which everybody must come to the same state.
    func fuzz(seed: UInt64, servers: Int, reference: Set<Int> = []) -> RaftSimulation {
        let simulation = RaftSimulation(seed: seed, servers: servers, config: RaftSimulation.quick)
        var random = Random(seed: seed &* 977 &+ 5)
        simulation.faults.reference = reference
        if random.chance(0.7) { simulation.faults.drop = [0.005, 0.02, 0.1][Int(random.next() % 3)] }
        if random.chance(0.5) { simulation.faults.duplicate = 0.05 }
        if random.chance(0.3) { simulation.faults.delay = .microseconds(200)..<(.milliseconds(40)) }
        if random.chance(0.3) { simulation.faults.disk = .microseconds(100)..<(.milliseconds(60)) }
        simulation.startAll()
        let calm = random.chance(0.2)
        for _ in 0..<160 {
            simulation.run(for: random.duration(below: .milliseconds(60)))
            if !simulation.violations.isEmpty { return simulation }
            act(simulation, &random, calm: calm)
        }
        heal(simulation)
        let isDone = simulation.run(until: { settled(simulation) }, within: .seconds(30))
        simulation.checkLogs()
        if !isDone, simulation.violations.isEmpty { simulation.violations.append("no agreement within 30 s: \(describe(simulation))") }
        return simulation
    }

    private func act(_ simulation: RaftSimulation, _ random: inout Random, calm: Bool) {
        let host = simulation.hosts[Int(random.next() % UInt64(simulation.hosts.count))]
        for _ in 0..<Int(random.next() % 12) {
            let target = random.chance(0.9) ? simulation.leader ?? host : host
            simulation.propose(target, (0..<Int(random.next() % 200)).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        }
        if random.chance(0.5) { simulation.verify(simulation.leader ?? host) }
        if random.chance(0.05) { simulation.verify(host) }
        if calm { return }
        switch random.next() % 14 {
        case 0, 1: simulation.crash(host)
        case 2, 3, 4: for host in simulation.hosts { simulation.start(host) }
        case 5:
            let a = 1 + Int(random.next() % UInt64(simulation.hosts.count))
            for b in 1...simulation.hosts.count where b != a { simulation.cuts.insert([min(a, b), max(a, b)]) }
        case 6:
            let a = 1 + Int(random.next() % UInt64(simulation.hosts.count)), b = 1 + Int(random.next() % UInt64(simulation.hosts.count))
            if a != b { simulation.cuts.insert([min(a, b), max(a, b)]) }
        case 7, 8: simulation.cuts = []
        case 9: host.disk.isFull = true
        case 10: for host in simulation.hosts { host.disk.isFull = false }
        case 11: simulation.give(host, .transferLeadership(token: 77, to: nil))
        case 12: simulation.give(host, .snapshot(token: 78))
        default: break
        }
    }

    private func heal(_ simulation: RaftSimulation) {
        simulation.cuts = []
        simulation.faults.drop = 0
        for host in simulation.hosts {
            host.disk.isFull = false
            host.disk.failsSync = false
            simulation.start(host)
        }
    }

    private func settled(_ simulation: RaftSimulation) -> Bool {
        guard let leader = simulation.leader, let node = leader.node, node.isEstablished, node.commitIndex == node.lastLogIndex else { return false }
        return simulation.hosts.allSatisfy { $0.node?.lastApplied == node.lastApplied && $0.machine.digest == leader.machine.digest }
    }

    func describe(_ simulation: RaftSimulation) -> String {
        simulation.hosts.map { host in
            guard let node = host.node else { return "\(host.server.id) down" }
            return "\(host.server.id) \(node.role) t\(node.currentTerm) last \(node.lastLogIndex)/\(node.lastLogTerm) commit \(node.commitIndex)"
                + " applied \(node.lastApplied) durable \(node.durableIndex) snap \(node.lastSnapshot?.index ?? 0)"
        }.joined(separator: "; ")
    }

    @Test(arguments: 1...60) func `three servers keep every promise under faults`(seed: Int) {
        let simulation = fuzz(seed: UInt64(seed), servers: 3)
        #expect(simulation.violations == [], "seed \(seed)")
    }

    @Test(arguments: 1...30) func `five servers keep every promise under faults`(seed: Int) {
        let simulation = fuzz(seed: UInt64(seed) + 1000, servers: 5)
        #expect(simulation.violations == [], "seed \(seed)")
    }

    @Test(arguments: 1...30) func `servers of the reference among ours keep every promise`(seed: Int) {
        let simulation = fuzz(seed: UInt64(seed) + 2000, servers: 3, reference: [[1], [1, 2], [2, 3]][seed % 3])
        #expect(simulation.violations == [], "seed \(seed)")
    }

    @Test(arguments: 1...10) func `one server alone keeps every promise`(seed: Int) {
        let simulation = fuzz(seed: UInt64(seed) + 3000, servers: 1)
        #expect(simulation.violations == [], "seed \(seed)")
    }

    @Test func `runs with one seed are the same`() {
        func digest() -> [UInt64] {
            let simulation = fuzz(seed: 4711, servers: 3)
            return simulation.hosts.map { $0.node?.digest ?? 0 } + [UInt64(simulation.acknowledgedCount), UInt64(bitPattern: simulation.now.nanoseconds)]
        }
        #expect(digest() == digest())
    }
}
