import Core

/// Clients that do the same kind of thing, remember what they were told, and judge it at the end.
///
/// Each client does one thing at a time. Everything it learns comes as an answer or a timer.
protocol Workload: AnyObject {
    var name: String { get }
    func start(_ hub: ClientHub)
    func timer(client: Int, token: UInt64, _ hub: ClientHub)
    func answered(_ from: ClientAddress, _ answer: ClientAnswer, _ hub: ClientHub)

    /// Nothing new is begun from now on; what is under way ends.
    func stop()
    /// Whether nothing is under way.
    var isIdle: Bool { get }
    /// The faults are over and the clients idle: reads what must be there, from every healed server, until that is answered.
    func readFinalState(_ hub: ClientHub)
    var hasFinalState: Bool { get }

    /// Judges all that was seen.
    func verdict() -> WorkloadVerdict
}

/// What became of a workload.
struct WorkloadVerdict {
    var name: String
    var violations: [Violation] = []
    /// Objects whose history could not be decided within the limits.
    var undecided: [String] = []
    /// Numbers for people, in a fixed order.
    var counts: [(name: String, value: Int)] = []
}

func makeWorkload(_ options: WorkloadOptions, index: Int, seed: UInt64, _ run: RunOptions) -> any Workload {
    let setup = WorkloadSetup(options: options, index: index, run: run, random: Random(seed: seed, stream: .clients, index: index))
    switch options.kind {
    case .register: return RegisterWorkload(setup)
    case .transaction: return TransactionWorkload(setup)
    case .lock: return LockWorkload(setup)
    case .session: return SessionWorkload(setup)
    case .catalog: return CatalogWorkload(setup)
    case .dns: return DNSWorkload(setup)
    case .agent: return AgentWorkload(setup)
    case .checkSession: return CheckSessionWorkload(setup)
    case .snapshot: return SnapshotWorkload(setup)
    case .model: return ModelWorkload(setup)
    case .check: return CheckWorkload(setup)
    case .event: return EventWorkload(setup)
    }
}

/// What a workload is made of.
struct WorkloadSetup {
    var options: WorkloadOptions
    var index: Int
    var run: RunOptions
    var random: Random

    /// How long one client waits between two operations, so that all together do `rate` of them.
    mutating func pause() -> Duration {
        random.interval(mean: .nanoseconds(Int64(1e9 * Double(options.clients) / max(options.rate, 0.001))))
    }

    /// How much of a time to live is certain, given what the servers' clocks may do in this run.
    func certain(_ ttl: Duration, _ hub: ClientHub) -> Duration {
        max(.zero, ttl - ttl * run.driftPPM * 3 / 1_000_000 - hub.clockLeaps)
    }
}

/// A consistency mode as clients ask for it.
enum ReadMode: UInt8, CaseIterable {
    case consistent, leader, stale

    var parameter: String {
        switch self {
        case .consistent: "consistent"
        case .leader: ""
        case .stale: "stale"
        }
    }
}

extension HTTPClientResponse {
    var consulIndex: UInt64? { header("x-consul-index").flatMap { UInt64($0) } }
    var json: DynamicValue? { try? JSON.parse(body) }
    /// The literal `true` or `false`; nil for everything else.
    var boolean: Bool? {
        guard status == 200, case .bool(let value)? = json else { return nil }
        return value
    }
}

extension DynamicValue {
    var text: String? { if case .string(let text) = self { text } else { nil } }
    var list: [DynamicValue]? { if case .array(let elements) = self { elements } else { nil } }
    var number: UInt64? {
        switch self {
        case .int(let value): value >= 0 ? UInt64(value) : nil
        case .uint(let value): value
        default: nil
        }
    }
}
