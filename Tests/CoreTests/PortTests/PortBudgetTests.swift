import Testing

@testable import Core

/// What strangers at the server port can make this process hold, before anybody has looked at what they say.
@Suite struct PortBudgetTests {
    private func connection(_ limits: PortLimits, _ client: String = "10.0.0.1", _ budget: PortBudget? = nil) -> InboundConnection {
        InboundConnection(.server, limits: limits, client: client, budget: budget, at: .zero)
    }

    @discardableResult
    private func feed(_ connection: InboundConnection, _ bytes: [UInt8], at now: Instant = .zero) -> [InboundCall] {
        var calls: [InboundCall] = []
        connection.receive(bytes.span, at: now, into: &calls)
        return calls
    }

    private func frame(_ kind: Yamux.Kind, _ flags: Yamux.Flags = [], _ stream: UInt32, _ length: UInt32 = 0) -> [UInt8] {
        var bytes: [UInt8] = []
        Yamux.Header(kind, flags, stream: stream, length: length).append(to: &bytes)
        return bytes
    }

    private func data(_ stream: UInt32, _ bytes: [UInt8], _ flags: Yamux.Flags = []) -> [UInt8] {
        frame(.data, flags, stream, UInt32(bytes.count)) + bytes
    }

    /// The headers that were sent since the last call.
    private func said(_ connection: InboundConnection) -> [Yamux.Header] {
        var bytes: [UInt8] = []
        while let part = connection.output.withFirst({ Array(copying: $0.bytes) }) {
            bytes += part
            connection.wrote(part.count)
        }
        var headers: [Yamux.Header] = []
        var at = 0
        while at < bytes.count, let header = try? Yamux.Header(bytes.span.extracting(at..<bytes.count)) {
            headers.append(header)
            at += Yamux.headerSize + (header.kind == .data ? Int(header.length) : 0)
        }
        return headers
    }

    /// The beginning of a message that says it is long.
    private func unfinished(_ size: Int) -> [UInt8] { [0xC6, 0, 0x80, 0, 0] + [UInt8](repeating: 1, count: size - 5) }

    @Test func `what follows an unanswered call is bounded on all streams together, and the stream that goes over is reset`() {
        var limits = PortLimits.server
        limits.backlogSizeMax = 300_000
        let mux = connection(limits)
        var calls = feed(mux, [4])
        for id in [1, 3] as [UInt32] {
            calls += feed(mux, data(id, PortSamples.rpc(1), .synchronize))
            for _ in 0..<3 { feed(mux, data(id, [UInt8](repeating: 9, count: 65_536))) }
        }
        #expect(calls.count == 2 && mux.end == .open)
        #expect(said(mux).filter { $0.flags.contains(.reset) }.map(\.stream) == [3])
        // The other stream stays open, and the answer to the call that was reset is dropped.
        var more: [InboundCall] = []
        mux.reply(calls[1].serial, PortSamples.reply(1), at: .zero, into: &more)
        #expect(said(mux).isEmpty)
        mux.reply(calls[0].serial, PortSamples.reply(1), at: .zero, into: &more)
        #expect(said(mux).first?.kind == .data)
    }

    @Test func `a stream's number that is used again gets no answer to the call of the stream before`() {
        let mux = connection(.server)
        let first = feed(mux, [4] + data(1, PortSamples.rpc(1), .synchronize))
        feed(mux, frame(.windowUpdate, .reset, 1))
        let second = feed(mux, data(1, PortSamples.rpc(2), .synchronize))
        #expect(first.count == 1 && second.count == 1)
        _ = said(mux)
        var more: [InboundCall] = []
        mux.reply(first[0].serial, PortSamples.reply(1), at: .zero, into: &more)
        #expect(said(mux).isEmpty)
        mux.reply(second[0].serial, PortSamples.reply(2), at: .zero, into: &more)
        #expect(said(mux).map(\.kind) == [.data])
    }

    @Test func `calls whose streams are reset count until they are answered`() {
        var limits = PortLimits.server
        limits.streamsMax = 10
        let mux = connection(limits)
        var calls = feed(mux, [4])
        for id in stride(from: 1 as UInt32, to: 101, by: 2) {
            calls += feed(mux, data(id, PortSamples.rpc(1), .synchronize) + frame(.windowUpdate, .reset, id))
        }
        #expect(calls.count == 10 && mux.end == .open)
        for call in calls { mux.refuse(call.serial) }
        #expect(feed(mux, data(101, PortSamples.rpc(1), .synchronize)).count == 1)
    }

    @Test func `streams that are reset and connections that are closed tell which calls nobody waits for`() {
        let mux = connection(.server)
        var calls = feed(mux, [4])
        for id: UInt32 in [1, 3, 5] { calls += feed(mux, data(id, PortSamples.rpc(1), .synchronize)) }
        #expect(mux.takeAbandoned().isEmpty)
        feed(mux, frame(.windowUpdate, .reset, 3))
        #expect(mux.takeAbandoned() == [calls[1].serial] && mux.takeAbandoned().isEmpty)
        mux.refuse(calls[1].serial)
        var none: [InboundCall] = []
        mux.reply(calls[0].serial, PortSamples.reply(1), at: .zero, into: &none)
        feed(mux, frame(.windowUpdate, .reset, 1))
        #expect(mux.takeAbandoned().isEmpty, "its call was answered")
        #expect(mux.closed() == [calls[2].serial])

        let raft = connection(.server)
        let asked = feed(raft, [1] + PortSamples.heartbeat(1) + PortSamples.heartbeat(2) + PortSamples.heartbeat(3))
        raft.reply(asked[1].serial, PortSamples.appended(1), at: .zero, into: &none)
        #expect(raft.closed() == [asked[0].serial, asked[2].serial] && connection(.server).closed().isEmpty)
    }

    @Test func `calls that are not answered have serials of their own`() {
        var asked = AskedCalls(), known: [UInt32] = []
        var random = Random(seed: 4)
        for _ in 0..<5_000 {
            if known.count < 50, Bool.random(using: &random) {
                guard let serial = asked.add(AskedCalls.Call(stream: 7, size: 1)) else { return #expect(Bool(false), "there is room") }
                #expect(!known.contains(serial))
                known.append(serial)
            } else if let serial = known.popLast() {
                let call = asked.remove(serial), again = asked.remove(serial)
                #expect(call?.stream == 7 && again?.stream == nil)
            }
            known.shuffle(using: &random)
        }
        #expect(asked.count == known.count && asked.serials.sorted() == known.sorted())
        for serial in known { asked.loseStream(serial) }
        let rest = known.map { asked.remove($0) }
        #expect(rest.allSatisfy { $0 != nil && $0?.stream == nil } && asked.count == 0 && asked.serials.isEmpty)
    }

    @Test func `calls of one address are bounded over all its connections, those that are closed included`() {
        var limits = PortLimits.server
        limits.callsPerSourceMax = 3
        let budget = PortBudget(limits)
        let first = connection(limits, "10.0.0.1", budget), second = connection(limits, "10.0.0.1", budget)
        #expect(feed(first, [4] + data(1, PortSamples.rpc(1), .synchronize) + data(3, PortSamples.rpc(1), .synchronize)).count == 2)
        let left = first.closed()
        #expect(left.count == 2 && budget.callCount == 2)
        let calls = feed(second, [4] + data(1, PortSamples.rpc(1), .synchronize) + data(3, PortSamples.rpc(1), .synchronize))
        #expect(calls.count == 1 && said(second).last == Yamux.Header(.windowUpdate, .reset, stream: 3))
        // Connections from other addresses are served.
        let other = connection(limits, "10.0.0.2", budget)
        #expect(feed(other, [1] + PortSamples.heartbeat(1)).count == 1)
        let raft = connection(limits, "10.0.0.1", budget)
        #expect(feed(raft, [1] + PortSamples.heartbeat(1)).isEmpty && raft.end == .now("too many calls"))
        budget.endCalls(left.count, of: "10.0.0.1")
        #expect(feed(second, data(5, PortSamples.rpc(1), .synchronize)).count == 1)
    }

    @Test func `unfinished messages count before one budget of the process, and of each address`() {
        var limits = PortLimits.server
        limits.heldMessagesMax = 3 << 20
        limits.heldMessagesPerSourceMax = 1 << 20
        let budget = PortBudget(limits)
        var open = 0, told = 0
        for client in ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"] {
            for _ in 0..<20 {
                let mux = connection(limits, client, budget)
                feed(mux, [4] + data(1, unfinished(100_000), .synchronize))
                if mux.end == .open {
                    open += 1
                } else {
                    told += said(mux).last == Yamux.Header(.goAway, length: 2) ? 1 : 0
                    _ = mux.closed()
                }
            }
        }
        // 100,000 bytes count as one piece of 64 KiB: sixteen of an address, and three addresses.
        #expect(open == 48 && told == 32 && budget.messagesSize == 3 << 20)
    }

    @Test func `a connection that is closed gives back what it held`() {
        let budget = PortBudget()
        let plain = connection(.server, "10.0.0.1", budget)
        feed(plain, [0] + unfinished(1_000_000))
        #expect(budget.messagesSize > 900_000)
        _ = plain.closed()
        #expect(budget.messagesSize == 0)
        let snapshot = connection(.server, "10.0.0.1", budget)
        feed(snapshot, [5, 0x81, 0xA2, 0x4F, 0x70, 1] + [UInt8](repeating: 3, count: 1_000_000))
        #expect(budget.statesSize > 900_000 && budget.messagesSize == 0)
        _ = snapshot.closed()
        #expect(budget.statesSize == 0)
    }

    @Test func `archives that are sent to port 8300 are bounded for each address, before anybody reads them`() {
        var limits = PortLimits.server
        limits.heldStatesPerSourceMax = 1 << 20
        let budget = PortBudget(limits)
        let snapshots = (0..<20).map { _ in connection(limits, "10.0.0.1", budget) }
        for snapshot in snapshots { feed(snapshot, [5, 0x81, 0xA2, 0x4F, 0x70, 1] + [UInt8](repeating: 3, count: 100_000)) }
        #expect(snapshots.filter { $0.end == .open }.count == 16)
        #expect(snapshots.last?.end == .now("too much memory is held for this client"))
    }

    @Test func `a sender that is too slow is disconnected, and one that is fast enough is not`() {
        let now = Instant.zero
        func begin(_ bytes: [UInt8]) -> InboundConnection {
            let slow = connection(.server)
            feed(slow, bytes)
            return slow
        }
        // A request for a snapshot without its end, an archive, a message of RPC and one of Raft.
        let beginnings: [[UInt8]] = [
            [5, 0x81], [5, 0x81, 0xA2, 0x4F, 0x70, 1, 9], [0] + unfinished(100), [1] + Array(PortSamples.append(1).prefix(20)),
        ]
        for bytes in beginnings {
            let slow = begin(bytes)
            slow.tick(at: now + .seconds(29))
            #expect(slow.end == .open)
            slow.tick(at: now + .seconds(31))
            #expect(slow.end == .now("i/o timeout"), "\(bytes.prefix(2))")
        }
        // A second more for every 64 KiB.
        let fast = begin([0] + unfinished(10 * 65_536))
        fast.tick(at: now + .seconds(39))
        #expect(fast.end == .open)
        fast.tick(at: now + .seconds(41))
        #expect(fast.end == .now("i/o timeout"))
        // Between messages there is no hurry.
        let idle = begin([0] + PortSamples.rpc(1))
        idle.tick(at: now + .seconds(10_000))
        #expect(idle.end == .open)
    }

    @Test func `an unfinished message costs its stream, not the others of the connection`() {
        let mux = connection(.server)
        let calls = feed(mux, [4] + data(1, PortSamples.rpc(1), .synchronize) + data(3, unfinished(100), .synchronize))
        _ = said(mux)
        for second in 1...31 as ClosedRange<Int64> { mux.tick(at: .zero + .seconds(second)) }
        #expect(mux.end == .open && calls.count == 1)
        #expect(said(mux).filter { $0.flags.contains(.reset) }.map(\.stream) == [3])
    }

    @Test func `an answer for which the peer opens no window is given up`() {
        let mux = connection(.server)
        let calls = feed(mux, [4] + data(1, PortSamples.rpc(1), .synchronize))
        var more: [InboundCall] = []
        mux.reply(calls[0].serial, [UInt8](repeating: 0xC0, count: 1 << 20), at: .zero, into: &more)
        _ = said(mux)
        mux.tick(at: .zero + .seconds(25))
        // A ping is answered, so that it is the window that is missing.
        mux.tick(at: .zero + .seconds(31))
        feed(mux, frame(.ping, .acknowledge, 0, 0), at: .zero + .seconds(32))
        _ = said(mux)
        mux.tick(at: .zero + .seconds(61))
        feed(mux, frame(.ping, .acknowledge, 0, 1), at: .zero + .seconds(61))
        mux.tick(at: .zero + .seconds(65))
        #expect(said(mux).contains { $0.flags.contains(.reset) && $0.stream == 1 } && mux.end == .open)
    }

    @Test func `integers at their bounds in frames and messages leave the port working`() {
        let values: [UInt32] = [0, 1, 2, 3, 1 << 18 - 1, 1 << 18, 1 << 18 + 1, 1 << 31 - 1, 1 << 31, 1 << 31 + 1, .max - 1, .max]
        for kind in [Yamux.Kind.data, .windowUpdate, .ping, .goAway] {
            for flags in 0..<16 as Range<UInt16> {
                for stream in values {
                    let mux = connection(.server)
                    var calls = feed(mux, [4] + data(1, PortSamples.rpc(1), .synchronize))
                    for length in values { calls += feed(mux, frame(kind, Yamux.Flags(rawValue: flags), stream, length)) }
                    for call in calls { mux.reply(call.serial, PortSamples.reply(1), at: .zero, into: &calls) }
                    for second in [1, 31, 62, 100] as [Int64] { mux.tick(at: .zero + .seconds(second)) }
                    _ = said(mux)
                    _ = mux.closed()
                }
            }
        }
        // Lengths in the messages themselves.
        for head in [0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF] as [UInt8] {
            for length in values {
                for mode in [0, 1, 4, 5] as [UInt8] {
                    let bytes: [UInt8] = [head] + withUnsafeBytes(of: length.bigEndian) { Array($0) } + [UInt8](repeating: 1, count: 300)
                    let peer = connection(.server)
                    switch mode {
                    case 4: feed(peer, [4] + data(1, bytes, .synchronize))
                    case 1: for type in 0...6 as ClosedRange<UInt8> { feed(peer, [1, type] + bytes) }
                    default: feed(peer, [mode] + bytes)
                    }
                    for second in [1, 31, 62, 100_000] as [Int64] { peer.tick(at: .zero + .seconds(second)) }
                    var calls: [InboundCall] = []
                    peer.receivedEnd(at: .zero + .seconds(100_001), into: &calls)
                    for call in calls { peer.refuse(call.serial) }
                    _ = peer.closed()
                }
            }
        }
    }
}
