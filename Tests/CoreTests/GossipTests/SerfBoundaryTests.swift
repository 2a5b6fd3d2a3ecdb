import Testing

@testable import Core

/// What members of a pool without encryption can be sent by anybody: integers at the bounds of their types, and more of everything than
/// there is room for. The members go on, and what they keep is bounded.
@Suite struct SerfBoundaryTests {
    static func boundaries(around own: UInt64 = 100) -> [DynamicValue] {
        let values: [UInt64] = [
            0, 1, own &- 1, own, own + 1, 1 << 31 - 1, 1 << 31, 1 << 31 + 1, 1 << 32 - 1, 1 << 32, 1 << 32 + 1, 1 << 53, 1 << 63 - 1,
            1 << 63,
            1 << 63 + 1, .max - 1, .max,
        ]
        return values.map { .uint($0) } + [.int(-1), .int(.min), .int(.min + 1), .int(-1 << 31), .double(.nan), .double(.infinity), .null]
    }

    private func message(_ kind: SerfMessageKind, _ fields: [(String, DynamicValue)]) -> [UInt8] {
        var writer = MessagePackWriter()
        writer.bytes.append(kind.rawValue)
        writer.dynamic(.map(fields.map { DynamicMember($0.0, $0.1) }))
        return writer.bytes
    }

    /// Every message of Serf with one of its numbers at a bound.
    private func samples() -> [[UInt8]] {
        let address = DynamicValue.bytes([10, 0, 0, 9])
        let templates: [(SerfMessageKind, [(String, DynamicValue)], [String])] = [
            (.leave, [("LTime", .int(1)), ("Node", .string("b")), ("Prune", .bool(true))], ["LTime"]),
            (.leave, [("LTime", .int(1)), ("Node", .string("a")), ("Prune", .bool(true))], ["LTime"]),
            (.leave, [("LTime", .int(1)), ("Node", .string("x")), ("Prune", .bool(false))], ["LTime"]),
            (.join, [("LTime", .int(1)), ("Node", .string("b"))], ["LTime"]),
            (.join, [("LTime", .int(1)), ("Node", .string("a"))], ["LTime"]),
            (.userEvent, [("LTime", .int(1)), ("Name", .string("e")), ("Payload", .bytes([1])), ("CC", .bool(true))], ["LTime"]),
            (
                .query,
                [
                    ("LTime", .int(1)), ("ID", .int(1)), ("Addr", address), ("Port", .int(8_301)), ("SourceNode", .string("z")),
                    ("Filters", .null), ("Flags", .int(1)), ("RelayFactor", .int(1)), ("Timeout", .int(1_000_000_000)),
                    ("Name", .string("_serf_ping")), ("Payload", .bytes([])),
                ], ["LTime", "ID", "Port", "Flags", "RelayFactor", "Timeout"]
            ),
            (.queryResponse, [("LTime", .int(1)), ("ID", .int(1)), ("From", .string("b")), ("Flags", .int(0))], ["LTime", "ID", "Flags"]),
        ]
        var samples: [[UInt8]] = []
        for (kind, fields, numbers) in templates {
            for number in numbers {
                for value in Self.boundaries() {
                    samples.append(message(kind, fields.map { $0.0 == number ? ($0.0, value) : $0 }))
                }
            }
        }
        for value in Self.boundaries() {
            let target = DynamicValue.map([DynamicMember("IP", address), DynamicMember("Port", value)])
            samples.append(message(.relay, [("DestAddr", target), ("DestName", .string("q"))]) + [1, 0x80])
        }
        return samples
    }

    /// Whole states with one of their numbers at a bound.
    private func states() -> [[UInt8]] {
        var states: [[UInt8]] = []
        for value in Self.boundaries() {
            for number in 0..<6 {
                func at(_ place: Int) -> DynamicValue { place == number ? value : .int(1) }
                let slot = DynamicValue.map([
                    DynamicMember("LTime", at(4)),
                    DynamicMember("Events", .array([.map([DynamicMember("Name", .string("s")), DynamicMember("Payload", .bytes([]))])])),
                ])
                states.append(
                    message(
                        .pushPull,
                        [
                            ("LTime", at(0)), ("EventLTime", at(1)), ("QueryLTime", at(2)),
                            ("StatusLTimes", .map(["a", "b", "y"].map { DynamicMember($0, at(3)) })),
                            ("LeftMembers", .array(number == 5 ? [.string("a"), .string("y")] : [])), ("Events", .array([slot])),
                        ]))
            }
        }
        return states
    }

    private func expectsService(_ network: SerfNetwork, _ text: String) {
        network.run(for: .seconds(60))
        #expect(network.wait(for: .seconds(60)) { ["a", "b", "c"].allSatisfy { network.serf($0).memberCount(.alive) == 3 } }, "\(text)")
        for name in ["a", "b", "c"] {
            let event = "after \(text) from \(name)"
            network.perform(name) { serf, now, effects in
                do throws(TextError) {
                    try serf.userEvent(event, payload: [], at: now, into: &effects)
                } catch {
                    Issue.record("\(error.text)")
                }
            }
            let arrives = network.wait(for: .seconds(10)) {
                ["a", "b", "c"].allSatisfy { network[$0].userEvents.contains { $0.name == event } }
            }
            #expect(arrives, "\(event)")
        }
    }

    @Test func `integers at the bounds of their types in messages change nothing for good`() {
        let network = SerfNetwork.pool(3)
        let node = network["a"]
        for sample in samples() {
            network.perform(node) {
                node.serf!.handle(.packet(from: "10.9.9.9:8301", [MessageType.user.rawValue] + sample), at: network.now, into: &$0)
            }
            network.run(for: .milliseconds(20))
        }
        expectsService(network, "messages")
        #expect(node.serf!.state.clock.time < 1 << 50 && node.serf!.state.events.clock.time < 1 << 50)
    }

    @Test func `integers at the bounds of their types in whole states change nothing for good`() {
        let network = SerfNetwork.pool(3)
        let node = network["a"]
        for (number, state) in states().enumerated() {
            var exchange = PushPull()
            exchange.join = number % 2 == 0
            exchange.userState = state[...]
            network.perform(node) {
                node.serf!.handle(
                    .call(CallID(incoming: 9 << 40 + UInt64(number)), from: "10.9.9.9:1", exchange.encoded), at: network.now, into: &$0)
            }
            network.run(for: .milliseconds(20))
        }
        expectsService(network, "states")
        #expect(node.serf!.state.events.timeMin < 1 << 50, "events are still delivered")
    }

    // MARK: More than there is room for

    private final class Subject {
        var state: SerfState
        init() {
            let config = SerfConfig(memberlist: .lan(name: "me", advertise: NodeAddress("10.0.0.1:8301")!), tags: ["role": "test"])
            state = SerfState(config: config, snapshot: nil, seed: 1, at: .zero)
        }
        func handle(_ event: UserEventMessage) -> Bool { state.handle(event, at: .zero) }
        func handle(_ query: QueryMessage) -> Bool { state.handle(query, at: .zero) }
        func handle(_ intent: LeaveIntent) -> Bool { state.handle(intent, at: .zero) }
    }

    private func event(_ time: UInt64, _ name: String, size: Int = 0) -> UserEventMessage {
        UserEventMessage(ltime: time, name: name, payload: [UInt8](repeating: 7, count: size), coalesce: false)
    }

    @Test func `a clock ignores what is out of reach`() {
        var clock = LamportClock()
        clock.witness(LamportClock.reach + 1)
        #expect(clock.time == LamportClock.reach + 2)
        clock.witness(clock.time + LamportClock.reach + 1)
        #expect(clock.time == LamportClock.reach + 2)
        #expect(!clock.isReachable(.max) && clock.isReachable(0))
    }

    @Test func `the latest events take a bounded room, and what is forgotten is not delivered again`() {
        let me = Subject()
        var accepted = 0
        for number in 0..<1_500 where me.handle(event(5, "flood-\(number)")) { accepted += 1 }
        #expect(accepted == SerfLimits.eventsPerTimeMax)
        for time in 6..<400 as Range<UInt64> {
            for number in 0..<3 { _ = me.handle(event(time, "large-\(number)", size: 9_000)) }
        }
        #expect(me.state.events.recent.byteCount <= SerfLimits.recentEventsSizeMax)
        #expect(me.handle(event(400, "news")), "a new event is delivered in the middle of a flood")
        #expect(!me.handle(event(5, "flood-0")) && !me.handle(event(6, "large-0", size: 9_000)), "no second time")
        #expect(!me.handle(event(401, "too large", size: SerfLimits.eventSizeMax)))
    }

    @Test func `queries of one time and intents of unknown names are counted`() {
        let me = Subject()
        var accepted = 0
        for id in 0..<3_000 as Range<UInt32> {
            var query = QueryMessage()
            (query.ltime, query.id, query.name) = (5, id, "q")
            if me.handle(query) { accepted += 1 }
        }
        #expect(accepted == SerfLimits.queriesPerTimeMax)
        let name = String(repeating: "n", count: 4_000)
        accepted = 0
        for number in 0..<1_000 where me.handle(LeaveIntent(ltime: 5, node: name + "\(number)", prune: false)) { accepted += 1 }
        #expect(accepted > 400 && accepted < 600 && me.state.intents.byteCount <= SerfLimits.intentsSizeMax)
        me.state.reap(at: .zero + .seconds(315))
        #expect(me.state.intents.byteCount == 0 && me.handle(LeaveIntent(ltime: 6, node: "x", prune: false)))
    }

    @Test func `broadcasts that no packet has room for are not kept, and a flood of the others is pruned at once`() {
        let me = Subject()
        me.state.broadcast([UInt8](repeating: 1, count: 2_000), on: \.events, at: .zero)
        #expect(me.state.queues.events.isEmpty)
        var most = 0
        for number in 0..<20_000 {
            me.state.broadcast([1, UInt8(number & 255), UInt8(number >> 8)], on: \.events, at: .zero)
            most = max(most, me.state.queues.events.count)
        }
        #expect(most <= SerfLimits.queueGrowthMax * me.state.queueLimit)
    }

    @Test func `an answer is relayed over no more members than a command may ask for`() {
        let me = Subject()
        for number in 0..<20 {
            me.state.joined(
                MemberlistNode(
                    name: "n\(number)", address: NodeAddress("10.0.1.\(number + 1):8301")!, meta: [],
                    versions: MemberVersions(
                        protocolMin: 1, protocolMax: 5, protocolCurrent: 2, delegateMin: 2, delegateMax: 5, delegateCurrent: 4)), at: .zero)
        }
        var query = QueryMessage()
        // Fewer than there are members: with more, nothing is relayed at all.
        (query.ltime, query.name, query.flags, query.relayFactor) = (5, "q", QueryMessage.ackFlag, 15)
        (query.address, query.port) = ([10, 0, 0, 9], 8_301)
        _ = me.handle(query)
        #expect(me.state.requests.count <= 1 + SerfLimits.relayFactorMax)
    }

    @Test func `a member's name makes no lines of its own in the snapshot file`() {
        var writer = SnapshotWriter(file: "s", continuing: SerfSnapshot(), keepsMembersOnLeave: false)
        func member(_ name: String) -> Member {
            Member(
                name: name, address: [10, 0, 0, 1], port: 1, status: .alive, protocolMin: 1, protocolMax: 5, protocolCurrent: 2,
                delegateMin: 2,
                delegateMax: 5, delegateCurrent: 4)
        }
        for name in ["good", "x\nleave", "y\u{7F}", String(repeating: "z", count: 2_000)] { writer.record(.joined, member(name), clock: 1) }
        for name in ["x\nleave"] { writer.record(.left, member(name), clock: 1) }
        guard case .write(_, _, let bytes)? = writer.flush(clock: 1, at: .zero).first else {
            Issue.record("nothing is written")
            return
        }
        #expect(String(decoding: bytes, as: UTF8.self) == "alive: good 10.0.0.1:1\n")
        #expect(SerfSnapshot(parsing: bytes, rejoinAfterLeave: false).alive.count == 1)
    }

    @Test func `clocks in a snapshot file that are out of reach are not believed`() {
        for clock in [UInt64.max, .max - 1, 1 << 63] {
            let text = "clock: \(clock)\nevent-clock: \(clock)\nquery-clock: \(clock)\n"
            let config = SerfConfig(memberlist: .lan(name: "me", advertise: NodeAddress("10.0.0.1:8301")!), tags: [:])
            var withFile = config
            withFile.snapshotFile = "s"
            var state = SerfState(
                config: withFile, snapshot: SerfSnapshot(parsing: Array(text.utf8), rejoinAfterLeave: false), seed: 1, at: .zero)
            #expect(state.clock.time < 1 << 41)
            let isDelivered = state.handle(event(2, "e"), at: .zero)
            #expect(isDelivered)
        }
    }
}
