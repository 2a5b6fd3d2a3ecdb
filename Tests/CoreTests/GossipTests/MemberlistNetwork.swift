@testable import Core

/// A delegate that writes down what it is told.
struct MemberlistTestDelegate: MemberlistDelegate {
    var meta: [UInt8] = []
    var state: [UInt8] = []
    var vetoedMember: String?
    var mergeReason: String?
    var queue = BroadcastQueue(retransmitMult: 4)
    var events: [String] = []
    var messages: [[UInt8]] = []
    var states: [[UInt8]] = []
    var pings: [(name: String, roundTrip: Duration, payload: [UInt8])] = []
    var joins: [(token: UInt64, contacted: Int, error: String?)] = []
    var ends: [String] = []

    func nodeMeta(limit: Int) -> [UInt8] { meta }
    mutating func received(_ message: ArraySlice<UInt8>, at now: Instant) { messages.append(Array(message)) }
    var hasBroadcasts: Bool { !queue.isEmpty }
    mutating func appendBroadcasts(overhead: Int, limit: Int, to messages: inout [[UInt8]]) {
        queue.drain(overhead: overhead, limit: limit, nodes: 10, to: &messages)
    }
    func localState(join: Bool) -> [UInt8] { state }
    mutating func merge(remoteState: ArraySlice<UInt8>, join: Bool, at now: Instant) { states.append(Array(remoteState)) }
    mutating func joined(_ node: MemberlistNode, at now: Instant) { events.append("+\(node.name)") }
    mutating func left(_ node: MemberlistNode, at now: Instant) { events.append("-\(node.name) \(node.state)") }
    mutating func updated(_ node: MemberlistNode, at now: Instant) { events.append("~\(node.name)") }
    mutating func conflict(existing: MemberlistNode, other: MemberlistNode, at now: Instant) {
        events.append("!\(existing.name) \(existing.address.text) \(other.address.text)")
    }
    mutating func mergeVeto(_ peers: [MemberlistNode]) -> String? { mergeReason }
    mutating func aliveVeto(_ peer: MemberlistNode) -> String? { peer.name == vetoedMember ? "not wanted" : nil }
    func ackPayload() -> [UInt8] { [0xC0, 0xFF] }
    mutating func pingCompleted(_ node: MemberlistNode, roundTrip: Duration, payload: ArraySlice<UInt8>, at now: Instant) {
        pings.append((node.name, roundTrip, Array(payload)))
    }
    mutating func joinFinished(token: UInt64, contacted: Int, error: String?, at now: Instant) { joins.append((token, contacted, error)) }
    mutating func leaveFinished(error: String?, at now: Instant) { ends.append("leave \(error ?? "done")") }
    mutating func updateFinished(token: UInt64, error: String?, at now: Instant) { ends.append("update \(token) \(error ?? "done")") }
}

/// Memberlists with a clock and a network between them that loses packets.
final class MemberlistNetwork {
    typealias Machine = Memberlist<MemberlistTestDelegate>

    private enum Happening {
        case event(Int, GossipEvent)
        case reply(to: Int, CallID, [UInt8])
    }

    private(set) var now = Instant.zero
    var machines: [Machine] = []
    /// Those that neither hear nor are heard.
    var silent: Set<Int> = []
    /// Packets between these two are lost; streams work.
    var lostPairs: Set<[Int]> = []
    /// Members with whom all packets are lost; streams work.
    var withoutPackets: Set<Int> = []
    var loss = 0.0
    var logs: [String] = []
    /// Logs above debug level, and what the delegates were told, with the time.
    var trace: [String] = []
    private var traced: [Int] = []
    var packetCount = 0
    private var random: Random
    private var agenda: [(at: Instant, order: Int, happening: Happening)] = []
    private var order = 0
    private var incoming: [CallID: (caller: Int, id: CallID)] = [:]

    init(seed: UInt64) { random = Random(seed: seed) }

    static func address(_ index: Int) -> NodeAddress { NodeAddress([10, 0, UInt8(index / 250), UInt8(1 + index % 250)], port: 8301)! }

    static func name(_ index: Int) -> String { "n\(index)" }

    @discardableResult
    func add(
        _ change: (inout MemberlistConfig) -> Void = { _ in }, keyring: GossipKeyring = GossipKeyring(),
        delegate: (inout MemberlistTestDelegate) -> Void = { _ in }
    ) -> Int {
        let index = machines.count
        var config = MemberlistConfig.lan(name: Self.name(index), advertise: Self.address(index))
        change(&config)
        var rider = MemberlistTestDelegate()
        delegate(&rider)
        machines.append(
            Machine(config: config, delegate: rider, keyring: keyring, cipher: MemberlistToyCipher(), seed: random.next(), at: now))
        use(index) { machine, effects in
            if let failure = machine.start(at: now, into: &effects) { logs.append(failure) }
        }
        return index
    }

    /// Calls one machine and performs what it asks for.
    func use(_ index: Int, _ body: (inout Machine, inout [GossipEffect]) -> Void) {
        var effects: [GossipEffect] = []
        body(&machines[index], &effects)
        traceEvents(of: index)
        perform(effects, of: index)
    }

    private func traceEvents(of index: Int) {
        while traced.count <= index { traced.append(0) }
        for event in machines[index].delegate.events[traced[index]...] { note("\(Self.name(index)) \(event)") }
        traced[index] = machines[index].delegate.events.count
    }

    private func note(_ text: String) {
        let milliseconds = now.nanoseconds / 1_000_000
        let rest = String(1_000 + milliseconds % 1_000).dropFirst()
        trace.append("\(milliseconds / 1_000).\(rest) \(text)")
    }

    func join(_ index: Int, _ others: Int..., token: UInt64 = 1) {
        use(index) { machine, effects in
            machine.join(others.map { .address(Self.address($0)) }, token: token, at: now, into: &effects)
        }
    }

    func run(for length: Duration) {
        let end = now + length
        while true {
            var next = agenda.indices.min { (agenda[$0].at, agenda[$0].order) < (agenda[$1].at, agenda[$1].order) }
            if let index = next, agenda[index].at > end { next = nil }
            let timers = machines.indices.filter { !silent.contains($0) }.compactMap { index in
                machines[index].deadline.map { (index, $0) }
            }
            let timer = timers.min { $0.1 < $1.1 }
            if let timer, timer.1 <= end, next.map({ timer.1 < agenda[$0].at }) ?? true {
                now = max(now, timer.1)
                use(timer.0) { $0.handle(.wake, at: now, into: &$1) }
            } else if let next {
                let (at, _, happening) = agenda.remove(at: next)
                now = max(now, at)
                take(happening)
            } else {
                break
            }
        }
        now = end
    }

    private func take(_ happening: Happening) {
        switch happening {
        case .event(let index, let event):
            guard !silent.contains(index) else { return }
            use(index) { $0.handle(event, at: now, into: &$1) }
        case .reply(let caller, let id, let bytes):
            guard !silent.contains(caller) else { return }
            use(caller) { $0.handle(.answered(id, bytes), at: now, into: &$1) }
        }
    }

    private func schedule(after delay: Duration, _ happening: Happening) {
        order += 1
        agenda.append((now + delay, order, happening))
    }

    private func index(of address: Address) -> Int? { machines.firstIndex { $0.config.advertise.text == address } }

    private func perform(_ effects: [GossipEffect], of index: Int) {
        let sender = machines[index].config.advertise.text
        for effect in effects {
            switch effect {
            case .packet(let to, let bytes):
                packetCount += 1
                let delay = Duration.microseconds(Int64.random(in: 200...2_000, using: &random))
                guard !random.chance(loss), !silent.contains(index), let target = self.index(of: to), !lostPairs.contains([index, target]),
                    withoutPackets.isDisjoint(with: [index, target])
                else { continue }
                schedule(after: delay, .event(target, .packet(from: sender, bytes)))
            case .call(let id, let to, let bytes, let timeout):
                guard let target = self.index(of: to), !silent.contains(target), StreamPrefix(bytes) == .complete(bytes.count) else {
                    schedule(after: timeout, .event(index, .callFailed(id, "dial tcp \(to): i/o timeout")))
                    continue
                }
                order += 1
                let incomingID = CallID(incoming: UInt64(order))
                incoming[incomingID] = (index, id)
                schedule(after: .milliseconds(1), .event(target, .call(incomingID, from: sender, bytes)))
            case .reply(let id, let bytes):
                guard let (caller, callID) = incoming.removeValue(forKey: id) else { continue }
                schedule(after: .milliseconds(1), .reply(to: caller, callID, bytes))
            case .refuse(let id):
                guard let (caller, callID) = incoming.removeValue(forKey: id) else { continue }
                schedule(after: .milliseconds(1), .event(caller, .callFailed(callID, "EOF")))
            case .log(let level, _, let text):
                logs.append("\(Self.name(index)) \(level): \(text)")
                if level > .debug { note("\(Self.name(index)) \(level): \(text)") }
            }
        }
    }

    /// What one machine believes of all: `n0 alive, n1 suspect`.
    func view(_ index: Int) -> String {
        machines[index].members.sorted { $0.name < $1.name }.map { "\($0.name) \($0.state)" }.joined(separator: ", ")
    }

    /// What all that speak believe of a member; nil where they differ.
    func consensus(on name: String) -> NodeState? {
        let views = Set(machines.indices.filter { !silent.contains($0) }.map { machines[$0].state(of: name) })
        return views.count == 1 ? views.first ?? nil : nil
    }
}
