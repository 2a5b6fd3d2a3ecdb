import Testing

@testable import Core

/// The failure detector of gossip §9.1, and the answers to others' probes.
@Suite struct MemberlistProbeTests {
    private let bench = MemberlistBench()

    private func addMembers(_ count: UInt8, to bench: MemberlistBench, versions: [UInt8] = [1, 5, 2, 2, 5, 4]) {
        for number in 1...count { bench.tell(MemberlistBench.alive("n\(number)", at: number, versions: versions)) }
        _ = bench.takeQueue()
    }

    private func calls(_ bench: MemberlistBench) -> [(id: CallID, to: Address, bytes: [UInt8], timeout: Duration)] {
        bench.effects.compactMap { effect in
            guard case .call(let id, let to, let bytes, let timeout) = effect else { return nil }
            return (id, to, bytes, timeout)
        }
    }

    @Test func `members are probed in turn, none twice in a round`() {
        addMembers(5, to: bench)
        var probed: [String] = []
        for _ in 0..<10 {
            guard let (to, ping) = bench.nextPing() else { break }
            #expect(ping.source == PingSource(address: [10, 0, 0, 0], port: 8301, node: "me"))
            #expect(to == bench.machine.member(ping.node)?.address.text)
            probed.append(ping.node)
            bench.tell(AckMessage(sequence: ping.sequence))
        }
        #expect(Set(probed.prefix(5)).count == 5)
        #expect(Set(probed.suffix(5)).count == 5)
        #expect(probed.prefix(5) != probed.suffix(5))
    }

    @Test func `an answer in time is reported with its length`() throws {
        addMembers(1, to: bench)
        let (_, ping) = try #require(bench.nextPing())
        bench.now += .milliseconds(20)
        bench.tell(AckMessage(sequence: ping.sequence &+ 7))
        #expect(bench.machine.delegate.pings.isEmpty)
        bench.tell(AckMessage(sequence: ping.sequence, payload: [4, 2]))
        bench.tell(AckMessage(sequence: ping.sequence, payload: [4, 2]))
        #expect(bench.machine.delegate.pings.map(\.name) == ["n1"])
        #expect(bench.machine.delegate.pings.first?.roundTrip == .milliseconds(20))
        #expect(bench.machine.delegate.pings.first?.payload == [4, 2])
    }

    @Test func `whoever does not answer is probed through others and by stream`() throws {
        addMembers(6, to: bench)
        let (target, ping) = try #require(bench.nextPing())
        let start = bench.now
        bench.effects = []
        bench.pass(.milliseconds(500))
        let requests = bench.sent(IndirectPingMessage.self)
        #expect(requests.count == 3)
        #expect(Set(requests.map(\.to)).count == 3)
        for (to, request) in requests {
            #expect(to != target)
            #expect(request.sequence == ping.sequence)
            #expect(request.node == ping.node)
            #expect(NodeAddress(request.target, port: request.port)?.text == target)
            #expect(request.nack)
        }
        let call = try #require(calls(bench).first)
        #expect(call.to == target)
        #expect(call.timeout == .milliseconds(500))
        #expect(call.bytes == ping.encoded)
        // An answer by way of others counts, but tells nothing of the distance.
        bench.now = start + .milliseconds(900)
        bench.tell(AckMessage(sequence: ping.sequence))
        bench.pass(.milliseconds(200))
        #expect(bench.state(ping.node) == .alive)
        #expect(bench.machine.delegate.pings.isEmpty)
        #expect(bench.machine.healthScore == 0)
    }

    @Test func `a stream that answers is enough`() throws {
        addMembers(2, to: bench)
        let (_, ping) = try #require(bench.nextPing())
        bench.effects = []
        bench.pass(.milliseconds(500))
        let call = try #require(calls(bench).first)
        bench.machine.handle(.answered(call.id, AckMessage(sequence: ping.sequence).encoded), at: bench.now, into: &bench.effects)
        bench.pass(.milliseconds(500))
        #expect(bench.state(ping.node) == .alive)
        #expect(
            bench.logs.contains("warn: Was able to connect to \(ping.node) but other probes failed, network may be misconfigured"))
    }

    @Test func `a stream that answers wrongly is not`() throws {
        addMembers(2, to: bench)
        let (_, ping) = try #require(bench.nextPing())
        bench.effects = []
        bench.pass(.milliseconds(500))
        let call = try #require(calls(bench).first)
        bench.machine.handle(.answered(call.id, AckMessage(sequence: ping.sequence &+ 1).encoded), at: bench.now, into: &bench.effects)
        bench.pass(.milliseconds(500))
        #expect(bench.state(ping.node) == .suspect)
        let text = "Sequence number from ack (\(ping.sequence &+ 1)) doesn't match ping (\(ping.sequence))"
        #expect(bench.logs.contains("error: Failed fallback ping: \(text)"))
    }

    @Test func `silence makes suspects, and helpers that are silent too make us doubt ourselves`() throws {
        addMembers(6, to: bench)
        let (_, ping) = try #require(bench.nextPing())
        bench.pass(.milliseconds(500))
        bench.tell(NackMessage(sequence: ping.sequence))
        bench.pass(.milliseconds(500))
        #expect(bench.state(ping.node) == .suspect)
        // Three nacks were due, one came.
        #expect(bench.machine.healthScore == 2)
        #expect(bench.logs.contains("info: Suspect \(ping.node) has failed, no acks received"))
    }

    @Test func `all nacks mean that the fault is not ours`() throws {
        addMembers(6, to: bench)
        let (_, ping) = try #require(bench.nextPing())
        bench.pass(.milliseconds(500))
        for _ in 0..<4 { bench.tell(NackMessage(sequence: ping.sequence)) }
        bench.pass(.milliseconds(500))
        #expect(bench.state(ping.node) == .suspect)
        #expect(bench.machine.healthScore == 0)
    }

    @Test func `members that know no nacks cost one point, and no stream where it is unknown`() throws {
        addMembers(6, to: bench, versions: [1, 2, 2, 2, 5, 4])
        _ = try #require(bench.nextPing())
        bench.effects = []
        bench.pass(.milliseconds(500))
        #expect(bench.sent(IndirectPingMessage.self).allSatisfy { !$0.message.nack })
        #expect(calls(bench).isEmpty)
        bench.pass(.milliseconds(500))
        #expect(bench.machine.healthScore == 1)
    }

    @Test func `doubt in ourselves gives others more time`() throws {
        addMembers(6, to: bench)
        bench.dead("me", 1)
        bench.dead("me", 2)
        #expect(bench.machine.healthScore == 2)
        let (_, ping) = try #require(bench.nextPing())
        bench.pass(.milliseconds(2_900))
        #expect(bench.state(ping.node) == .alive)
        bench.tell(AckMessage(sequence: ping.sequence))
        #expect(bench.machine.healthScore == 1)
        #expect(bench.machine.counters.degradedProbe == 1)
    }

    @Test func `a suspected member is told so with its ping`() throws {
        addMembers(1, to: bench)
        bench.suspect("n1", from: "other")
        _ = bench.takeQueue()
        let (to, ping) = try #require(bench.nextPing())
        #expect(to == "10.0.0.1:8301")
        let suspects = bench.sent(SuspectMessage.self)
        #expect(suspects.count == 1)
        #expect(suspects.first?.message.accusation == Accusation(incarnation: 1, node: "n1", from: "me"))
        guard case .packet(_, let bytes)? = bench.effects.first(where: { if case .packet = $0 { true } else { false } }) else { return }
        #expect(bytes.first == MessageType.checksum.rawValue)
        #expect(bytes == MessageWrappers.checksummed(MessageWrappers.compound([ping.encoded, suspects[0].message.encoded][...])))

        let plain = MemberlistBench { $0.usesBuddySystem = false }
        addMembers(1, to: plain)
        plain.suspect("n1", from: "other")
        _ = plain.takeQueue()
        #expect(plain.nextPing() != nil)
        #expect(plain.sent(SuspectMessage.self).isEmpty)
    }

    @Test func `news rides on pings`() throws {
        addMembers(1, to: bench)
        bench.machine.broadcasts.enqueue([MessageType.user.rawValue, 1, 2, 3])
        bench.tell(PingMessage(sequence: 5, node: "me"))
        #expect(bench.parts.map(\.bytes.first) == [MessageType.ack.rawValue, MessageType.user.rawValue])
        #expect(bench.parts.allSatisfy { $0.to == "10.0.0.9:8301" })
    }

    @Test func `a ping is answered where it says, if it is for us`() {
        bench.tell(PingMessage(sequence: 5, node: "me"))
        bench.tell(PingMessage(sequence: 6, node: "", source: PingSource(address: [10, 0, 0, 3], port: 99, node: "x")))
        bench.tell(PingMessage(sequence: 7, node: "you"))
        let acks = bench.sent(AckMessage.self)
        #expect(acks.map(\.to) == ["10.0.0.9:8301", "10.0.0.3:99"])
        #expect(acks.map(\.message.sequence) == [5, 6])
        #expect(acks.first.map { Array($0.message.payload) } == [0xC0, 0xFF])
        #expect(bench.logs == ["warn: Got ping for unexpected node 'you' from=10.0.0.9:8301"])
    }

    @Test func `a ping for somebody else is passed on, and its answer back`() throws {
        let source = PingSource(address: [10, 0, 0, 7], port: 70, node: "asker")
        let request = IndirectPingMessage(sequence: 42, target: [10, 0, 0, 8], port: 0, node: "n8", nack: true, source: source)
        bench.tell(request)
        let ping = try #require(bench.sent(PingMessage.self).first)
        #expect(ping.to == "10.0.0.8:8301")
        #expect(ping.message.node == "n8")
        #expect(ping.message.source.node == "me")
        bench.effects = []
        bench.tell(AckMessage(sequence: ping.message.sequence, payload: [1]))
        #expect(bench.sent(AckMessage.self).map(\.message) == [AckMessage(sequence: 42)])
        #expect(bench.sent(AckMessage.self).map(\.to) == ["10.0.0.7:70"])
        bench.pass(.seconds(1))
        #expect(bench.sent(NackMessage.self).isEmpty)
    }

    @Test func `without an answer the asker gets a nack, once`() throws {
        bench.tell(IndirectPingMessage(sequence: 42, target: [10, 0, 0, 8], port: 1, node: "n8", nack: true))
        bench.tell(IndirectPingMessage(sequence: 43, target: [10, 0, 0, 8], port: 1, node: "n8", nack: false))
        let ping = try #require(bench.sent(PingMessage.self).first)
        bench.effects = []
        bench.pass(.milliseconds(500))
        #expect(bench.sent(NackMessage.self).map(\.message) == [NackMessage(sequence: 42)])
        #expect(bench.sent(NackMessage.self).map(\.to) == ["10.0.0.9:8301"])
        bench.effects = []
        bench.tell(AckMessage(sequence: ping.message.sequence))
        #expect(bench.effects.isEmpty)
    }

    @Test func `dead and departed members are not probed`() {
        addMembers(3, to: bench)
        bench.dead("n1")
        bench.dead("n2", from: "n2")
        for _ in 0..<6 {
            guard let (_, ping) = bench.nextPing() else { break }
            #expect(ping.node == "n3")
            bench.tell(AckMessage(sequence: ping.sequence))
        }
    }

    @Test func `probes that last too long do not pile up`() throws {
        addMembers(4, to: bench)
        for _ in 0..<3 { bench.dead("me", 100) }
        var starts: [Instant] = []
        for _ in 0..<3 {
            _ = try #require(bench.nextPing())
            starts.append(bench.now)
        }
        // Each takes (1 + score) seconds; the next one starts at once, since a tick went by.
        #expect(zip(starts, starts.dropFirst()).allSatisfy { $1 - $0 >= .seconds(2) })
    }
}
