import Core
import Testing

@testable import Simulator

/// What a stranger sends, and runs of the production agent that bear it.
@Suite(.serialized) struct StrangerTests {
    private func bytes(_ message: StrangerMessage) -> [UInt8] {
        switch message {
        case .call(_, let bytes), .packet(_, let bytes), .request(let bytes), .question(let bytes, _): bytes
        }
    }

    @Test func `a stranger of the same seed sends the same`() {
        var one = Stranger(seed: 7), same = Stranger(seed: 7), other = Stranger(seed: 8)
        var differ = 0
        for _ in 0..<500 {
            let message = bytes(one.message(gossip: true))
            #expect(message == bytes(same.message(gossip: true)))
            if message != bytes(other.message(gossip: true)) { differ += 1 }
        }
        #expect(differ > 400)
    }

    @Test func `a real message is never sent whole`() {
        var stranger = Stranger(seed: 1)
        var cut = 0
        // The byte 0xEE stands in nothing that a stranger makes up, except in noise.
        let real: [UInt8] = [3] + [UInt8](repeating: 0xEE, count: 60)
        for channel in [Channel.raft, .rpc, .lan] { stranger.overheard(channel, real) }
        stranger.overheard(nil, real)
        for _ in 0..<5_000 {
            let sent = bytes(stranger.message(gossip: true))
            #expect(sent != real)
            if sent.count > 10, real.starts(with: sent) { cut += 1 }
        }
        #expect(cut > 100)
    }

    @Test func `every port gets something`() {
        var stranger = Stranger(seed: 2)
        var ports: Set<String> = []
        for _ in 0..<2_000 {
            switch stranger.message(gossip: true) {
            case .call(let channel, _): ports.insert("call \(channel)")
            case .packet(let pool, _): ports.insert("packet \(pool)")
            case .request: ports.insert("request")
            case .question(_, let tcp): ports.insert("question \(tcp)")
            }
        }
        #expect(
            ports == [
                "call raft", "call rpc", "call snapshot", "call lan", "packet lan", "request", "question true", "question false",
            ])
    }

    @Test func `a stranger stops nobody, and clients see nothing of it`() {
        var options = RunOptions()
        options.servers = 3
        options.duration = .seconds(20)
        options.clientTimeout = .seconds(3)
        options.workloads = [WorkloadKind.register, .catalog, .agent].map {
            WorkloadOptions(kind: $0, clients: 3, rate: 10, objects: 1)
        }
        options.gossip = true
        options.agents = 1
        options.expect.convergedWithin = .minutes(5)
        options.faults = [
            FaultRate(kind: .garbage, interval: .seconds(2), lasting: .seconds(10)...(.seconds(10))),
            FaultRate(kind: .kill, interval: .seconds(8), lasting: .seconds(1)...(.seconds(2))),
        ]
        for seed in 1...5 as ClosedRange<UInt64> {
            let report = Simulation<Product>(options, seed: seed).run()
            #expect(report.violations == [], "seed \(seed)")
            #expect(report.faults.contains { $0.name == "garbage" && $0.count > 3 })
            #expect(report.answered > 100)
        }
    }
}
