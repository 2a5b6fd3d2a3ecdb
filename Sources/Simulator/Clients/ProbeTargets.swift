import Core

/// What probes of agents meet: addresses that answer or do not, as a workload decides, and what each agent has heard of them.
struct ProbeTargets {
    private var down = LookupSet<String>()
    /// By address: what the agent that probes it was told in its present life, and when.
    private var heard = LookupTable<String, Hearing>()
    private var asked = LookupTable<Key, String>()

    struct Hearing {
        var life: LifeID
        var outcomes: [(at: Instant, isUp: Bool)] = []
    }

    private struct Key: Hashable {
        var life: LifeID
        var token: UInt64
    }

    mutating func set(_ address: String, isUp: Bool) { if isUp { down.remove(address) } else { down.insert(address) } }

    /// What a probe that begins now will come to.
    mutating func begin(_ probe: CheckProbe, _ token: UInt64, of life: LifeID) -> CheckOutcome {
        guard case .tcp(let address) = probe else { return .tcpConnected }
        asked[Key(life: life, token: token)] = address
        return down.contains(address) ? .failed("dial tcp \(address): connect: connection refused") : .tcpConnected
    }

    /// The agent is told.
    mutating func end(_ token: UInt64, of life: LifeID, _ outcome: CheckOutcome, at now: Instant) {
        guard let address = asked.removeValue(forKey: Key(life: life, token: token)) else { return }
        if heard[address]?.life != life { heard[address] = Hearing(life: life) }
        heard[address]?.outcomes.append((now, outcome == .tcpConnected))
    }

    func heard(_ address: String) -> Hearing? { heard[address] }
}
