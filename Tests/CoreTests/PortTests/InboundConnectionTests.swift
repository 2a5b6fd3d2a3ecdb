import Foundation
import Testing

@testable import Core

@Suite struct InboundConnectionTests {
    private func feed(_ connection: InboundConnection, _ bytes: [UInt8], cut: Int = .max) -> [InboundCall] {
        var calls: [InboundCall] = []
        var from = 0
        while from < bytes.count {
            let count = min(cut, bytes.count - from)
            connection.receive(bytes.span.extracting(from..<from + count), at: .zero, into: &calls)
            from += count
        }
        return calls
    }

    private func server(_ limits: PortLimits = .server) -> InboundConnection { InboundConnection(.server, limits: limits, at: .zero) }

    private func output(_ connection: InboundConnection) -> [UInt8] {
        var out: [UInt8] = []
        while let bytes = connection.output.withFirst({ Array(copying: $0.bytes) }) {
            out += bytes
            connection.wrote(bytes.count)
        }
        return out
    }

    private func reply(_ connection: InboundConnection, _ serial: UInt32, _ bytes: [UInt8]) -> [InboundCall] {
        var calls: [InboundCall] = []
        connection.reply(serial, bytes, at: .zero, into: &calls)
        return calls
    }

    @Test func `the reference's calls of Raft are told apart, wherever they are cut`() throws {
        let object = try JSONSerialization.jsonObject(with: vectorFile("rpc-raft.json")) as? [String: Any]
        let samples = try #require(object?["raft_rpc"] as? [[String: Any]])
        var requests: [[UInt8]] = []
        for sample in samples {
            var bytes = hex(sample["request_hex_including_type_byte"] as? String ?? "")
            if bytes.isEmpty { continue }
            if let map = sample["request"] as? [String: Any], let size = map["Size"] as? Int { bytes += [UInt8](repeating: 9, count: size) }
            requests.append(bytes)
        }
        #expect(requests.count > 8)
        for cut in [1, 2, 7, 100, 4_096, Int.max] {
            let connection = server()
            let calls = feed(connection, [1] + requests.flatMap { $0 }, cut: cut)
            #expect(calls.map(\.bytes) == requests && calls.allSatisfy { $0.channel == .raft })
            for (place, call) in calls.enumerated().reversed() { _ = reply(connection, call.serial, [UInt8(place)]) }
            #expect(output(connection) == requests.indices.map { UInt8($0) })
        }
    }

    @Test func `the answers of the reference are told apart as well`() throws {
        let object = try JSONSerialization.jsonObject(with: vectorFile("rpc-raft.json")) as? [String: Any]
        let samples = try #require(object?["raft_rpc"] as? [[String: Any]])
        let answers = samples.compactMap { sample -> [UInt8]? in
            guard let body = sample["response_hex"] as? String else { return nil }
            return hex((sample["response_error_hex"] as? String ?? "a0") + body)
        }
        #expect(answers.count > 5)
        for cut in [1, 3, 1_000] {
            var assembler = MessageAssembler(.raftAnswer, .server)
            var found: [[UInt8]] = []
            let all = answers.flatMap { $0 }
            for start in stride(from: 0, to: all.count, by: cut) {
                let piece = Array(all[start..<min(all.count, start + cut)])
                var at = 0
                while at < piece.count { if let message = try assembler.assemble(piece.span, &at) { found.append(message) } }
            }
            #expect(found == answers)
        }
    }

    @Test func `plain RPC is served one call after the other`() throws {
        let connection = server()
        let ping = hex("82a353657101ad536572766963654d6574686f64ab5374617475732e50696e6780")
        var calls = feed(connection, [0] + ping + ping + ping.prefix(5))
        #expect(calls.map(\.bytes) == [ping] && !connection.wantsInput)
        calls = reply(connection, calls[0].serial, [1])
        #expect(calls.map(\.bytes) == [ping] && output(connection) == [1])
        calls = reply(connection, calls[0].serial, [2])
        #expect(calls.isEmpty && output(connection) == [2] && connection.wantsInput)
        calls = feed(connection, Array(ping.dropFirst(5)))
        #expect(calls.map(\.bytes) == [ping])
    }

    @Test func `a caller that was not understood is given up behind the answer`() {
        let ping = hex("82a353657101ad536572766963654d6574686f64ab5374617475732e50696e6780")
        let lost = RPCReply.encode(sequence: 1, method: "Status.Nope", error: "rpc: can't find method Status.Nope")
        let refused = RPCReply.encode(sequence: 1, method: "KVS.Get", error: "No path to datacenter")
        let plain = server()
        var calls = feed(plain, [0] + ping + ping)
        calls = reply(plain, calls[0].serial, refused)
        #expect(plain.end == .open && calls.count == 1)
        calls = reply(plain, calls[0].serial, lost)
        #expect(plain.end == .afterOutput && calls.isEmpty && output(plain) == refused + lost)

        let mux = server()
        func frame(_ kind: UInt8, _ flags: UInt8, _ length: Int) -> [UInt8] { [0, kind, 0, flags, 0, 0, 0, 1, 0, 0, 0, UInt8(length)] }
        calls = feed(mux, [4] + frame(1, 1, 0) + frame(0, 0, ping.count) + ping)
        #expect(calls.count == 1)
        _ = output(mux)
        #expect(reply(mux, calls[0].serial, lost).isEmpty)
        // The answer, and the end of the stream, not of the connection.
        #expect(output(mux) == frame(0, 0, lost.count) + lost + frame(1, 4, 0) && mux.end == .open)
        #expect(feed(mux, frame(0, 0, ping.count) + ping).isEmpty && mux.end == .open)
    }

    @Test func `the time for the handshake is as configured`() {
        var limits = PortLimits.server
        limits.handshakeTimeout = .seconds(1)
        let quick = server(limits)
        quick.tick(at: .zero + .seconds(1))
        #expect(quick.end == .now("i/o timeout"))
        limits.handshakeTimeout = .zero
        let patient = server(limits)
        patient.tick(at: .zero + .seconds(10_000))
        #expect(patient.end == .open)
    }

    @Test func `a connection of an unknown protocol is closed without a byte`() {
        for byte in [2, 3, 6, 7, 8, 22, 255] as [UInt8] {
            let connection = server()
            #expect(feed(connection, [byte, 1, 2, 3]).isEmpty)
            #expect(connection.end == .now("unrecognized RPC byte: byte=\(byte)") && connection.output.isEmpty)
        }
    }

    @Test func `a connection that sends nothing is closed after the handshake's time`() {
        let connection = server()
        connection.tick(at: .zero + .seconds(4))
        #expect(connection.end == .open)
        connection.tick(at: .zero + .seconds(5))
        #expect(connection.end == .now("i/o timeout"))
        let other = server()
        _ = feed(other, [1])
        other.tick(at: .zero + .seconds(500))
        #expect(other.end == .open)
    }

    @Test func `an unknown kind of Raft call closes its connection`() {
        let connection = server()
        #expect(feed(connection, [1, 9, 0x80]).isEmpty)
        #expect(connection.end == .now("unknown rpc type 9"))
    }

    @Test func `a snapshot request is whole when its caller has closed its side`() {
        let connection = server()
        let restore: [UInt8] = [0x81, 0xA2, 0x4F, 0x70, 1, 1, 2, 3]
        #expect(feed(connection, [5] + restore, cut: 3).isEmpty)
        var calls: [InboundCall] = []
        connection.receivedEnd(at: .zero, into: &calls)
        #expect(calls.map(\.bytes) == [restore] && calls.first?.channel == .snapshot && connection.end == .open)
        _ = reply(connection, calls[0].serial, [7, 7])
        #expect(output(connection) == [7, 7] && connection.end == .afterOutput)
    }

    @Test func `a request to save is whole when it is read`() throws {
        let object = try JSONSerialization.jsonObject(with: vectorFile("rpc-raft.json")) as? [String: Any]
        let samples = try #require(object?["snapshot_rpc"] as? [[String: Any]])
        let request = hex(samples[0]["request_hex"] as? String ?? "")
        for cut in [1, 7, 1_000] {
            let connection = server()
            let calls = feed(connection, [5] + request, cut: cut)
            #expect(calls.map(\.bytes) == [request] && calls.first?.channel == .snapshot && connection.end == .open)
            var more: [InboundCall] = []
            connection.receivedEnd(at: .zero, into: &more)
            #expect(more.isEmpty && connection.end == .open)
        }
        let damaged = server()
        _ = feed(damaged, [5, 0xC1])
        #expect(damaged.end != .open)
    }

    @Test func `what is too large is refused before it is there`() {
        var limits = PortLimits.server
        limits.messageSizeMax = 1_000
        limits.snapshotSizeMax = 5_000
        let connection = server(limits)
        _ = feed(connection, [0, 0xDB, 0, 0, 4, 0])
        #expect(connection.end == .now("message is too large"))
        let raft = server(limits)
        var request = InstallSnapshotRequest()
        request.size = 5_001
        _ = feed(raft, [1] + request.encoded)
        #expect(raft.end == .now("message is too large"))
    }

    @Test func `the calls of a peer that takes no answers are not read, and it is disconnected in the end`() {
        var limits = PortLimits.server
        limits.outputSizeMax = 1_000
        let connection = server(limits)
        let calls = feed(connection, [1] + PortSamples.heartbeat(1) + PortSamples.heartbeat(2))
        _ = reply(connection, calls[0].serial, [UInt8](repeating: 1, count: 2_000))
        #expect(!connection.wantsInput)
        connection.tick(at: .zero + .seconds(1))
        connection.tick(at: .zero + .seconds(11))
        #expect(connection.end == .now("connection write timeout"))
    }

    @Test func `a peer that takes its answers slowly out of a deep socket buffer stays`() {
        var limits = PortLimits.server
        limits.outputSizeMax = 1_000
        let connection = server(limits)
        let calls = feed(connection, [1] + PortSamples.heartbeat(1))
        _ = reply(connection, calls[0].serial, [UInt8](repeating: 1, count: 2_000))
        for second in 1...60 {
            connection.noteQueued(1_000_000 - second * 1_024)
            connection.tick(at: .zero + .seconds(second))
        }
        #expect(connection.end == .open)
        for second in 61...72 {
            connection.noteQueued(1_000_000 - 60 * 1_024)
            connection.tick(at: .zero + .seconds(second))
        }
        #expect(connection.end == .now("connection write timeout"))
    }

    @Test func `a pipeline that is too long is not read on`() {
        var limits = PortLimits.server
        limits.raftCallsMax = 2
        let connection = server(limits)
        let calls = feed(connection, [1] + (1...5).flatMap { PortSamples.heartbeat($0) })
        #expect(calls.count == 2 && !connection.wantsInput)
        let more = reply(connection, calls[0].serial, [1])
        #expect(more.map(\.bytes) == [PortSamples.heartbeat(3)])
        let rest = reply(connection, calls[1].serial, [2]) + reply(connection, more[0].serial, [3])
        #expect(rest.map(\.bytes) == [PortSamples.heartbeat(4), PortSamples.heartbeat(5)])
        #expect(output(connection) == [1, 2, 3] && !connection.wantsInput)
        for call in rest { #expect(reply(connection, call.serial, [4]).isEmpty) }
        #expect(output(connection) == [4, 4] && connection.wantsInput)
    }

    @Test func `streams of gossip end where their content says`() {
        let inner: [UInt8] = [9, 0x82, 0xA4, 65, 108, 103, 111, 0, 0xA3, 66, 117, 102, 0xA3, 1, 2, 3]
        var pushPull = MessagePackWriter()
        pushPull.bytes = [6]
        pushPull.mapHeader(3)
        pushPull.field("Join", false)
        pushPull.field("Nodes", 2)
        pushPull.field("UserStateLen", 4)
        let streams: [[UInt8]] = [
            inner, [10, 0, 0, 0, 3, 7, 7, 7], [0, 0x80], [13, 0x81, 0xA1, 65, 0xA1, 66],
            pushPull.bytes + [0x81, 0xA1, 65, 1, 0x80] + [1, 2, 3, 4],
            [8, 0x81, 0xAA] + Array("UserMsgLen".utf8) + [3, 9, 9, 9],
        ]
        for stream in streams {
            for cut in [1, 3, Int.max] {
                let connection = InboundConnection(.gossip(.wan), limits: .server, at: .zero)
                #expect(feed(connection, Array(stream.dropLast()), cut: cut).isEmpty)
                let calls = feed(connection, [stream.last!])
                #expect(calls.map(\.bytes) == [stream] && calls.first?.channel == .wan)
            }
        }
        // The machine behind the port says what is wrong with these.
        for stream in [[77, 1, 2], [10, 0xFF, 0, 0, 0]] as [[UInt8]] {
            let connection = InboundConnection(.gossip(.lan), limits: .server, at: .zero)
            #expect(feed(connection, stream).map(\.bytes) == [stream])
        }
    }

    @Test func `the multiplexer holds back what follows an unanswered call of a stream`() {
        let connection = server()
        var session = YamuxSession(.client, at: .zero)
        let id = session.open()
        for sequence in 1...3 as ClosedRange<UInt64> { session.send(id, PortSamples.rpc(sequence)) }
        let other = session.open()
        session.send(other, [6, 1])
        var calls = feed(connection, [4] + session.output.take(), cut: 5)
        #expect(calls.map(\.bytes) == [PortSamples.rpc(1)])
        calls = reply(connection, calls[0].serial, PortSamples.reply(1))
        #expect(calls.map(\.bytes) == [PortSamples.rpc(2)])
        session.close(id)
        #expect(feed(connection, session.output.take()).isEmpty)
        calls = reply(connection, calls[0].serial, PortSamples.reply(2))
        #expect(calls.map(\.bytes) == [PortSamples.rpc(3)])
        calls = reply(connection, calls[0].serial, PortSamples.reply(3))
        #expect(calls.isEmpty && connection.end == .open)
        var ended: [UInt32] = []
        let input = output(connection)
        var at = 0
        while let event = try? session.next(input.span, &at) { if case .ended(let id) = event { ended.append(id) } }
        // The stream of an area's gossip is closed, the other one when all of it is answered.
        #expect(ended == [other, id])
    }

    @Test func `random bytes never trap`() {
        var random = Random(seed: 9)
        for round in 0..<4_000 {
            let port: InboundConnection.Port = round % 3 == 0 ? .gossip(.lan) : .server
            let connection = InboundConnection(port, limits: .server, at: .zero)
            var session = YamuxSession(.client, at: .zero)
            session.send(session.open(), PortSamples.rpc(1))
            let seeds: [[UInt8]] = [
                [0] + PortSamples.rpc(1), [1] + PortSamples.append(1), [4] + session.output.take(), [9, 0x80], [6, 0x81, 0xA5, 78, 111],
            ]
            var calls = feed(
                connection, mutated(seeds.randomElement(using: &random)!, &random), cut: Int.random(in: 1...50, using: &random))
            while let call = calls.popLast() { calls += reply(connection, call.serial, [1, 2, 3]) }
            connection.receivedEnd(at: .zero, into: &calls)
            connection.tick(at: .zero + .seconds(40))
            _ = output(connection)
        }
    }
}
