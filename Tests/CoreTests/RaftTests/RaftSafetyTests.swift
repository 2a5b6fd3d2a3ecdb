import Foundation
import Testing

@testable import Core

/// How many seeds a test runs by default; RAFT_FUZZ multiplies it.
private func seeds(_ count: Int) -> ClosedRange<Int> {
    1...count * max(1, Int(ProcessInfo.processInfo.environment["RAFT_FUZZ"] ?? "") ?? 1)
}

@Suite struct RaftSafetyTests {
    /// One run: a phase with faults, then one without, in which all servers must come to the same state.
    func fuzz(
        seed: UInt64, servers: Int, voters: Int? = nil, reference: Set<Int> = [], restores: Bool = false, trace: Bool = false
    ) -> RaftSimulation {
        let simulation = RaftSimulation(seed: seed, servers: servers, config: RaftSimulation.quick)
        var random = Random(seed: seed &* 977 &+ 5)
        simulation.faults.reference = reference
        if random.chance(0.7) { simulation.faults.drop = [0.005, 0.02, 0.1][Int(random.next() % 3)] }
        if random.chance(0.5) { simulation.faults.duplicate = 0.05 }
        if random.chance(0.3) { simulation.faults.delay = .microseconds(200)..<(.milliseconds(40)) }
        if random.chance(0.3) { simulation.faults.disk = .microseconds(100)..<(.milliseconds(60)) }
        simulation.faults.clocksJump = random.chance(0.2)
        if trace {
            simulation.onEffect = { host, effect in
                switch effect {
                case .log(let level, let text): print("\(Double(simulation.now.nanoseconds) / 1e9) \(host.server.id) \(level) \(text)")
                case .becameLeader, .lostLeadership, .fatal, .installSnapshot, .resetState, .leaderChanged:
                    print("\(Double(simulation.now.nanoseconds) / 1e9) \(host.server.id) \(effect)")
                default: break
                }
            }
        }
        simulation.startAll(voters: voters)
        let calm = random.chance(0.2)
        for _ in 0..<160 {
            simulation.run(for: random.duration(below: .milliseconds(60)))
            if !simulation.violations.isEmpty { return simulation }
            act(simulation, &random, calm: calm)
            if voters != nil, random.chance(0.2) { changeMembership(simulation, &random) }
            if restores, random.chance(0.1), let leader = simulation.leader { simulation.restore(leader) }
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
        if simulation.faults.clocksJump, random.chance(0.2) { host.skew = random.duration(below: .seconds(3)) - .seconds(1) }
        switch random.next() % 15 {
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
        case 13: if random.chance(0.3) { host.disk.failsSync = true }
        default: break
        }
    }

    private func changeMembership(_ simulation: RaftSimulation, _ random: inout Random) {
        guard let leader = simulation.leader else { return }
        let host = simulation.hosts[Int(random.next() % UInt64(simulation.hosts.count))]
        let change: MembershipChange =
            switch random.next() % 4 {
            case 0: .addNonvoter(id: host.server.id, address: host.server.address)
            case 1: .addVoter(id: host.server.id, address: host.server.address)
            case 2: .demoteVoter(id: host.server.id)
            default: .removeServer(id: host.server.id)
            }
        simulation.give(leader, .changeMembership(token: 79, change))
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
        guard let leader = simulation.leader, let node = leader.node, node.isEstablished, node.commitIndex == node.lastLogIndex else {
            return false
        }
        return simulation.hosts.allSatisfy { host in
            node.configuration[host.server.id] == nil
                || host.node?.lastApplied == node.lastApplied && host.machine.digest == leader.machine.digest
        }
    }

    func describe(_ simulation: RaftSimulation) -> String {
        simulation.hosts.map { host in
            guard let node = host.node else { return "\(host.server.id) down" }
            return
                "\(host.server.id) \(node.role) t\(node.currentTerm)"
                + " last \(node.lastLogIndex)/\(node.lastLogTerm) commit \(node.commitIndex)"
                + " applied \(node.lastApplied) durable \(node.durableIndex) snap \(node.lastSnapshot?.index ?? 0)"
        }.joined(separator: "; ")
    }

    @Test(arguments: seeds(40)) func `three servers keep every promise under faults`(seed: Int) {
        let simulation = fuzz(seed: UInt64(seed), servers: 3)
        #expect(simulation.violations == [], "seed \(seed)")
    }

    @Test(arguments: seeds(20)) func `five servers keep every promise under faults`(seed: Int) {
        let simulation = fuzz(seed: UInt64(seed) + 1000, servers: 5)
        #expect(simulation.violations == [], "seed \(seed)")
    }

    @Test(arguments: seeds(20)) func `servers of the reference among ours keep every promise`(seed: Int) {
        let simulation = fuzz(seed: UInt64(seed) + 2000, servers: 3, reference: [[1], [1, 2], [2, 3]][seed % 3])
        #expect(simulation.violations == [], "seed \(seed)")
    }

    @Test(arguments: seeds(10)) func `one server alone keeps every promise`(seed: Int) {
        let simulation = fuzz(seed: UInt64(seed) + 3000, servers: 1)
        #expect(simulation.violations == [], "seed \(seed)")
    }

    @Test(arguments: seeds(30)) func `servers that come and go keep every promise`(seed: Int) {
        let simulation = fuzz(seed: UInt64(seed) + 4000, servers: 5, voters: 3)
        #expect(simulation.violations == [], "seed \(seed)")
    }

    @Test(arguments: seeds(20)) func `a restored snapshot reaches everybody or nobody`(seed: Int) {
        let simulation = fuzz(seed: UInt64(seed) + 5000, servers: 3, restores: true)
        #expect(simulation.violations == [], "seed \(seed)")
    }

    @Test func `runs with one seed are the same`() {
        func digest() -> [UInt64] {
            let simulation = fuzz(seed: 4711, servers: 3)
            return simulation.hosts.map { $0.node?.digest ?? 0 } + [
                UInt64(simulation.acknowledgedCount), UInt64(bitPattern: simulation.now.nanoseconds),
            ]
        }
        #expect(digest() == digest())
    }
}
