@testable import Core

/// One memberlist without a network: what it is told, and what it sends, taken apart.
final class MemberlistBench {
    typealias Machine = Memberlist<MemberlistTestDelegate>

    var machine: Machine
    var now = Instant.zero
    var effects: [GossipEffect] = []

    init(_ change: (inout MemberlistConfig) -> Void = { _ in }, keyring: GossipKeyring = GossipKeyring()) {
        var config = MemberlistConfig.lan(name: "me", advertise: Self.address(0))
        config.pushPullInterval = .zero
        config.enableCompression = false
        change(&config)
        machine = Machine(
            config: config, delegate: MemberlistTestDelegate(), keyring: keyring, cipher: MemberlistToyCipher(), seed: 1, at: now)
        _ = machine.start(at: now, into: &effects)
        machine.delegate.events = []
    }

    static func address(_ number: UInt8) -> NodeAddress { NodeAddress([10, 0, 0, number], port: 8301)! }

    static func alive(
        _ name: String, _ incarnation: UInt32 = 1, at number: UInt8 = 1, meta: [UInt8] = [], versions: [UInt8] = [1, 5, 2, 2, 5, 4]
    ) -> AliveMessage {
        AliveMessage(
            incarnation: incarnation, node: name, address: address(number).bytes[...], port: 8301, meta: meta[...], versions: versions[...])
    }

    func packet(_ bytes: [UInt8], from: Address = "10.0.0.9:8301") {
        machine.handle(.packet(from: from, bytes), at: now, into: &effects)
    }

    func tell(_ message: some MemberlistMessage) { packet(message.encoded) }

    func alive(_ name: String, _ incarnation: UInt32 = 1, at number: UInt8 = 1, meta: [UInt8] = []) {
        tell(Self.alive(name, incarnation, at: number, meta: meta))
    }

    func suspect(_ name: String, _ incarnation: UInt32 = 1, from: String = "other") {
        tell(SuspectMessage(accusation: Accusation(incarnation: incarnation, node: name, from: from)))
    }

    func dead(_ name: String, _ incarnation: UInt32 = 1, from: String = "other") {
        tell(DeadMessage(accusation: Accusation(incarnation: incarnation, node: name, from: from)))
    }

    /// Wakes the machine at all its deadlines until then.
    func pass(_ length: Duration) {
        let end = now + length
        while let deadline = machine.deadline, deadline <= end {
            now = max(now, deadline)
            machine.handle(.wake, at: now, into: &effects)
        }
        now = end
    }

    /// Passes time until the next ping, and forgets what was sent before it.
    func nextPing() -> (to: Address, ping: PingMessage)? {
        for _ in 0..<1_000 {
            guard let deadline = machine.deadline else { return nil }
            effects = []
            now = max(now, deadline)
            machine.handle(.wake, at: now, into: &effects)
            if let ping = sent(PingMessage.self).first { return (ping.to, ping.message) }
        }
        return nil
    }

    var events: [String] {
        defer { machine.delegate.events = [] }
        return machine.delegate.events
    }

    var logs: [String] {
        effects.compactMap { effect in
            guard case .log(let level, "memberlist", let text) = effect else { return nil }
            return "\(level): \(text)"
        }
    }

    /// The parts of the packets that went out since `effects` was emptied.
    var parts: [(to: Address, bytes: ArraySlice<UInt8>)] {
        effects.flatMap { effect -> [(Address, ArraySlice<UInt8>)] in
            guard case .packet(let to, let bytes) = effect else { return [] }
            var message = bytes[...]
            if message.first == MessageType.checksum.rawValue { message = message.dropFirst(5) }
            guard message.first == MessageType.compound.rawValue else { return [(to, message)] }
            return MessageWrappers.parts(of: message.dropFirst())?.parts.map { (to, $0) } ?? []
        }
    }

    func sent<T: MemberlistMessage>(_ type: T.Type) -> [(to: Address, message: T)] {
        parts.compactMap { part in
            guard part.bytes.first == T.type.rawValue, let message = try? T(part.bytes.dropFirst()) else { return nil }
            return (part.to, message)
        }
    }

    /// What waits for gossip.
    func takeQueue() -> [[UInt8]] {
        var messages: [[UInt8]] = []
        machine.broadcasts.drain(overhead: 2, limit: 1 << 20, nodes: 0, to: &messages)
        return messages
    }

    func queued<T: MemberlistMessage & Equatable>(_ message: T) -> Bool { takeQueue().contains(message.encoded) }

    func state(_ name: String) -> NodeState? { machine.state(of: name) }
}
