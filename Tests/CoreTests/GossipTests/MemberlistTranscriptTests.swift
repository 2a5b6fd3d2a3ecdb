import Testing

@testable import Core

/// Runs `Transcripts/swim-*.txt`: pools of memberlists, and what becomes of them. The commands:
///
///     pool COUNT [seed=N] [awareness=off] [suspicion=off] [buddies=off] [streams=off]    all join the first one
///     run SECONDS
///     silence NAME | speak NAME           neither hears nor is heard
///     deafen NAME | undeafen NAME         no packets, but streams
///     lose SHARE                          of all packets
///     accuse NAME of INCARNATION by NAME at NAME
///     leave NAME
///     show                                what everybody believes, and their health
@Suite struct MemberlistTranscriptTests {
    static let names = TranscriptFile.names(withPrefix: "swim-")

    @Test(arguments: names) func `every transcript is followed to the letter`(name: String) throws {
        let pool = TranscriptPool()
        try TranscriptFile(name: name).check { pool.perform($0) }
    }

    @Test func `transcripts are found`() { #expect(Self.names.count >= 5) }
}

private final class TranscriptPool {
    private var network = MemberlistNetwork(seed: 0)

    func perform(_ line: String) -> [String] {
        let words = line.split(separator: " ").map(String.init)
        let rest = Array(words.dropFirst())
        switch (words[0], rest.first) {
        case ("pool", let count?): start(Int(count) ?? 0, Set(rest.dropFirst()))
        case ("run", let seconds?): network.run(for: .milliseconds(Int((Double(seconds) ?? 0) * 1_000)))
        case ("silence", let name?): network.silent.insert(index(name))
        case ("speak", let name?): network.silent.remove(index(name))
        case ("deafen", let name?): network.withoutPackets.insert(index(name))
        case ("undeafen", let name?): network.withoutPackets.remove(index(name))
        case ("lose", let share?): network.loss = Double(share) ?? 0
        case ("accuse", let name?): accuse(name, UInt32(rest[2]) ?? 0, by: rest[4], at: index(rest[6]))
        case ("leave", let name?): network.use(index(name)) { $0.leave(timeout: .seconds(5), at: network.now, into: &$1) }
        case ("show", nil): return show()
        default: return ["unknown command: \(line)"]
        }
        defer { network.trace = [] }
        return network.trace
    }

    private func index(_ name: String) -> Int { Int(name.dropFirst()) ?? 0 }

    private func start(_ count: Int, _ options: Set<String>) {
        let seed = options.compactMap { $0.hasPrefix("seed=") ? UInt64($0.dropFirst(5)) : nil }.first ?? 1
        network = MemberlistNetwork(seed: seed)
        for _ in 0..<count {
            network.add { config in
                config.usesAwareness = !options.contains("awareness=off")
                config.usesDynamicSuspicion = !options.contains("suspicion=off")
                config.usesBuddySystem = !options.contains("buddies=off")
                config.disableTCPPings = options.contains("streams=off")
            }
        }
        for index in 1..<count { network.join(index, 0) }
        network.run(for: .seconds(10))
        let isComplete = network.machines.allSatisfy { $0.aliveCount == count }
        network.trace = [isComplete ? "all know all" : "some do not know all"]
    }

    private func accuse(_ name: String, _ incarnation: UInt32, by accuser: String, at index: Int) {
        let claim = Accusation(incarnation: incarnation, node: name, from: accuser)
        network.use(index) { machine, effects in
            machine.handle(
                .packet(from: "10.9.9.9:1", SuspectMessage(accusation: claim).encoded), at: network.now, into: &effects)
        }
    }

    private func show() -> [String] {
        network.machines.indices.map { index in
            let machine = network.machines[index]
            let silent = network.silent.contains(index) ? " (silent)" : ""
            let view = network.view(index)
            return "\(machine.config.name)\(silent): \(view); health \(machine.healthScore), incarnation \(machine.ownIncarnation)"
        }
    }
}
