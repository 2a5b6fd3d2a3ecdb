import Testing

@testable import Core

/// Every integer, length and count of every message of memberlist at the values at which arithmetic goes wrong, handed to a live member.
@Suite struct MemberlistBoundaryTests {
    /// The member is there, learns of others, and keeps a bounded number of nodes.
    private func expectProgress(_ bench: MemberlistBench, _ what: String) {
        bench.pass(.seconds(30))
        bench.alive("after", 1_000, at: 99)
        #expect(bench.machine.localNode?.state == .alive && bench.state("after") == .alive, "\(what)")
        #expect(bench.machine.knownCount < 100 && bench.machine.relays.count < 1_000, "\(what)")
    }

    @Test func `no number, length or count in a packet stops a member`() {
        func accusation(_ node: String) -> Accusation { Accusation(incarnation: 1, node: node, from: "b") }
        let messages: [(name: String, bytes: [UInt8])] = [
            ("alive", MemberlistBench.alive("a", meta: [1, 2, 3]).encoded), ("alive of itself", MemberlistBench.alive("me").encoded),
            ("suspect", SuspectMessage(accusation: accusation("a")).encoded),
            ("suspect of itself", SuspectMessage(accusation: accusation("me")).encoded),
            ("dead", DeadMessage(accusation: accusation("a")).encoded),
            ("dead of itself", DeadMessage(accusation: accusation("me")).encoded),
            ("ack", AckMessage(sequence: 1).encoded), ("compressed", MessageWrappers.compressed(MemberlistBench.alive("c").encoded)),
        ]
        for (name, bytes) in messages {
            let message = BoundaryValues(bytes, from: 1)
            #expect(!message.sites.isEmpty)
            for own in [1, 8_301] as [UInt64] {
                let bench = MemberlistBench()
                bench.alive("a")
                for variant in message.variants(own: own) {
                    bench.effects = []
                    bench.packet(variant)
                    bench.pass(.milliseconds(20))
                }
                expectProgress(bench, name)
            }
        }
    }

    @Test func `a user message on a stream that is shorter than it says is refused`() {
        for length: Int64 in [-1, 2, 1 << 32, .max] {
            let bench = MemberlistBench()
            var writer = MessagePackWriter(reservingCapacity: 32)
            writer.bytes.append(MessageType.user.rawValue)
            writer.mapHeader(1)
            writer.field("UserMsgLen", length)
            writer.bytes.append(7)
            bench.machine.handle(.call(CallID(incoming: 1), from: "10.0.0.9:1", writer.bytes), at: bench.now, into: &bench.effects)
            let isRefused = bench.effects.contains { if case .refuse = $0 { true } else { false } }
            #expect(isRefused, "\(length)")
            expectProgress(bench, "a length of \(length)")
        }
    }

    @Test func `no number, length or count in a captured message stops a member`() throws {
        let vectors = try MemberlistVectors()
        for name in ["ping", "indirect_ping", "ack_with_coordinate", "alive_server", "user_msg_stream", "pushpull_stream_plain"] {
            let message = BoundaryValues(vectors[name], from: 1, count: 4)
            let bench = MemberlistBench()
            for (number, variant) in message.variants(own: 8_301).enumerated() {
                bench.effects = []
                bench.packet(variant)
                bench.machine.handle(
                    .call(CallID(incoming: UInt64(number) + 1), from: "10.0.0.9:1", variant), at: bench.now, into: &bench.effects)
                bench.machine.join([.address(MemberlistBench.address(9))], token: 1, at: bench.now, into: &bench.effects)
                for case .call(let id, _, _, _) in bench.effects {
                    bench.machine.handle(.answered(id, variant), at: bench.now, into: &bench.effects)
                }
                bench.pass(.milliseconds(20))
            }
            expectProgress(bench, name)
        }
    }
}
