import CSystem
import Core
import Foundation
import Testing

@testable import Runtime

@Suite(.timeLimit(.minutes(5)), .serialized) struct PeersTests {
    /// Two nodes for the time of a test.
    private func pair(
        limits: PortLimits = .server, gossip: Bool = false, _ body: (_ caller: PeerNode, _ callee: PeerNode) throws -> Void
    ) throws {
        let (caller, callee) = (try PeerNode(limits: limits, gossip: gossip), try PeerNode(limits: limits, gossip: gossip))
        defer {
            caller.stop()
            callee.stop()
        }
        try body(caller, callee)
    }

    @Test func `calls of every kind are answered`() throws {
        try pair(gossip: true) { caller, callee in
            let lan = callee.transport.lanAddress!.description
            let requests: [(Channel, Address, [UInt8])] = [
                (.rpc, callee.address, PeerSamples.rpc([1, 2, 3])), (.raft, callee.address, PeerSamples.append([4])),
                (.raft, callee.address, PeerSamples.heartbeat([5])), (.lan, lan, [9, 0xA1, 6]),
                (.wan, callee.transport.wanAddress!.description, [0, 0x81, 0xA1, 7, 7]),
            ]
            for (channel, address, bytes) in requests {
                let id = caller.call(address, channel, bytes)
                #expect(caller.waitFor(id) == .success(PeerMachine.answer(channel, bytes)))
            }
            #expect(callee.with { $0.calls.map(\.1) } == requests.map(\.0))
            #expect(callee.with { $0.calls.allSatisfy { $0.from.hasPrefix("127.0.0.1:") } })
            // Streams of gossip are over; one connection for RPC, one for appends, one for the rest of Raft.
            caller.until { $0.transport.connectionCount.dialed == 3 }
            callee.until { $0.transport.connectionCount.accepted == 3 }
        }
    }

    @Test func `thousands of calls at a time find their answers`() throws {
        try pair { caller, callee in
            var expected: [UInt64: [UInt8]] = [:]
            for number in 0..<3_000 {
                let body = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: number % 700)
                let (channel, bytes): (Channel, [UInt8]) =
                    number % 2 == 0 ? (.rpc, PeerSamples.rpc(body)) : (.raft, PeerSamples.append(body))
                expected[caller.call(callee.address, channel, bytes)] = PeerMachine.answer(channel, bytes)
            }
            caller.until { $0.with { $0.results.count } == 3_000 }
            for (id, bytes) in expected { #expect(caller.result(id) == .success(bytes)) }
        }
    }

    @Test func `appends arrive in their order, however many there are`() throws {
        try pair { caller, callee in
            let appends: [[UInt8]] = (0..<500).map { PeerSamples.append([UInt8($0 >> 8), UInt8($0 & 255)]) }
            let ids = appends.map { caller.call(callee.address, .raft, $0) }
            caller.until { $0.with { $0.results.count } == 500 }
            #expect(callee.with { $0.calls.map(\.2) } == appends)
            #expect(caller.with { $0.order } == ids)
        }
    }

    @Test func `a heartbeat does not wait behind an append, nor a read behind another`() throws {
        try pair { caller, callee in
            callee.with { $0.behaviour = .pairsBackwards }
            for (first, second, channel) in [
                (PeerSamples.append([1]), PeerSamples.heartbeat([2]), Channel.raft), (PeerSamples.rpc([1]), PeerSamples.rpc([2]), .rpc),
            ] {
                let ids = [caller.call(callee.address, channel, first), caller.call(callee.address, channel, second)]
                #expect(caller.waitFor(ids[0]) == .success(PeerMachine.answer(channel, first)))
                #expect(caller.waitFor(ids[1]) == .success(PeerMachine.answer(channel, second)))
            }
        }
    }

    @Test func `messages of many megabytes come through, both ways`() throws {
        try pair { caller, callee in
            let block = (0..<1_000).map { UInt8(truncatingIfNeeded: $0 &* 13) }
            var large: [UInt8] = []
            for _ in 0..<7_001 { large += block }
            for (channel, bytes) in [(Channel.rpc, PeerSamples.rpc(large)), (.raft, PeerSamples.append(large))] {
                let id = caller.call(callee.address, channel, bytes)
                let small = caller.call(callee.address, .rpc, PeerSamples.rpc([1]))
                #expect(caller.waitFor(small) == .success(PeerMachine.answer(.rpc, PeerSamples.rpc([1]))))
                #expect(caller.waitFor(id) == .success(PeerMachine.answer(channel, bytes)))
            }
        }
    }

    @Test func `nobody at the address: the reference's words`() throws {
        try pair(gossip: true) { caller, callee in
            let address = callee.address
            callee.stop()
            let refused = "connect: connection refused"
            let first = caller.call(address, .rpc, PeerSamples.rpc([]))
            _ = caller.waitFor(first)
            #expect(caller.failure(first) == "dial tcp 127.0.0.1:0->\(address): \(refused)")
            let raft = caller.call(address, .raft, PeerSamples.append([]))
            _ = caller.waitFor(raft)
            #expect(caller.failure(raft) == "dial tcp 127.0.0.1:0->\(address): \(refused)")
            let lan = caller.call(callee.transport.lanAddress!.description, .lan, [0, 0x80])
            _ = caller.waitFor(lan)
            #expect(caller.failure(lan) == "dial tcp \(callee.transport.lanAddress!): \(refused)")
            let nonsense = caller.call("nowhere", .raft, PeerSamples.append([]))
            _ = caller.waitFor(nonsense)
            #expect(caller.failure(nonsense) == "dial tcp 127.0.0.1:0->nowhere: invalid address")
            #expect(caller.transport.connectionCount.dialed == 0)
        }
    }

    @Test func `a call that is not answered ends at its time`() throws {
        try pair { caller, callee in
            callee.with { $0.behaviour = .hold }
            let ids = [
                caller.call(callee.address, .rpc, PeerSamples.rpc([]), timeout: .milliseconds(30)),
                caller.call(callee.address, .raft, PeerSamples.heartbeat([]), timeout: .milliseconds(30)),
            ]
            let patient = caller.call(callee.address, .rpc, PeerSamples.rpc([9]))
            for id in ids { _ = caller.waitFor(id) }
            #expect(caller.failure(ids[0]) == "i/o deadline reached")
            let text = caller.failure(ids[1]) ?? ""
            #expect(text.hasPrefix("read tcp 127.0.0.1:") && text.hasSuffix("->\(callee.address): i/o timeout"))
            // The late answers do no harm.
            callee.until { $0.with { $0.held.count } == 3 }
            callee.release()
            #expect(caller.waitFor(patient) == .success(PeerMachine.answer(.rpc, PeerSamples.rpc([9]))))
            #expect(caller.with { $0.order.count } == 3)
        }
    }

    @Test func `a refused call fails`() throws {
        try pair { caller, callee in
            callee.with { $0.behaviour = .refuse }
            for (channel, bytes, text) in [
                (Channel.rpc, PeerSamples.rpc([]), "EOF"), (.raft, PeerSamples.heartbeat([]), "EOF"),
            ] {
                let id = caller.call(callee.address, channel, bytes)
                _ = caller.waitFor(id)
                #expect(caller.failure(id) == text)
            }
        }
    }

    @Test func `the death of a peer fails what it has not answered; after its return it is called anew`() throws {
        let caller = try PeerNode()
        defer { caller.stop() }
        let first = try PeerNode()
        let port = first.transport.serverAddress!.port
        first.with { $0.behaviour = .hold }
        let ids = (0..<20).map { number in
            let isRaft = number % 2 == 0
            return caller.call(first.address, isRaft ? .raft : .rpc, isRaft ? PeerSamples.append([1]) : PeerSamples.rpc([1]))
        }
        first.until { $0.with { $0.held.count } == 20 }
        first.stop()
        for id in ids { _ = caller.waitFor(id) }
        for id in ids { #expect(caller.failure(id)?.contains("EOF") == true || caller.failure(id)?.contains("reset by peer") == true) }
        let second = try PeerNode(port: port)
        defer { second.stop() }
        let id = caller.call(second.address, .rpc, PeerSamples.rpc([2]))
        #expect(caller.waitFor(id) == .success(PeerMachine.answer(.rpc, PeerSamples.rpc([2]))))
    }

    @Test func `a callee is told of calls whose callers are gone, by their time, their will and their connection`() throws {
        var limits = PortLimits.server
        limits.streamsMax = 100
        let callee = try PeerNode(limits: limits)
        defer { callee.stop() }
        let caller = try PeerNode()
        callee.with { $0.behaviour = .hold }
        caller.call(callee.address, .rpc, PeerSamples.rpc([1]), timeout: .milliseconds(300))
        callee.until { $0.with { !$0.held.isEmpty && $0.abandoned == $0.held.map(\.0) } }
        // More in all than the connection has streams.
        for _ in 0..<4 {
            let held = callee.with { machine in
                defer { (machine.held, machine.abandoned) = ([], []) }
                return machine.held.map(\.0)
            }
            callee.ask(held.map { .refuse($0) })
            let given = (0..<50).map { _ in caller.call(callee.address, .rpc, PeerSamples.rpc([4])) }
            callee.until { $0.with { $0.held.count } == given.count }
            caller.ask(given.map { .giveUp(CallID(incoming: $0)) })
            callee.until { $0.with { $0.abandoned.count } == given.count }
            #expect(callee.with { Set($0.abandoned) == Set($0.held.map(\.0)) })
        }
        caller.call(callee.address, .rpc, PeerSamples.rpc([2]))
        caller.call(callee.address, .raft, PeerSamples.append([3]))
        callee.until { $0.with { $0.held.count } == 52 }
        caller.stop()
        callee.until { $0.with { Set($0.abandoned) == Set($0.held.map(\.0)) } }
    }

    @Test func `a slow reader gets everything in the end, and holds up nobody else`() throws {
        try pair { caller, callee in
            let reader = RawClient(port: callee.transport.serverAddress!.port)
            let one = PeerSamples.append([UInt8](repeating: 7, count: 50_000))
            let fd = dup(reader.fd)
            let writer = Foundation.Thread {
                var bytes: [UInt8] = [1]
                for _ in 0..<200 { bytes += one }
                bytes.withUnsafeBytes { left in
                    var left = left[...]
                    while !left.isEmpty {
                        let sent = send(fd, UnsafeRawBufferPointer(rebasing: left).baseAddress, left.count, Int32(MSG_NOSIGNAL))
                        if sent <= 0 { break }
                        left = left.dropFirst(sent)
                    }
                }
                close(fd)
            }
            writer.start()
            // It reads nothing while another is served.
            for number in 0..<50 {
                let id = caller.call(callee.address, .rpc, PeerSamples.rpc([UInt8(number)]))
                #expect(caller.waitFor(id) == .success(PeerMachine.answer(.rpc, PeerSamples.rpc([UInt8(number)]))))
            }
            let answer = PeerMachine.answer(.raft, one)
            for _ in 0..<200 { #expect(reader.read(answer.count) == answer) }
        }
    }

    @Test func `a client has no more connections than it may, and what is not spoken is closed`() throws {
        let node = try PeerNode(connectionsMax: 2)
        defer { node.stop() }
        let port = node.transport.serverAddress!.port
        var first = [RawClient(port: port), RawClient(port: port)]
        for client in first { client.write([1] + PeerSamples.heartbeat([1])) }
        for client in first { #expect(client.read(1) == [0xA0]) }
        #expect(RawClient(port: port).read(1) == [])
        first.removeFirst()
        node.until { $0.transport.connectionCount.accepted == 1 }
        let next = RawClient(port: port)
        next.write([2])
        #expect(next.read(1) == [])
    }

    @Test func `a snapshot request ends with its caller's side, and its answer with the connection`() throws {
        let node = try PeerNode()
        defer { node.stop() }
        let client = RawClient(port: node.transport.serverAddress!.port)
        // To restore: `{Op: 1}`, and an archive of one byte.
        let request: [UInt8] = [0x81, 0xA2, 0x4F, 0x70, 1, 9]
        client.write([5] + request)
        client.finish()
        #expect(client.read(7) == request.reversed())
    }

    @Test func `packets go both ways between the ports of the pools`() throws {
        try pair(gossip: true) { caller, callee in
            for (pool, target) in [(GossipPool.lan, callee.transport.lanAddress!), (.wan, callee.transport.wanAddress!)] {
                let own = (pool == .lan ? caller.transport.lanAddress : caller.transport.wanAddress)!.description
                caller.ask((0..<100).map { .packet(pool, to: target.description, [UInt8(ascii: "?"), UInt8($0)]) })
                caller.until { $0.with { $0.packets.filter { $0.0 == pool }.count } == 100 }
                let got = callee.with { $0.packets.filter { $0.0 == pool } }
                #expect(got.count == 100 && got.allSatisfy { $0.1 == own })
                #expect(got.map { $0.2[1] } == Array(0..<100))
            }
            caller.ask([.packet(.lan, to: callee.transport.lanAddress!.description, [UInt8](repeating: 1, count: 60_000))])
            callee.until { $0.with { $0.packets.last?.2.count } == 60_000 }
        }
    }

    @Test func `names are looked up`() throws {
        let node = try PeerNode()
        defer { node.stop() }
        // Each pool has numbers of its own.
        node.ask([
            .resolve(ResolutionID(.lan, 1), host: "localhost"), .resolve(ResolutionID(.lan, 2), host: "no-such-host.invalid"),
            .resolve(ResolutionID(.wan, 1), host: "10.1.2.3"),
        ])
        node.until { $0.with { $0.resolved.count } == 3 }
        #expect((try? node.with { $0.resolved[ResolutionID(.lan, 1)] }?.get())?.contains("127.0.0.1") == true)
        #expect(node.with { $0.resolved[ResolutionID(.lan, 2)] } == .failure(TextError("lookup no-such-host.invalid: no such host")))
        #expect(node.with { $0.resolved[ResolutionID(.wan, 1)] } == .success(["10.1.2.3"]))
    }

    @Test func `ports that are taken are told in the reference's words`() throws {
        let stream = try ListeningSocket.stream(SocketAddress(ip: "127.0.0.1", port: 0)!)
        // On an address of its own, where nobody has the same port of the other protocol.
        let datagrams = try ListeningSocket.datagram(SocketAddress(ip: "127.0.0.77", port: 0)!)
        func problem(_ change: (inout ClusterConfiguration) -> Void) -> String? {
            var configuration = ClusterConfiguration(origin: SocketAddress(ip: "127.0.0.1", port: 0)!)
            change(&configuration)
            return #expect(throws: ListeningSocket.Failure.self) {
                _ = try ClusterTransport(configuration, logger: Logger(level: .error, isHeld: true))
            }?.description
        }
        let listen = "listen tcp \(stream.address): bind: address already in use"
        #expect(problem { $0.server = stream.address } == "Failed to start RPC layer: " + listen)
        let network = "Failed to create memberlist: Could not set up network transport: failed to obtain an address: "
        let tcp = "Failed to start TCP listener on \"127.0.0.1\" port \(stream.address.port): " + listen
        #expect(
            problem {
                $0.server = SocketAddress(ip: "127.0.0.1", port: 0)
                $0.lan = stream.address
            } == "Failed to start LAN Serf: " + network + tcp)
        #expect(problem { $0.lan = stream.address } == "Failed to start lan serf: " + network + tcp)
        #expect(problem { $0.wan = stream.address } == "Failed to start WAN Serf: " + network + tcp)
        #expect(
            problem { $0.wan = datagrams.address } == "Failed to start WAN Serf: " + network
                + "Failed to start UDP listener on \"127.0.0.77\" port \(datagrams.address.port): "
                + "listen udp \(datagrams.address): bind: address already in use")
    }

    @Test func `an agent with a driver is served by the driver's threads`() throws {
        let node = try PeerNode()
        defer { node.stop() }
        let agent = ToyAgent()
        let transport = try ClusterTransport(
            ClusterConfiguration(origin: SocketAddress(ip: "127.0.0.1", port: 0)!), logger: Logger(level: .error, isHeld: true))
        let running = try RunningDriver(agent, peers: transport)
        defer { running.stop() }
        running.agent.willAsk([.call(CallID(incoming: 7), to: node.address, .rpc, PeerSamples.rpc([1]), timeout: .seconds(10))])
        _ = RawClient(port: running.port).put("/ask")
        running.until { running.agent.history.contains { $0.contains("answered") } }
    }
}
