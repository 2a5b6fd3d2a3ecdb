import Core

/// Memberlists in virtual time, without agents around them: what the study of failure detection runs.
///
/// A value: a pool that has settled is copied for each run that begins with it.
struct StudyPool {
    /// What a memberlist tells of others' ends, for the study to count.
    struct Recorder: MemberlistDelegate {
        var ends: [String] = []

        mutating func left(_ node: MemberlistNode, at now: Instant) {
            if node.state == .dead { ends.append(node.name) }
        }
    }

    /// One member took another for dead.
    struct Verdict {
        var at: Instant
        var observer: Int
        var subject: Int
    }

    private enum Event {
        case packet(from: Int, to: Int, [UInt8])
        case call(CallID, from: Int, to: Int, [UInt8])
        case answer(CallID, to: Int, [UInt8])
        case failure(CallID, to: Int, String)
        case wake(Int, generation: UInt32)
        /// Slow members are slow no more.
        case recovery(Int)
    }

    private struct Member {
        var list: Memberlist<Recorder>
        var address: Address
        var wakeAt: Instant?
        var generation: UInt32 = 0
        /// Until then it neither gets what is sent to it nor gets rid of what it sends.
        var slowUntil: Instant?
        var isDead = false
        var inbox: [Event] = []
        var outbox: [GossipEffect] = []
        /// Calls that it has to answer, by its own number for them: who called, and with which number.
        var served = LookupTable<CallID, (from: Int, id: CallID)>()
    }

    /// What a socket buffer of 2 MiB holds of datagrams; more are lost.
    private static let inboxLimit = 2700
    private static let delay: ClosedRange<Duration> = .microseconds(100)...(.microseconds(1000))

    private var members: [Member] = []
    private var places = LookupTable<Address, Int>()
    private var agenda = Agenda<Event>()
    private var random: Random
    private var effects: [GossipEffect] = []
    private var nextServed: UInt64 = 0
    private(set) var now = Instant.zero
    private(set) var verdicts: [Verdict] = []
    private(set) var packets = 0
    private(set) var bytes = 0
    private(set) var events = 0

    var count: Int { members.count }

    /// Members that know each other; `adjust` sets up each memberlist.
    init(count: Int, seed: UInt64, adjust: (inout MemberlistConfig) -> Void) {
        random = Random(seed: seed)
        let metas = MetaPool()
        for place in 0..<count {
            let address = NodeAddress(IPAddress(high: 0, low: 0xFFFF_0A00_0000 | UInt64(place + 1)), port: 8301)
            var config = MemberlistConfig.lan(name: Self.name(place), advertise: address)
            // Packets are not packed tighter than need be: the study is about when they arrive.
            config.enableCompression = false
            adjust(&config)
            let list = Memberlist(config: config, delegate: Recorder(), pool: metas, seed: random.next(), at: now)
            members.append(Member(list: list, address: address.text))
            places[address.text] = place
        }
        for place in 0..<count {
            if let problem = members[place].list.start(at: now, into: &effects) { preconditionFailure(problem) }
            finish(place)
        }
        join()
    }

    /// Another course of the same pool from here on.
    mutating func reseed(_ seed: UInt64) { random = Random(seed: seed) }

    private static func name(_ place: Int) -> String { "m\(place)" }
    private static func place(_ name: String) -> Int { Int(name.dropFirst()) ?? 0 }

    /// All join through a few of them, a while apart.
    private mutating func join() {
        for place in 1..<members.count {
            run(for: .milliseconds(2))
            let target = members[random.int(in: 0...min(place, 8) - 1)].list.config.advertise
            members[place].list.join([.address(target)], token: 1, at: now, into: &effects)
            finish(place)
        }
    }

    // MARK: - What happens to members

    /// The members neither receive nor send anything for a while; their timers go on, as those of a process that gets no processor
    /// for its input.
    mutating func slow(_ places: [Int], for length: Duration) {
        for place in places {
            members[place].slowUntil = now + length
            agenda.schedule(.recovery(place), at: now + length)
        }
    }

    /// The member stops for good.
    mutating func kill(_ place: Int) { members[place].isDead = true }

    /// Whether everybody holds everybody else for alive.
    var isSettled: Bool { members.allSatisfy { $0.isDead || $0.list.aliveCount == members.count } }

    mutating func forgetVerdicts() {
        verdicts = []
        packets = 0
        bytes = 0
    }

    // MARK: - Running

    mutating func run(for length: Duration) {
        let end = now + length
        while let next = agenda.next, next <= end, let (time, event) = agenda.takeNext() {
            now = time
            dispatch(event)
        }
        now = end
    }

    private mutating func dispatch(_ event: Event) {
        switch event {
        case .packet(_, let to, _), .call(_, _, let to, _), .answer(_, let to, _), .failure(_, let to, _):
            if members[to].isDead { return refuse(event) }
            if members[to].slowUntil != nil {
                if members[to].inbox.count < Self.inboxLimit { members[to].inbox.append(event) }
                return
            }
            deliver(event, to: to)
        case .wake(let place, let generation):
            guard members[place].generation == generation, !members[place].isDead else { return }
            members[place].wakeAt = nil
            events += 1
            members[place].list.handle(.wake, at: now, into: &effects)
            finish(place)
        case .recovery(let place): recover(place)
        }
    }

    /// Somebody dialed a member that is not there.
    private mutating func refuse(_ event: Event) {
        if case .call(let id, let from, _, _) = event {
            agenda.schedule(.failure(id, to: from, "i/o timeout"), at: now + .seconds(10))
        }
    }

    private mutating func deliver(_ event: Event, to place: Int) {
        events += 1
        switch event {
        case .packet(let from, _, let bytes):
            members[place].list.handle(.packet(from: members[from].address, bytes), at: now, into: &effects)
        case .call(let id, let from, _, let bytes):
            nextServed += 1
            let served = CallID(incoming: nextServed)
            members[place].served[served] = (from, id)
            members[place].list.handle(.call(served, from: members[from].address, bytes), at: now, into: &effects)
        case .answer(let id, _, let bytes): members[place].list.handle(.answered(id, bytes), at: now, into: &effects)
        case .failure(let id, _, let text): members[place].list.handle(.callFailed(id, text), at: now, into: &effects)
        case .wake, .recovery: break
        }
        finish(place)
    }

    private mutating func recover(_ place: Int) {
        guard let until = members[place].slowUntil, until <= now else { return }
        members[place].slowUntil = nil
        let outbox = members[place].outbox
        let inbox = members[place].inbox
        members[place].outbox = []
        members[place].inbox = []
        for effect in outbox { perform(effect, of: place) }
        for event in inbox where !members[place].isDead { deliver(event, to: place) }
    }

    /// Sees to what the member has asked for since `effects` was empty.
    private mutating func finish(_ place: Int) {
        if !members[place].list.delegate.ends.isEmpty {
            for name in members[place].list.delegate.ends { verdicts.append(Verdict(at: now, observer: place, subject: Self.place(name))) }
            members[place].list.delegate.ends.removeAll(keepingCapacity: true)
        }
        let isSlow = members[place].slowUntil != nil
        let pending = effects
        effects.removeAll(keepingCapacity: true)
        for effect in pending {
            if isSlow { members[place].outbox.append(effect) } else { perform(effect, of: place) }
        }
        arm(place)
    }

    private mutating func arm(_ place: Int) {
        guard let deadline = members[place].list.deadline else { return }
        if let planned = members[place].wakeAt, planned <= deadline { return }
        members[place].wakeAt = deadline
        members[place].generation &+= 1
        agenda.schedule(.wake(place, generation: members[place].generation), at: max(now, deadline))
    }

    private mutating func perform(_ effect: GossipEffect, of place: Int) {
        switch effect {
        case .packet(let address, let payload):
            packets += 1
            bytes += payload.count
            guard let to = places[address] else { return }
            agenda.schedule(.packet(from: place, to: to, payload), at: now + random.duration(in: Self.delay))
        case .call(let id, let address, let payload, let timeout):
            guard let to = places[address] else { return }
            agenda.schedule(.failure(id, to: place, "i/o timeout"), at: now + timeout)
            agenda.schedule(.call(id, from: place, to: to, payload), at: now + random.duration(in: Self.delay) * 3)
        case .reply(let served, let payload):
            guard let caller = members[place].served.removeValue(forKey: served) else { return }
            agenda.schedule(.answer(caller.id, to: caller.from, payload), at: now + random.duration(in: Self.delay))
        case .refuse(let served):
            guard let caller = members[place].served.removeValue(forKey: served) else { return }
            agenda.schedule(.failure(caller.id, to: caller.from, "EOF"), at: now + random.duration(in: Self.delay))
        case .log: break
        }
    }
}
