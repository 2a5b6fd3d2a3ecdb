import Testing

@testable import Core

/// Streams and joins (gossip §6, §9.5).
@Suite struct MemberlistStreamTests {
    private let bench = MemberlistBench()
    private static let id = CallID(incoming: 900)

    private func call(_ bench: MemberlistBench, _ bytes: [UInt8]) {
        bench.effects = []
        bench.machine.handle(.call(Self.id, from: "10.0.0.9:5000", bytes), at: bench.now, into: &bench.effects)
    }

    /// The answer to the call; nil: it was refused, or both or neither happened.
    private func reply(_ bench: MemberlistBench) -> [UInt8]? {
        var replies: [[UInt8]?] = []
        for effect in bench.effects {
            switch effect {
            case .reply(Self.id, let bytes): replies.append(bytes)
            case .refuse(Self.id): replies.append(nil)
            default: break
            }
        }
        #expect(replies.count == 1)
        return replies.first ?? nil
    }

    private func node(_ name: String, _ number: UInt8, _ state: NodeState = .alive, versions: [UInt8] = [1, 5, 2, 2, 5, 4]) -> PushPullNode
    {
        PushPullNode(
            name: name, address: [10, 0, 0, number], port: 8301, incarnation: 1, state: Int(state.rawValue), versions: versions[...])
    }

    private func exchange(_ nodes: [PushPullNode], join: Bool = false, userState: [UInt8] = []) -> [UInt8] {
        var message = PushPull()
        message.join = join
        message.nodes = nodes
        message.userState = userState[...]
        return message.encoded
    }

    @Test func `a state is answered with ours from before the merge`() throws {
        bench.machine.delegate.state = [5, 5]
        bench.alive("a", meta: [1])
        call(bench, exchange([node("b", 2), node("c", 3, .left), node("a", 1, .dead)], join: true, userState: [1, 2, 3]))
        let bytes = try #require(reply(bench))
        #expect(bytes.first == MessageType.pushPull.rawValue)
        let answer = try PushPull(bytes[1...])
        #expect(answer.join)
        #expect(answer.nodes.map(\.name).sorted() == ["a", "me"])
        #expect(Array(answer.userState) == [5, 5])
        #expect(bench.machine.delegate.states == [[1, 2, 3]])
        #expect(bench.state("b") == .alive)
        // Nobody knows c; a is only suspected.
        #expect(bench.state("c") == nil)
        #expect(bench.state("a") == .suspect)
        bench.alive("a", 2)
        call(bench, exchange([node("a", 1, .left)]))
        #expect(bench.state("a") == .alive)
        var left = node("a", 1, .left)
        left.incarnation = 2
        call(bench, exchange([left]))
        #expect(bench.state("a") == .left)
    }

    @Test func `answers are compressed`() throws {
        let bench = MemberlistBench { $0.enableCompression = true }
        call(bench, MessageWrappers.compressed(PingMessage(sequence: 7, node: "me").encoded))
        let bytes = try #require(reply(bench))
        #expect(try MessageWrappers.decompressed(bytes[1...], limit: 100) == AckMessage(sequence: 7).encoded)
    }

    @Test func `the delegate's veto stops a join, but the answer is sent`() {
        bench.machine.delegate.mergeReason = "Member 'b' part of wrong datacenter 'dc2'"
        call(bench, exchange([node("b", 2)], join: true))
        #expect(reply(bench) != nil)
        #expect(bench.state("b") == nil)
        #expect(bench.logs.last == "error: Failed push/pull merge: Member 'b' part of wrong datacenter 'dc2' from=10.0.0.9:5000")
        // Nobody is asked without a join.
        call(bench, exchange([node("b", 2)]))
        #expect(bench.state("b") == .alive)
    }

    @Test func `members that do not understand each other stay apart`() {
        call(bench, exchange([node("b", 2, versions: [3, 5, 3, 2, 5, 4])]))
        #expect(bench.logs.last?.contains("Node 'me' protocol version (2) is incompatible: [3, 5]") == true)
        call(bench, exchange([node("b", 2, versions: [1, 5, 2, 2, 3, 3])]))
        #expect(bench.logs.last?.contains("Node 'me' delegate protocol version (4) is incompatible: [2, 3]") == true)
        call(bench, exchange([node("b", 2, .dead, versions: [])]))
        #expect(bench.logs.last?.contains("Node 'b' protocol version (0) is incompatible: [1, 5]") == true)
        call(bench, exchange([node("b", 2, versions: [1, 5])], join: true))
        #expect(reply(bench) != nil)
        #expect(bench.state("b") == nil)
    }

    @Test func `pings on streams are answered without a payload`() throws {
        call(bench, PingMessage(sequence: 7, node: "me").encoded)
        #expect(try #require(reply(bench)) == AckMessage(sequence: 7).encoded)
        call(bench, PingMessage(sequence: 7, node: "you").encoded)
        #expect(reply(bench) == nil)
    }

    @Test func `user messages on streams reach the delegate`() throws {
        call(bench, try MemberlistVectors()["user_msg_stream"])
        #expect(reply(bench) == [])
        #expect(bench.machine.delegate.messages == [[1, 0x80, 1, 2, 3]])
    }

    @Test func `what is no message is refused`() {
        for bytes in [[], [14], [3, 0x80], [6], [6, 0xC1], [8, 0x81], [0, 0xC3]] as [[UInt8]] {
            call(bench, bytes)
            #expect(reply(bench) == nil, "\(bytes)")
        }
        call(bench, [9, 0x80])
        #expect(reply(bench).flatMap { try? ErrorMessage($0[1...]) } == ErrorMessage(text: "unexpected EOF"))
    }

    @Test func `encryption is asked for on both sides`() throws {
        call(bench, [10, 0, 0, 0, 1, 1])
        #expect(
            reply(bench) == ErrorMessage(text: "Remote state is encrypted and encryption is not configured").encoded)
        let key = [UInt8](repeating: 1, count: 16)
        let sealed = MemberlistBench(keyring: try GossipKeyring([], primary: key))
        call(sealed, PingMessage(sequence: 7, node: "me").encoded)
        let answer = try #require(reply(sealed))
        #expect(answer.first == MessageType.encrypt.rawValue)
        #expect(StreamPrefix(answer) == .complete(answer.count))
        let (type, body) = try sealed.machine.openStream(answer)
        #expect(type == MessageType.error.rawValue)
        #expect(try ErrorMessage(body).text == "Encryption is configured but remote state is not encrypted")

        call(sealed, sealed.machine.wrapStream(PingMessage(sequence: 7, node: "me").encoded))
        #expect(try sealed.machine.openStream(try #require(reply(sealed))).type == MessageType.ack.rawValue)
        call(sealed, [10, 0, 0, 0, 40] + [UInt8](repeating: 1, count: 40))
        let refusal = try ErrorMessage(try sealed.machine.openStream(try #require(reply(sealed))).body)
        #expect(refusal.text == "No installed keys could decrypt the message")
        call(sealed, [10, 0x02, 0, 0, 0])
        let tooLarge = try ErrorMessage(try sealed.machine.openStream(try #require(reply(sealed))).body)
        #expect(tooLarge.text == "Remote node state is larger than limit (33554432)")
    }

    @Test func `while keys are introduced both forms are accepted`() throws {
        let lenient = MemberlistBench(
            { config in
                config.verifyIncoming = false
                config.verifyOutgoing = false
            }, keyring: try GossipKeyring([], primary: [UInt8](repeating: 1, count: 16)))
        call(lenient, PingMessage(sequence: 7, node: "me").encoded)
        #expect(reply(lenient) == AckMessage(sequence: 7).encoded)
        lenient.effects = []
        lenient.packet(PingMessage(sequence: 8, node: "me").encoded)
        #expect(lenient.sent(AckMessage.self).map(\.message.sequence) == [8])
    }

    // MARK: Joining

    private func pendingCall(_ bench: MemberlistBench) -> (id: CallID, to: Address)? {
        for case .call(let id, let to, _, _) in bench.effects.reversed() { return (id, to) }
        return nil
    }

    @Test func `addresses are joined one after the other`() throws {
        let targets: [JoinTarget] = [
            .address(MemberlistBench.address(1)), .failed("Failed to resolve x: no such host"), .address(MemberlistBench.address(2)),
        ]
        bench.machine.join(targets, token: 5, at: bench.now, into: &bench.effects)
        let first = try #require(pendingCall(bench))
        #expect(first.to == "10.0.0.1:8301")
        bench.machine.handle(.callFailed(first.id, "connect: connection refused"), at: bench.now, into: &bench.effects)
        let second = try #require(pendingCall(bench))
        #expect(second.to == "10.0.0.2:8301")
        #expect(bench.machine.delegate.joins.isEmpty)
        bench.machine.handle(.answered(second.id, exchange([node("b", 2)], join: true)), at: bench.now, into: &bench.effects)
        let end = try #require(bench.machine.delegate.joins.first)
        #expect(end.token == 5)
        #expect(end.contacted == 1)
        #expect(end.error == nil)
        #expect(bench.state("b") == .alive)
    }

    @Test func `a join without success says why`() throws {
        let targets: [JoinTarget] = [.address(MemberlistBench.address(1)), .failed("Failed to resolve x: no such host")]
        let answers: [([UInt8], String)] = [
            ([], "EOF"), (ErrorMessage(text: "no").encoded, "remote error: no"),
            (AckMessage().encoded, "received invalid msgType (2), expected pushPullMsg (6)"),
            (exchange([node("b", 2, versions: [1])], join: true), "Node 'b' protocol version (0) is incompatible: [1, 5]"),
        ]
        for (answer, text) in answers {
            bench.machine.join(targets, token: 1, at: bench.now, into: &bench.effects)
            let call = try #require(pendingCall(bench))
            bench.machine.handle(.answered(call.id, answer), at: bench.now, into: &bench.effects)
            #expect(
                bench.machine.delegate.joins.last?.error
                    == "2 errors occurred:\n\t* Failed to join 10.0.0.1: \(text)\n\t* Failed to resolve x: no such host\n\n")
        }
        bench.machine.join([], token: 2, at: bench.now, into: &bench.effects)
        #expect(bench.machine.delegate.joins.last?.error == nil)
        #expect(bench.machine.delegate.joins.last?.contacted == 0)
    }

    @Test func `states are exchanged now and then`() throws {
        let bench = MemberlistBench { config in
            config.pushPullInterval = .seconds(30)
            config.probeInterval = .zero
        }
        bench.alive("a")
        bench.pass(.seconds(90))
        let exchanges = bench.effects.filter { effect in
            guard case .call(_, "10.0.0.1:8301", let bytes, .seconds(10)) = effect else { return false }
            return bytes.first == MessageType.pushPull.rawValue
        }
        #expect(exchanges.count == 2)
    }
}

/// Hostile packets.
@Suite struct MemberlistPacketTests {
    private let bench = MemberlistBench()

    @Test func `wrappers are undone in any order`() {
        let suspect = SuspectMessage(accusation: Accusation(incarnation: 1, node: "a", from: "b")).encoded
        let wrapped: [[UInt8]] = [
            suspect, MessageWrappers.compressed(suspect), MessageWrappers.compound([suspect][...]),
            MessageWrappers.checksummed(MessageWrappers.compressed(MessageWrappers.compound([[], suspect][...]))),
            MessageWrappers.compound([[0xFF], MessageWrappers.compressed(suspect)][...]),
        ]
        var bench = MemberlistBench()
        for bytes in wrapped {
            bench = MemberlistBench()
            bench.alive("a")
            bench.packet(bytes)
            #expect(bench.state("a") == .suspect)
        }
        #expect(bench.logs.contains("error: msg type (255) not supported from=10.0.0.9:8301"))
    }

    @Test func `a wrong checksum drops the packet`() {
        bench.alive("a")
        var packet = MessageWrappers.checksummed(SuspectMessage(accusation: Accusation(incarnation: 1, node: "a", from: "b")).encoded)
        packet[7] ^= 1
        bench.packet(packet)
        #expect(bench.state("a") == .alive)
        #expect(bench.logs.last?.hasPrefix("warn: Got invalid checksum for UDP packet: ") == true)
        // A checksum is read only as the outermost wrapper.
        bench.packet(MessageWrappers.compound([MessageWrappers.checksummed([3])][...]))
        #expect(bench.logs.last == "error: msg type (12) not supported from=10.0.0.9:8301")
    }

    @Test func `a packet for another key is dropped`() throws {
        let bench = MemberlistBench(keyring: try GossipKeyring([], primary: [UInt8](repeating: 1, count: 16)))
        bench.tell(PingMessage(sequence: 1, node: "me"))
        #expect(bench.sent(AckMessage.self).isEmpty)
        #expect(bench.logs.last?.hasPrefix("error: Decrypt packet failed: ") == true)
    }

    @Test func `a packet brings a limited number of messages`() {
        let bench = MemberlistBench { $0.handoffQueueDepth = 10 }
        let messages = (1...20).map { MemberlistBench.alive("n\($0)", at: UInt8($0)).encoded }
        bench.packet(MessageWrappers.compound(messages[...]))
        #expect(bench.machine.knownCount == 11)
        #expect(bench.logs.last == "warn: handler queue full, dropping message (4) from=10.0.0.9:8301")
    }

    @Test func `packets of many nested or compressed layers are refused`() {
        var message = MemberlistBench.alive("a").encoded
        for _ in 0..<20 { message = MessageWrappers.compound([message][...]) }
        bench.packet(message)
        #expect(bench.state("a") == nil)
        let zeros = [UInt8](repeating: 0, count: 60_000)
        let inner = MessageWrappers.compressed(MessageWrappers.compressed([UInt8](repeating: 0, count: 3_000_000)))
        bench.packet(inner)
        #expect(bench.logs.last == "error: Failed to decompress packet: decompressed message is too large from=10.0.0.9:8301")
        let many = MessageWrappers.compound([[UInt8]](repeating: MessageWrappers.compressed(zeros), count: 100)[...])
        bench.packet(many)
        #expect(bench.logs.last == "error: Failed to decompress packet: too much to decompress within a second from=10.0.0.9:8301")
    }

    @Test func `a source's bombs cost a bounded number of bytes per second and hold up nobody else`() {
        let bomb = MessageWrappers.compressed([UInt8](repeating: 0, count: 60_000))
        func news(_ name: String) -> [UInt8] { MessageWrappers.compressed(MemberlistBench.alive(name, at: 7).encoded) }
        func hand(_ bytes: [UInt8], from: Address) {
            bench.machine.handle(.packet(from: from, bytes), at: bench.now, into: &bench.effects)
        }
        for port in 1...2_000 { hand(bomb, from: "10.0.0.9:\(port)") }
        let limits = DecompressionBudget.Limits.packets
        #expect(bench.machine.packetBudget.allowance(of: "10.0.0.9", at: bench.now) == 0)
        #expect(bench.machine.packetBudget.allowance(of: "10.0.0.8", at: bench.now) == limits.message)
        #expect(bench.logs.count { $0.contains("too much to decompress") } == 1)
        hand(news("refused"), from: "10.0.0.9:8301")
        hand(news("other"), from: "10.0.0.8:8301")
        #expect(bench.state("refused") == nil && bench.state("other") == .alive)
        // Forged addresses use up what all may, and no more.
        for source in 0..<5_000 { hand(bomb, from: "10.1.\(source / 250).\(source % 250):8301") }
        #expect(bench.machine.packetBudget.allowance(of: "10.0.0.7", at: bench.now) == 0)
        bench.pass(.seconds(1))
        hand(news("later"), from: "10.0.0.9:8301")
        #expect(bench.state("later") == .alive)
    }

    @Test func `random packets never stop a member`() throws {
        let vectors = try MemberlistVectors()
        let names = [
            "ping", "indirect_ping", "ack_with_coordinate", "alive_server", "compound_ping_suspect", "packet_compound_alive_join",
            "compressed_alive", "captured_gossip", "captured_ping_piggyback", "captured_tcp_ping", "pushpull_stream_plain",
            "pushpull_stream_compressed", "captured_pushpull_stream_encrypted", "captured_gossip_encrypted", "user_msg_stream",
        ]
        let sealed = MemberlistBench(keyring: try GossipKeyring([], primary: [UInt8](repeating: 1, count: 16)))
        var random = Random(seed: 99)
        for round in 0..<4_000 {
            var bytes = vectors[names[round % names.count]]
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if random.chance(0.3) { bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random)) }
            for bench in [bench, sealed] {
                bench.effects = []
                bench.packet(bytes)
                bench.machine.handle(.call(CallID(incoming: 1), from: "10.0.0.9:1", bytes), at: bench.now, into: &bench.effects)
                bench.machine.join([.address(MemberlistBench.address(9))], token: 1, at: bench.now, into: &bench.effects)
                for case .call(let id, _, _, _) in bench.effects {
                    bench.machine.handle(.answered(id, bytes), at: bench.now, into: &bench.effects)
                }
                bench.pass(.milliseconds(100))
            }
            _ = StreamPrefix(bytes)
        }
        #expect(bench.machine.localNode?.state == .alive)
        #expect(sealed.machine.localNode?.state == .alive)
    }
}
