import Testing

@testable import Core

@Suite struct PeerPoolTests {
    @Test func `RPC calls share one connection and use its streams again`() {
        var harness = PortHarness()
        for round in 0..<5 as Range<UInt64> {
            for id in 0..<10 as Range<UInt64> { harness.call(round * 10 + id, .rpc, PortSamples.rpc(id)) }
            harness.settle()
            for place in 0..<10 { harness.reply(Int(round) * 10 + place, PortSamples.reply(1)) }
            harness.settle()
        }
        #expect(harness.dials.count == 1 && harness.answered.count == 50)
        #expect(harness.asked.allSatisfy { $0.call.channel == .rpc })
        #expect(harness.asked.map { $0.call.bytes }.filter { $0 == PortSamples.rpc(3) }.count == 5)
        #expect(harness.pool.connection(0)?.callCount == 0)
    }

    @Test func `answers of any size find their calls, in any order, however the bytes are cut`() {
        for seed in 0..<10 as Range<UInt64> {
            var harness = PortHarness(seed: seed)
            harness.pieceMax = 100_000
            for id in 0..<30 as Range<UInt64> {
                let size = Int.random(in: 0...400_000, using: &harness.random)
                harness.call(
                    id, .rpc,
                    PortSamples.rpc(
                        id,
                        [0xC6] + [0, UInt8(size >> 16), UInt8(size >> 8 & 255), UInt8(size & 255)]
                            + [UInt8](repeating: UInt8(id), count: size)))
            }
            harness.settle()
            #expect(harness.asked.count == 30)
            for place in (0..<30).shuffled(using: &harness.random) {
                let request = try? RPCRequest(decoding: harness.asked[place].call.bytes)
                harness.reply(place, PortSamples.reply(request?.sequence ?? 0, 1_000 * Int(request?.sequence ?? 0)))
                if Bool.random(using: &harness.random) { harness.settle() }
            }
            harness.settle()
            for id in 0..<30 as Range<UInt64> { #expect(harness.answer(id) == PortSamples.reply(id, 1_000 * Int(id))) }
        }
    }

    @Test func `a stream on which a call failed is not used again, and no more are kept idle than may be`() {
        var limits = PortLimits.server
        limits.idleStreamsMax = 2
        var harness = PortHarness(limits: limits)
        harness.call(1, .rpc, PortSamples.rpc(1))
        harness.settle()
        harness.reply(0, RPCReply.encode(sequence: 1, method: "KVS.Get", error: "No cluster leader"))
        harness.settle()
        #expect(harness.answer(1) != nil)
        for id in 2..<7 as Range<UInt64> { harness.call(id, .rpc, PortSamples.rpc(id)) }
        harness.settle()
        for place in 1..<6 { harness.reply(place, PortSamples.reply(1)) }
        harness.settle()
        #expect(harness.answered.count == 6 && harness.dials.count == 1)
        let caller = harness.pool.connection(0)
        #expect(caller?.callCount == 0)
        for id in 7..<9 as Range<UInt64> { harness.call(id, .rpc, PortSamples.rpc(id)) }
        harness.settle()
        for place in 6..<8 { harness.reply(place, PortSamples.reply(1)) }
        harness.settle()
        #expect(harness.answered.count == 8)
    }

    @Test func `all who wait for one dial are told why it failed, in the reference's words`() {
        var harness = PortHarness()
        harness.unreachable["10.0.0.2:8300"] = "connect: connection refused"
        harness.silent = ["10.0.0.3:8300"]
        harness.call(1, .rpc, PortSamples.rpc(1), to: "10.0.0.2:8300")
        let dial = "dial tcp 10.0.0.9:0->10.0.0.2:8300: connect: connection refused"
        #expect(harness.failure(1) == dial)
        harness.call(2, .raft, PortSamples.append(1), to: "10.0.0.2:8300")
        #expect(harness.failure(2) == "dial tcp 10.0.0.9:0->10.0.0.2:8300: connect: connection refused")
        harness.call(3, .lan, [0, 0x80], to: "10.0.0.2:8300")
        #expect(harness.failure(3) == "dial tcp 10.0.0.2:8300: connect: connection refused")
        harness.call(4, .rpc, PortSamples.rpc(1), to: "10.0.0.3:8300", seconds: 60)
        harness.call(5, .rpc, PortSamples.rpc(1), to: "10.0.0.3:8300", seconds: 3)
        harness.pass(.seconds(3))
        #expect(harness.failure(5) == "dial tcp 10.0.0.9:0->10.0.0.3:8300: i/o timeout")
        harness.call(6, .rpc, PortSamples.rpc(1), to: "10.0.0.3:8300", seconds: 60)
        for _ in 0..<8 { harness.pass(.seconds(1)) }
        #expect(harness.failure(4) == "dial tcp 10.0.0.9:0->10.0.0.3:8300: i/o timeout")
        #expect(harness.failure(6) == harness.failure(4))
        #expect(harness.pool.connectionCount == 0 && harness.pool.callCount == 0)
    }

    @Test func `appends follow each other on a connection of their own; other calls of Raft have theirs`() {
        var harness = PortHarness()
        for id in 0..<100 as Range<UInt64> { harness.call(id, .raft, PortSamples.append(id)) }
        harness.call(100, .raft, PortSamples.heartbeat(1))
        harness.call(101, .raft, VoteRequest(term: 3, candidate: [1]).encoded(.requestVote))
        harness.settle()
        #expect(harness.dials.count == 3)
        let appends = harness.asked.filter { $0.wire == 0 }
        #expect(appends.map { $0.call.bytes } == (0..<100).map { PortSamples.append($0) })
        // The vote and the heartbeat are answered first, and the appends from the last to the first: they go out in their order.
        for place in harness.asked.indices.reversed() { harness.reply(place, PortSamples.appended(UInt64(place))) }
        harness.settle()
        #expect(harness.answered.filter { $0 < 100 } == Array(0..<100))
        #expect(harness.results.count == 102)
        harness.call(102, .raft, PortSamples.heartbeat(2))
        harness.settle()
        #expect(harness.dials.count == 3)
    }

    @Test func `no more free connections of Raft are kept than the reference keeps`() {
        var harness = PortHarness()
        for id in 0..<6 as Range<UInt64> { harness.call(id, .raft, PortSamples.heartbeat(id)) }
        harness.settle()
        #expect(harness.pool.connectionCount == 6)
        for place in 0..<6 { harness.reply(place, PortSamples.appended(1)) }
        harness.settle()
        #expect(harness.pool.connectionCount == 3 && harness.answered.count == 6)
    }

    @Test func `a snapshot request has a connection of its own, which ends with it`() {
        var harness = PortHarness()
        var request = SnapshotRequest()
        request.operation = SnapshotRequest.restore
        let restore = request.encoded + [UInt8](repeating: 9, count: 100_000)
        request.operation = SnapshotRequest.save
        harness.call(1, .snapshot, restore)
        harness.call(2, .snapshot, request.encoded)
        harness.settle()
        #expect(harness.dials.count == 2 && harness.asked.allSatisfy { $0.call.channel == .snapshot })
        let places = [restore, request.encoded].map { bytes in harness.asked.firstIndex { $0.call.bytes == bytes }! }
        let archive = [UInt8](repeating: 3, count: 500_000)
        harness.reply(places[0], [7])
        harness.reply(places[1], archive)
        harness.settle()
        #expect(harness.answer(1) == [7] && harness.answer(2) == archive)
        #expect(harness.pool.connectionCount == 0 && harness.pool.callCount == 0)
        // A peer that closes the connection without an answer fails the call.
        harness.call(3, .snapshot, request.encoded)
        harness.settle()
        harness.refuse(2)
        harness.settle()
        #expect(harness.failure(3) == "EOF")
        harness.unreachable["10.0.0.1:8300"] = "connect: connection refused"
        harness.call(4, .snapshot, request.encoded)
        #expect(harness.failure(4) == "dial tcp 10.0.0.9:0->10.0.0.1:8300: connect: connection refused")
    }

    @Test func `a snapshot's bytes belong to its call`() {
        var harness = PortHarness()
        harness.pieceMax = 200_000
        var request = InstallSnapshotRequest()
        request.size = 3_000_000
        let state = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        harness.call(1, .raft, request.encoded + state)
        harness.call(2, .raft, PortSamples.heartbeat(1))
        harness.settle()
        #expect(harness.asked.contains { $0.call.bytes == request.encoded + state })
        for place in 0..<2 { harness.reply(place, PortSamples.appended(1)) }
        harness.settle()
        #expect(harness.answered.count == 2)
    }

    @Test func `a call that takes too long leaves the streams of others alone, but ends a connection of Raft`() {
        var harness = PortHarness()
        harness.call(1, .rpc, PortSamples.rpc(1), seconds: 1)
        harness.call(2, .rpc, PortSamples.rpc(2), seconds: 9)
        harness.call(3, .raft, PortSamples.append(1), seconds: 1)
        harness.call(4, .raft, PortSamples.append(2), seconds: 9)
        harness.settle()
        harness.pass(.seconds(1))
        harness.settle()
        #expect(harness.failure(1) == "i/o deadline reached")
        #expect(harness.failure(3) == "read tcp 10.0.0.9:4711->10.0.0.1:8300: i/o timeout")
        #expect(harness.failure(4) == "read tcp 10.0.0.9:4711->10.0.0.1:8300: use of closed network connection")
        for place in harness.asked.indices where harness.asked[place].call.channel == .rpc { harness.reply(place, PortSamples.reply(1)) }
        harness.settle()
        #expect(harness.answer(2) != nil && harness.answered == [2])
        #expect(harness.pool.connectionCount == 1)
    }

    @Test func `the death of a peer fails its calls, and the next one dials anew`() {
        var harness = PortHarness()
        harness.call(1, .rpc, PortSamples.rpc(1))
        harness.call(2, .rpc, PortSamples.rpc(2))
        harness.call(3, .raft, PortSamples.append(1))
        harness.call(4, .raft, PortSamples.heartbeat(1))
        harness.settle()
        harness.die(0)
        harness.die(1, "connection reset by peer")
        harness.die(2)
        #expect(harness.failure(1) == "EOF" && harness.failure(2) == "EOF")
        #expect(harness.failure(3) == "read tcp 10.0.0.9:4711->10.0.0.1:8300: read: connection reset by peer")
        #expect(harness.failure(4) == "EOF")
        harness.call(5, .rpc, PortSamples.rpc(5))
        harness.settle()
        harness.reply(harness.asked.count - 1, PortSamples.reply(5))
        harness.settle()
        #expect(harness.answer(5) != nil && harness.dials.count == 4)
    }

    @Test func `a refused call ends its stream, or the connection where there are no streams`() {
        var harness = PortHarness()
        harness.call(1, .rpc, PortSamples.rpc(1))
        harness.call(2, .rpc, PortSamples.rpc(2))
        harness.call(3, .raft, PortSamples.heartbeat(1))
        harness.settle()
        for place in harness.asked.indices where harness.asked[place].call.bytes != PortSamples.rpc(2) { harness.refuse(place) }
        harness.settle()
        #expect(harness.failure(1) == "EOF" && harness.failure(3) == "EOF")
        #expect(harness.results[2] == nil && harness.pool.connectionCount == 1)
    }

    @Test func `idle connections are closed after their time`() {
        var harness = PortHarness()
        harness.call(1, .rpc, PortSamples.rpc(1))
        harness.call(2, .rpc, PortSamples.rpc(2), to: "10.0.0.2:8300", seconds: 1_000)
        harness.settle()
        harness.reply(0, PortSamples.reply(1))
        harness.settle()
        for _ in 0..<119 {
            harness.pass(.seconds(1))
            harness.settle()
        }
        #expect(harness.pool.connectionCount == 2)
        for _ in 0..<2 {
            harness.pass(.seconds(1))
            harness.settle()
        }
        #expect(harness.pool.connectionCount == 1 && harness.results[2] == nil)
    }

    @Test func `a peer that takes nothing is given up`() {
        var harness = PortHarness()
        harness.call(1, .rpc, PortSamples.rpc(1), seconds: 600)
        harness.settle()
        harness.wires[0]?.inbound.refuse(99)
        // Pings go unanswered.
        for _ in 0..<42 { harness.pass(.seconds(1)) }
        #expect(harness.failure(1) == "EOF")
    }

    @Test func `streams of gossip have a connection each and end with the answer, or with the peer's end`() {
        var harness = PortHarness()
        harness.call(1, .lan, [0, 0x81, 0xA1, 1, 2], to: "10.0.0.4:8301")
        harness.call(2, .lan, [9, 0xC0], to: "10.0.0.4:8301")
        harness.settle()
        #expect(harness.dials.count == 2 && harness.asked.map { $0.call.channel } == [.lan, .lan])
        let place = harness.asked.firstIndex { $0.call.bytes.count == 5 } ?? 0
        harness.reply(place, [2, 0x81, 0xA1, 5, 5])
        harness.reply(1 - place, [])
        harness.settle()
        #expect(harness.answer(1) == [2, 0x81, 0xA1, 5, 5] && harness.answer(2) == [])
        #expect(harness.pool.connectionCount == 0)
    }

    @Test func `answers of gossip hold no more memory than they may, over all streams`() {
        var limits = PortLimits.server
        limits.gossipAnswersMax = 2_500
        let pool = PeerPool(limits: limits, boundAddress: "127.0.0.1")
        var effects: [PeerPool.Effect] = []
        // A push/pull answer that announces states and does not end: type, header of a map, and a long name.
        let beginning: [UInt8] = [6, 0xDB, 0, 1, 0, 0] + [UInt8](repeating: 7, count: 994)
        func failures() -> [CallID] { effects.compactMap { if case .failed(let id, _) = $0 { id } else { nil } } }
        func stream(_ number: UInt64) -> Int {
            pool.call(CallID(incoming: number), to: "10.0.0.4:8301", .lan, [9], timeout: .seconds(10), at: .zero, into: &effects)
            let dials: [Int] = effects.compactMap { if case .dial(let id, _, _) = $0 { id } else { nil } }
            pool.connected(dials[dials.count - 1], path: "", at: .zero, into: &effects)
            pool.received(dials[dials.count - 1], beginning.span, at: .zero, into: &effects)
            return dials[dials.count - 1]
        }
        let first = stream(0)
        for number in 1..<4 as Range<UInt64> {
            _ = stream(number)
            #expect(failures().count == Int(number) - 1)
        }
        // Streams that end make room.
        pool.closed(first, "reset", at: .zero, into: &effects)
        _ = stream(9)
        #expect(!failures().contains(CallID(incoming: 9)))
    }

    @Test func `calls beyond the limits are refused`() {
        var limits = PortLimits.server
        limits.callsPerPeerMax = 2
        limits.gossipStreamsMax = 1
        var harness = PortHarness(limits: limits)
        for id in 0..<3 as Range<UInt64> { harness.call(id, .rpc, PortSamples.rpc(id)) }
        #expect(harness.failure(2) == "dial tcp 10.0.0.1:8300: too many calls")
        harness.call(3, .lan, [9], to: "10.0.0.4:8301")
        harness.call(4, .lan, [9], to: "10.0.0.4:8301")
        #expect(harness.failure(4) == "dial tcp 10.0.0.4:8301: too many streams")
    }

    @Test func `more calls than streams may be opened at once wait for their turn`() {
        var harness = PortHarness()
        for id in 0..<1_000 as Range<UInt64> { harness.call(id, .rpc, PortSamples.rpc(id)) }
        harness.settle()
        #expect(harness.asked.count == 1_000 && harness.dials.count == 1)
        for place in 0..<1_000 { harness.reply(place, PortSamples.reply(1)) }
        harness.settle()
        #expect(harness.answered.count == 1_000)
    }
}
