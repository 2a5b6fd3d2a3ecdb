import Foundation
import Testing

@testable import Core

/// One end with the streams' bytes put together.
struct YamuxEnd {
    var session: YamuxSession
    var received: [UInt32: [UInt8]] = [:]
    var opened: [UInt32] = []
    var ended: [UInt32] = []
    var resets: [UInt32] = []
    var error: YamuxError?
    /// Whether data is consumed as it comes.
    var consumes = true

    init(_ role: YamuxSession.Role, streamsMax: Int = 100) { session = YamuxSession(role, streamsMax: streamsMax, at: .zero) }

    mutating func receive(_ bytes: [UInt8]) {
        var at = 0
        do throws(YamuxError) {
            while let event = try session.next(bytes.span, &at) {
                switch event {
                case .opened(let id): opened.append(id)
                case .data(let id, let range):
                    received[id, default: []] += Array(bytes[range])
                    if consumes { session.consumed(id, range.count) }
                case .ended(let id): ended.append(id)
                case .reset(let id): resets.append(id)
                }
            }
        } catch {
            self.error = error
        }
    }

    mutating func receive(_ header: Yamux.Header, payload: [UInt8] = []) {
        var bytes: [UInt8] = []
        header.append(to: &bytes)
        receive(bytes + payload)
    }

    /// The headers that it sends; payloads are left out.
    mutating func said() -> [Yamux.Header] {
        let bytes = session.output.take()
        var headers: [Yamux.Header] = []
        var at = 0
        while at < bytes.count {
            guard let header = try? Yamux.Header(bytes.span.extracting(at..<bytes.count)) else { break }
            headers.append(header)
            at += 12 + (header.kind == .data ? Int(header.length) : 0)
        }
        return headers
    }
}

@Suite struct YamuxTests {
    @Test func `frames are those of the reference`() throws {
        let object = try JSONSerialization.jsonObject(with: vectorFile("rpc-raft.json")) as? [String: Any]
        let yamux = try #require(object?["yamux"] as? [String: Any])
        let pings = try #require(object?["yamux_ping"] as? [[String: Any]])
        let frames = (yamux["client_frames"] as? [[String: Any]] ?? []) + (yamux["server_frames"] as? [[String: Any]] ?? []) + pings
        #expect(frames.count > 15)
        for frame in frames {
            let bytes = hex(frame["header_hex"] as? String ?? "")
            let header = try Yamux.Header(bytes.span)
            var encoded: [UInt8] = []
            header.append(to: &encoded)
            #expect(encoded == bytes)
            if let type = frame["type"] as? Int {
                #expect(Int(header.kind.rawValue) == type)
                #expect(Int(header.flags.rawValue) == frame["flags"] as? Int)
                #expect(Int(header.stream) == frame["stream"] as? Int)
                #expect(Int(header.length) == frame["length"] as? Int)
            }
        }
    }

    @Test func `a stream opens, carries data both ways and closes as the reference's does`() {
        var client = YamuxEnd(.client)
        var server = YamuxEnd(.server)
        let id = client.session.open()
        client.session.send(id, [1, 2, 3])
        let first = client.session.output.take()
        #expect(hexText(first) == "000100010000000100000000" + "000000000000000100000003" + "010203")
        server.receive(first)
        #expect(server.opened == [1] && server.received[1] == [1, 2, 3])
        #expect(hexText(server.session.output.take()) == "000100020000000100000000")
        server.session.send(1, [4])
        client.receive(server.session.output.take())
        #expect(client.received[1] == [4])
        client.session.close(id)
        let fin = client.session.output.take()
        #expect(hexText(fin) == "000100040000000100000000")
        server.receive(fin)
        #expect(server.ended == [1])
        server.session.close(1)
        client.receive(server.session.output.take())
        #expect(client.ended == [1])
        #expect(client.session.streamCount == 0 && server.session.streamCount == 0)
        #expect(client.session.open() == 3)
    }

    @Test func `no more than the window is sent, and it opens again in halves`() {
        var client = YamuxEnd(.client)
        var server = YamuxEnd(.server)
        server.consumes = false
        let id = client.session.open()
        let message = (0..<600_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        client.session.send(id, message)
        #expect(client.session.pendingCount(id) == 600_000 - Yamux.window)
        server.receive(client.session.output.take())
        #expect(server.received[id]?.count == Yamux.window)
        _ = server.said()
        server.session.consumed(id, 131_071)
        #expect(server.said().isEmpty)
        server.session.consumed(id, 1)
        #expect(server.said() == [Yamux.Header(.windowUpdate, stream: id, length: 131_072)])
        client.receive(Yamux.Header(.windowUpdate, stream: id, length: 131_072))
        server.receive(client.session.output.take())
        #expect(server.received[id]?.count == Yamux.window + 131_072)
        server.consumes = true
        server.session.consumed(id, Yamux.window)
        for _ in 0..<10 {
            client.receive(server.session.output.take())
            server.receive(client.session.output.take())
        }
        #expect(server.received[id] == message)
    }

    @Test func `what is pending is sent before the stream closes`() {
        var client = YamuxEnd(.client)
        let id = client.session.open()
        client.session.send(id, [UInt8](repeating: 1, count: Yamux.window + 5))
        client.session.close(id)
        #expect(client.said().allSatisfy { !$0.flags.contains(.finish) })
        client.receive(Yamux.Header(.windowUpdate, .acknowledge, stream: id, length: 10))
        #expect(client.said() == [Yamux.Header(.data, stream: id, length: 5), Yamux.Header(.windowUpdate, .finish, stream: id)])
    }

    @Test func `flags may ride on data`() {
        var server = YamuxEnd(.server)
        server.receive(Yamux.Header(.data, [.synchronize, .finish], stream: 1, length: 2), payload: [8, 9])
        #expect(server.opened == [1] && server.received[1] == [8, 9] && server.ended == [1])
        server.receive(Yamux.Header(.windowUpdate, [.synchronize, .finish], stream: 3))
        #expect(server.opened == [1, 3] && server.ended == [1, 3])
        server.receive(Yamux.Header(.windowUpdate, [.synchronize, .reset], stream: 5))
        #expect(server.opened == [1, 3, 5] && server.resets == [5])
    }

    @Test func `faults of the protocol end the session, and the peer is told`() {
        let told = Yamux.Header(.goAway, length: 1)
        var server = YamuxEnd(.server)
        server.receive(Yamux.Header(.windowUpdate, .synchronize, stream: 1))
        server.receive(Yamux.Header(.windowUpdate, .synchronize, stream: 1))
        #expect(server.error?.text == "duplicate stream initiated" && server.said().last == told && server.session.isOver)

        server = YamuxEnd(.server)
        server.consumes = false
        server.receive(Yamux.Header(.windowUpdate, .synchronize, stream: 1))
        server.receive(Yamux.Header(.data, stream: 1, length: 262_145))
        #expect(server.error?.text == "recv window exceeded" && server.said().last == told)

        server = YamuxEnd(.server)
        server.receive(Yamux.Header(.windowUpdate, [.synchronize, .finish], stream: 1))
        server.receive(Yamux.Header(.windowUpdate, .finish, stream: 1))
        #expect(server.error?.text == "unexpected flag" && server.said().last == told)

        server = YamuxEnd(.server)
        server.receive(hex("010100010000000100000000"))
        #expect(server.error?.text == "invalid protocol version" && server.said().isEmpty)
        server = YamuxEnd(.server)
        server.receive(hex("000400010000000100000000"))
        #expect(server.error?.text == "invalid msg type" && server.said().isEmpty)
        // Nothing is read after the end.
        server.receive(Yamux.Header(.windowUpdate, .synchronize, stream: 1))
        #expect(server.opened.isEmpty)
    }

    @Test func `frames of unknown streams are passed over`() {
        var server = YamuxEnd(.server)
        server.receive(Yamux.Header(.data, stream: 9, length: 4), payload: [1, 2, 3, 4])
        server.receive(Yamux.Header(.windowUpdate, [.finish], stream: 9, length: 4))
        server.receive(Yamux.Header(.data, [.reset], stream: 9, length: 1), payload: [1])
        server.receive(Yamux.Header(.windowUpdate, .synchronize, stream: 1))
        #expect(server.error == nil && server.opened == [1] && server.received.isEmpty)
    }

    @Test func `pings are answered, and unanswered ones end the session`() throws {
        var server = YamuxEnd(.server)
        server.receive(Yamux.Header(.ping, .synchronize, length: 77))
        #expect(server.said() == [Yamux.Header(.ping, .acknowledge, length: 77)])
        #expect(server.session.deadline == .zero + .seconds(30))
        try server.session.tick(at: .zero + .seconds(29))
        #expect(server.said().isEmpty)
        try server.session.tick(at: .zero + .seconds(30))
        #expect(server.said() == [Yamux.Header(.ping, .synchronize, length: 0)])
        server.receive(Yamux.Header(.ping, .acknowledge, length: 0))
        try server.session.tick(at: .zero + .seconds(60))
        #expect(server.said() == [Yamux.Header(.ping, .synchronize, length: 1)])
        #expect(server.session.deadline == .zero + .seconds(70))
        #expect(throws: YamuxError.keepAliveTimeout) { try server.session.tick(at: .zero + .seconds(70)) }
        #expect(YamuxError.keepAliveTimeout.text == "keepalive timeout" && server.session.isOver)
    }

    @Test func `a peer that goes away gets no new streams, but old ones live on`() {
        var client = YamuxEnd(.client)
        let id = client.session.open()
        client.receive(Yamux.Header(.goAway, length: 0))
        #expect(!client.session.canOpen && !client.session.isUsable && client.error == nil)
        client.receive(Yamux.Header(.data, stream: id, length: 1), payload: [5])
        #expect(client.received[id] == [5])
        client.receive(Yamux.Header(.goAway, length: 1))
        #expect(client.error?.text == "yamux protocol error")
    }

    @Test func `streams have their limits on both sides`() {
        var server = YamuxEnd(.server, streamsMax: 2)
        for id in [1, 3, 5] as [UInt32] { server.receive(Yamux.Header(.windowUpdate, .synchronize, stream: id)) }
        #expect(server.opened == [1, 3])
        #expect(server.said().last == Yamux.Header(.windowUpdate, .reset, stream: 5))
        var client = YamuxEnd(.client)
        var ids: [UInt32] = []
        while client.session.canOpen { ids.append(client.session.open()) }
        #expect(ids.count == 256)
        client.receive(Yamux.Header(.windowUpdate, .acknowledge, stream: 1))
        #expect(client.session.canOpen)
        client.receive(Yamux.Header(.windowUpdate, .reset, stream: 3))
        client.receive(Yamux.Header(.windowUpdate, .reset, stream: 3))
        #expect(client.resets == [3])
        // Servers of the reference open no streams towards a client; a client refuses them.
        client.receive(Yamux.Header(.windowUpdate, .synchronize, stream: 2))
        #expect(client.opened.isEmpty && client.said().last == Yamux.Header(.windowUpdate, .reset, stream: 2))
    }

    @Test func `streams come through however the bytes are cut`() {
        for seed in 0..<10 {
            var random = Random(seed: UInt64(seed))
            var ends = [YamuxEnd(.client), YamuxEnd(.server)]
            var wires: [[UInt8]] = [[], []]
            var sent: [UInt32: [UInt8]] = [:]
            var echoed: [UInt32: Int] = [:]
            for step in 0..<2_000 {
                if step < 500, Int.random(in: 0..<20, using: &random) == 0, ends[0].session.canOpen, sent.count < 20 {
                    sent[ends[0].session.open()] = []
                }
                if step < 500, let id = sent.keys.sorted().randomElement(using: &random) {
                    let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: step), count: Int.random(in: 1...20_000, using: &random))
                    ends[0].session.send(id, bytes)
                    sent[id]! += bytes
                }
                for side in 0..<2 {
                    wires[1 - side] += ends[side].session.output.take()
                    let count = min(wires[side].count, Int.random(in: 0...5_000, using: &random) * (step < 500 ? 1 : 100))
                    ends[side].receive(Array(wires[side].prefix(count)))
                    wires[side].removeFirst(count)
                }
                for id in ends[1].opened {
                    let new = Array((ends[1].received[id] ?? [])[echoed[id, default: 0]...])
                    ends[1].session.send(id, new)
                    echoed[id, default: 0] += new.count
                }
            }
            #expect(ends[0].error == nil && ends[1].error == nil)
            #expect(ends[0].received == sent.filter { !$0.value.isEmpty }, "seed \(seed)")
        }
    }

    @Test func `random bytes neither trap nor are read after the end of the session`() {
        var random = Random(seed: 5)
        for _ in 0..<1_000 {
            var end = YamuxEnd(Bool.random(using: &random) ? .client : .server, streamsMax: 4)
            end.consumes = Bool.random(using: &random)
            if Bool.random(using: &random), end.session.canOpen { _ = end.session.open() }
            for _ in 0..<20 {
                var header: [UInt8] = []
                let kind = [Yamux.Kind.data, .windowUpdate, .ping, .goAway].randomElement(using: &random)!
                let length = [0, 1, 20, 262_144, UInt32.max].randomElement(using: &random)!
                Yamux.Header(
                    kind, Yamux.Flags(rawValue: UInt16.random(in: 0..<16, using: &random)),
                    stream: UInt32.random(in: 0..<6, using: &random),
                    length: kind == .goAway ? 0 : length
                ).append(to: &header)
                end.receive(mutated(header + randomBytes(upTo: 30, &random), &random))
                if let id = end.opened.last { end.session.send(id, [1, 2, 3]) }
                _ = end.session.output.take()
            }
        }
    }
}
