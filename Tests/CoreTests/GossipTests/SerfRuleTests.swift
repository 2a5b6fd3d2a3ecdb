import Testing

@testable import Core

/// The rules of Serf one by one.
@Suite struct SerfRuleTests {
    /// A state under test; a class, so that expectations may change it.
    private final class Subject {
        var state: SerfState

        init(_ config: SerfConfig) { state = SerfState(config: config, snapshot: nil, seed: 1, at: .zero) }

        func handle(_ intent: JoinIntent, at now: Instant) -> Bool { state.handle(intent, at: now) }
        func handle(_ intent: LeaveIntent, at now: Instant) -> Bool { state.handle(intent, at: now) }
        func handle(_ event: UserEventMessage, at now: Instant) -> Bool { state.handle(event, at: now) }
        func handle(_ query: QueryMessage, at now: Instant) -> Bool { state.handle(query, at: now) }

        /// What was told of members since the last call.
        func events() -> [String] {
            defer { state.output = [] }
            return state.output.flatMap { effect -> [String] in
                if case .members(let kind, let members) = effect { return members.map { "\(kind):\($0.name)" } }
                return []
            }
        }
    }

    private func subject(_ change: (inout SerfConfig) -> Void = { _ in }) -> Subject {
        var config = SerfConfig(memberlist: .lan(name: "me", advertise: NodeAddress("10.0.0.1:8301")!), tags: ["role": "test"])
        change(&config)
        let subject = Subject(config)
        subject.state.joined(node("me"), at: .zero)
        subject.state.output = []
        return subject
    }

    private func node(_ name: String) -> MemberlistNode {
        MemberlistNode(
            name: name, address: NodeAddress("10.0.0.2:8301")!, meta: SerfTags.encode(["id": name]),
            versions: MemberVersions(
                protocolMin: 1, protocolMax: 5, protocolCurrent: 2, delegateMin: 2, delegateMax: 5, delegateCurrent: 4))
    }

    private func after(_ seconds: Int64) -> Instant { Instant.zero + .seconds(seconds) }

    @Test func `clocks begin at one and go past what they see`() {
        var clock = LamportClock()
        #expect(clock.time == 1)
        clock.witness(0)
        #expect(clock.time == 1)
        clock.witness(1)
        #expect(clock.time == 2)
        clock.witness(41)
        clock.increment()
        #expect(clock.time == 43)
        clock.witness(.max)
        #expect(clock.time == 43)
    }

    @Test func `an intent about an unknown name waits for its member`() {
        let me = subject()
        #expect(me.handle(LeaveIntent(ltime: 10, node: "x", prune: false), at: .zero))
        #expect(!me.handle(JoinIntent(ltime: 10, node: "x"), at: .zero), "not newer")
        me.state.joined(node("x"), at: .zero)
        #expect(me.state.members["x"]?.status == .leaving && me.state.members["x"]?.statusTime == 10)
        #expect(me.state.clock.time == 11)
        _ = me.events()
        #expect(me.handle(JoinIntent(ltime: 12, node: "x"), at: .zero))
        #expect(me.state.members["x"]?.status == .alive && me.state.members["x"]?.statusTime == 12)
        #expect(me.events() == ["updated:x"], "who was told of a member that leaves is told that it does not")
        #expect(!me.handle(JoinIntent(ltime: 12, node: "x"), at: .zero))
        #expect(!me.handle(LeaveIntent(ltime: 11, node: "x", prune: false), at: .zero))
    }

    @Test func `intents are forgotten after a while`() {
        let me = subject()
        #expect(me.handle(JoinIntent(ltime: 10, node: "x"), at: .zero))
        #expect(me.state.timers[.reap] == after(315), "the first tick after five minutes")
        me.state.reap(at: after(315))
        #expect(me.state.intents.isEmpty)
    }

    @Test func `only a leave intent makes a departure a leave`() {
        let me = subject()
        for name in ["x", "y"] { me.state.joined(node(name), at: .zero) }
        #expect(me.handle(LeaveIntent(ltime: 5, node: "x", prune: false), at: .zero))
        _ = me.events()
        for name in ["x", "y", "z"] { me.state.left(node(name), at: after(1)) }
        #expect(me.events() == ["left:x", "failed:y"])
        // The leave intent of y comes late.
        #expect(me.handle(LeaveIntent(ltime: 6, node: "y", prune: false), at: after(2)))
        #expect(me.events() == ["left:y"])
        #expect(me.state.members.left == ["x", "y"] && me.state.members.failed.isEmpty)
        me.state.joined(node("y"), at: after(3))
        #expect(me.state.members.left == ["x"] && me.state.members["y"]?.status == .alive)
    }

    @Test func `what is pruned is forgotten, when it leaves not before it could`() {
        let me = subject()
        for name in ["x", "y"] { me.state.joined(node(name), at: .zero) }
        me.state.left(node("y"), at: .zero)
        _ = me.events()
        #expect(me.handle(LeaveIntent(ltime: 5, node: "y", prune: true), at: after(1)))
        #expect(me.events() == ["left:y", "reaped:y"])
        #expect(me.handle(LeaveIntent(ltime: 6, node: "x", prune: true), at: after(1)))
        #expect(me.state.members["x"]?.status == .leaving && me.state.timers[.prune("x")] == after(9))
        me.state.endPrune("x", at: after(9))
        #expect(me.events() == ["reaped:x"] && me.state.members["x"] == nil)
    }

    @Test func `a pruned member that says it is here stays`() {
        let me = subject()
        me.state.joined(node("x"), at: .zero)
        #expect(me.handle(LeaveIntent(ltime: 6, node: "x", prune: true), at: .zero))
        #expect(me.handle(JoinIntent(ltime: 7, node: "x"), at: .zero))
        me.state.endPrune("x", at: after(8))
        #expect(me.state.members["x"]?.status == .alive)
    }

    @Test func `we refute our own departure unless we leave`() {
        let me = subject()
        #expect(!me.handle(LeaveIntent(ltime: 5, node: "me", prune: false), at: .zero))
        var messages: [[UInt8]] = []
        me.state.appendBroadcasts(overhead: 3, limit: 1_400, to: &messages)
        #expect(messages == [JoinIntent(ltime: 7, node: "me").message()], "later than what a state would make of that intent")
        me.state.lifecycle = .leaving
        #expect(me.handle(LeaveIntent(ltime: 9, node: "me", prune: false), at: .zero))
        #expect(me.state.members["me"]?.status == .leaving)
    }

    @Test func `states of others teach the clocks, who left and what happened`() throws {
        let me = subject()
        me.state.joined(node("x"), at: .zero)
        _ = me.events()
        var remote = PushPullState()
        remote.ltime = 20
        remote.eventLTime = 8
        remote.queryLTime = 5
        remote.statusTimes = [.init(name: "x", ltime: 4), .init(name: "y", ltime: 6)]
        remote.leftMembers = ["x", "z"]
        remote.events = [nil, .init(ltime: 7, events: [.init(name: "e", payload: nil), .init(name: "e", payload: [1])])]
        me.state.merge(remoteState: remote.message()[...], join: true, at: .zero)
        #expect(me.state.clock.time == 20 && me.state.events.clock.time == 8 && me.state.queries.clock.time == 5)
        #expect(me.state.members["x"]?.status == .leaving && me.state.members["x"]?.statusTime == 4)
        #expect(me.state.intents["y"]?.time == 6 && me.state.intents["y"]?.isLeave == false)
        #expect(me.state.intents["z"]?.time == 1 && me.state.intents["z"]?.isLeave == true)
        #expect(!me.state.hasBroadcasts, "nothing of it is passed on")
        let told = me.state.output.compactMap { if case .userEvent(let event) = $0 { event.payload } else { nil } }
        #expect(told == [[], [1]])
        #expect(try PushPullState(body: me.state.localState(join: false)[1...]).events.count == 512)
    }

    private func hear(_ times: [(String, UInt64)], left: [String] = [], _ me: Subject) {
        var remote = PushPullState()
        remote.statusTimes = times.map { .init(name: $0.0, ltime: $0.1) }
        remote.leftMembers = left
        me.state.merge(remoteState: remote.message()[...], join: false, at: .zero)
    }

    @Test func `who returned after it had left is not told to have left`() throws {
        let me = subject()
        me.state.joined(node("x"), at: .zero)
        #expect(me.handle(LeaveIntent(ltime: 5, node: "x", prune: false), at: .zero))
        me.state.left(node("x"), at: after(1))
        #expect(try PushPullState(body: me.state.localState(join: false)[1...]).leftMembers == ["x"])
        #expect(me.handle(JoinIntent(ltime: 6, node: "x"), at: after(2)))
        let state = try PushPullState(body: me.state.localState(join: false)[1...])
        #expect(state.leftMembers.isEmpty && state.statusTimes.last?.ltime == 6)
        // The member leaves again before another one could reach it.
        #expect(me.handle(LeaveIntent(ltime: 7, node: "x", prune: false), at: after(3)))
        #expect(try PushPullState(body: me.state.localState(join: false)[1...]).leftMembers == ["x"])
    }

    @Test func `a leaving that is told weighs more than a return of the same time, and grows no later by being told`() {
        let me = subject()
        me.state.joined(node("x"), at: .zero)
        hear([("x", 9)], me)
        #expect(me.state.members["x"]?.status == .alive && me.state.members["x"]?.statusTime == 9)
        hear([("x", 9)], left: ["x"], me)
        #expect(me.state.members["x"]?.status == .leaving && me.state.members["x"]?.statusTime == 9)
        hear([("x", 10)], me)
        #expect(me.state.members["x"]?.status == .alive)
        hear([("x", 9)], left: ["x"], me)
        #expect(me.state.members["x"]?.status == .alive)
    }

    /// Other members believe that this one left while it was only slow, and it was not told.
    @Test func `we refute a time of ours that we never gave`() {
        let me = subject()
        hear([("me", 9)], me)
        var messages: [[UInt8]] = []
        me.state.appendBroadcasts(overhead: 3, limit: 1_400, to: &messages)
        #expect(messages == [JoinIntent(ltime: 11, node: "me").message()])
        hear([("me", 11)], me)
        me.state.lifecycle = .leaving
        hear([("me", 20)], me)
        #expect(me.state.members["me"]?.statusTime == 11)
    }

    @Test func `old events are not for those who do not want them`() {
        let me = subject()
        var remote = PushPullState()
        remote.eventLTime = 8
        remote.events = [.init(ltime: 7, events: [.init(name: "e", payload: nil)])]
        me.state.events.joinsIgnoringOld = 1
        me.state.merge(remoteState: remote.message()[...], join: false, at: .zero)
        #expect(me.state.events.joinTime == 0 && me.state.counters.events == 1)
        remote.events = [.init(ltime: 7, events: [.init(name: "f", payload: nil)])]
        me.state.merge(remoteState: remote.message()[...], join: true, at: .zero)
        #expect(me.state.events.joinTime == 8 && me.state.counters.events == 1)
        #expect(!me.handle(UserEventMessage(ltime: 7, name: "f", payload: nil, coalesce: false), at: .zero))
        remote.events = [.init(ltime: 6, events: [.init(name: "g", payload: nil)])]
        me.state.merge(remoteState: remote.message()[...], join: false, at: .zero)
        #expect(me.state.counters.events == 1)
        #expect(me.handle(UserEventMessage(ltime: 8, name: "new", payload: nil, coalesce: false), at: .zero))
    }

    @Test func `an event of a member whose clock is behind reaches those that joined later`() {
        let me = subject()
        var remote = PushPullState()
        remote.eventLTime = 2
        remote.events = [.init(ltime: 1, events: [.init(name: "consul:new-leader", payload: nil)])]
        me.state.events.joinsIgnoringOld = 1
        me.state.merge(remoteState: remote.message()[...], join: true, at: .zero)
        #expect(me.state.counters.events == 0)
        #expect(me.handle(UserEventMessage(ltime: 1, name: "deploy", payload: nil, coalesce: false), at: .zero))
        #expect(me.state.counters.events == 1)
    }

    @Test func `events from before the buffer are too old`() {
        let me = subject()
        func event(_ time: UInt64) -> UserEventMessage { UserEventMessage(ltime: time, name: "e", payload: nil, coalesce: false) }
        #expect(me.handle(event(1_000), at: .zero))
        #expect(!me.handle(event(1_000), at: .zero), "seen")
        #expect(me.handle(event(489), at: .zero))
        #expect(!me.handle(event(488), at: .zero))
    }

    @Test func `a full packet takes intents before queries before events`() {
        let me = subject()
        let event = UserEventMessage(ltime: 1, name: String(repeating: "e", count: 300), payload: nil, coalesce: false).message()
        me.state.broadcast(event, on: \.events, at: .zero)
        var query = QueryMessage()
        query.name = "q"
        me.state.broadcast(query.message(), on: \.queries, at: .zero)
        me.state.broadcast(JoinIntent(ltime: 1, node: "x").message(), on: \.intents, at: .zero)
        var messages: [[UInt8]] = []
        me.state.appendBroadcasts(overhead: 3, limit: 300, to: &messages)
        #expect(messages.map { $0.first } == [1, 4])
        messages = []
        me.state.appendBroadcasts(overhead: 3, limit: 1_400, to: &messages)
        #expect(messages.map { $0.first } == [1, 4, 3])
    }

    @Test func `queues do not grow without limit`() {
        let me = subject { $0.minQueueDepth = 10 }
        for time in 0..<50 { me.state.broadcast(JoinIntent(ltime: UInt64(time), node: "x").message(), on: \.intents, at: after(1)) }
        #expect(me.state.timers[.queues] == after(30))
        me.state.pruneQueues()
        #expect(me.state.queues.intents.count == 10)
    }

    @Test func `queries are delivered once, and passed on unless told not to`() {
        let me = subject()
        var query = QueryMessage()
        query.ltime = 4
        query.id = 9
        query.name = "uptime"
        query.address = [10, 0, 0, 3]
        query.port = 8301
        query.flags = QueryMessage.ackFlag
        query.timeout = .seconds(1)
        #expect(me.handle(query, at: .zero))
        #expect(!me.handle(query, at: .zero))
        #expect(me.state.queries.clock.time == 5 && me.state.requests.count == 1)
        query.id = 10
        query.flags = QueryMessage.noBroadcastFlag
        query.filters = [[]]
        #expect(!me.handle(query, at: .zero))
        query.id = 11
        query.flags = 0
        #expect(me.handle(query, at: .zero), "an empty filter matches nobody here, perhaps others")
        let delivered = me.state.output.filter { if case .query = $0 { true } else { false } }
        #expect(delivered.count == 1 && me.state.requests.count == 1)
    }

    @Test func `pings without a known version teach nothing`() {
        let me = subject()
        me.state.pingCompleted(node("x"), roundTrip: .milliseconds(3), payload: [], at: .zero)
        me.state.pingCompleted(node("x"), roundTrip: .milliseconds(3), payload: [2], at: .zero)
        me.state.pingCompleted(node("x"), roundTrip: .milliseconds(3), payload: [1, 0x81], at: .zero)
        #expect(me.state.coordinates.client.coordinate == .origin)
        me.state.pingCompleted(node("x"), roundTrip: .seconds(11), payload: PingPayload.encode(.origin)[...], at: .zero)
        #expect(me.state.counters.coordinatesRejected == 1)
        me.state.pingCompleted(node("x"), roundTrip: .milliseconds(3), payload: PingPayload.encode(.origin)[...], at: .zero)
        #expect(me.state.coordinates.known["x"] == .origin && me.state.coordinates.known["me"] == me.state.coordinates.client.coordinate)
    }

    @Test func `empty and unknown messages are ignored`() {
        let me = subject()
        for message in [[], [2], [6], [9, 0x80], [0, 0xC1], [77, 1]] as [[UInt8]] { me.state.received(message[...], at: .zero) }
        #expect(!me.state.hasBroadcasts && me.state.members.count == 1)
    }
}
