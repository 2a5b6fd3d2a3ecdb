/// Joins a pool again and again until it works: `retry_join` (config §17), or once: `start_join`.
///
/// Counted attempts come every `interval`, as the reference's do. Between them the addresses are tried in silence, soon and then ever more
/// rarely, so that agents that were started in an unlucky order need not wait for a whole interval.
struct JoinSchedule {
    /// What the owner has to do.
    enum Step: Equatable {
        /// Look the name up and hand the outcome to `resolved`.
        case resolve(host: String)
        /// Join these and hand the outcome to `joined`.
        case join([Address])
        case log(LogLevel, String)
        /// Stop the agent: what was asked for cannot be had.
        case giveUp(String)
    }

    /// One entry of `retry_join`.
    struct Target: Equatable {
        /// `<name>/` in front of addresses of the WAN pool, with its slash; usually empty.
        var prefix: String
        /// A name, or an address without brackets.
        var host: String
        var port: Int
    }

    private enum State {
        case idle
        /// `index` is the target whose name is being looked up.
        case resolving(index: Int)
        case joining
        case waiting
        case done
    }

    private let targets: [Target]
    private let interval: Duration
    /// Attempts after the first; 0 for no end.
    private let retriesMax: Int
    /// `LAN` or `WAN`.
    private let pool: String
    private let once: Bool
    private var state = State.idle
    private var addresses: [Address] = []
    private var problems: [String] = []
    private var attempts = 0
    /// Whether the attempt under way counts.
    private var isCounted = true
    private var nextAttempt = Instant.zero
    private var nextKnock = Instant.zero
    private var knockDelay = Self.knockDelayMin

    static let knockDelayMin: Duration = .milliseconds(100)
    static let knockDelayMax: Duration = .seconds(5)

    init(targets: [Target], interval: Duration, retriesMax: Int, pool: GossipPool, once: Bool = false) {
        self.targets = targets
        self.interval = interval
        self.retriesMax = retriesMax
        self.pool = pool == .lan ? "LAN" : "WAN"
        self.once = once
        if targets.isEmpty { state = .done }
    }

    var isDone: Bool { if case .done = state { true } else { false } }

    var deadline: Instant? {
        switch state {
        case .idle, .waiting: min(nextAttempt, nextKnock)
        case .resolving, .joining, .done: nil
        }
    }

    /// The deadline has come.
    mutating func wake(at now: Instant, into steps: inout [Step]) {
        switch state {
        case .resolving, .joining, .done: return
        case .idle, .waiting: break
        }
        if now >= nextAttempt {
            isCounted = true
            nextAttempt = now + interval
            if !once { steps.append(.log(.info, "(\(pool)) joining: lan_addresses=[\(targets.map(\.host).joined(separator: ", "))]")) }
        } else if now >= nextKnock {
            isCounted = false
        } else {
            return
        }
        addresses = []
        problems = []
        proceed(from: 0, at: now, into: &steps)
    }

    /// What a name was found to mean, as addresses without ports.
    mutating func resolved(_ found: Result<[String], Complaint>, at now: Instant, into steps: inout [Step]) {
        guard case .resolving(let index) = state else { return }
        switch found {
        case .success(let hosts): for host in hosts { append(host, targets[index]) }
        case .failure(let complaint): problems.append(complaint.text)
        }
        proceed(from: index + 1, at: now, into: &steps)
    }

    /// How many of the addresses could be joined, or why none.
    mutating func joined(_ outcome: Result<Int, Complaint>, at now: Instant, into steps: inout [Step]) {
        guard case .joining = state else { return }
        switch outcome {
        case .success(let count) where count > 0:
            state = .done
            steps.append(.log(.info, "Join completed. Initial agents synced with: agent_count=\(count)"))
        case .success: failed("no addresses could be joined", at: now, into: &steps)
        case .failure(let complaint): failed(complaint.text, at: now, into: &steps)
        }
    }

    /// Somebody else has brought this agent into the pool: nothing is left to do.
    mutating func becameMember(into steps: inout [Step]) {
        if case .done = state { return }
        state = .done
        steps.append(.log(.info, "Join completed. Initial agents synced with: agent_count=1"))
    }

    private mutating func proceed(from start: Int, at now: Instant, into steps: inout [Step]) {
        for index in targets.indices[start...] {
            let target = targets[index]
            guard IPAddress(target.host) != nil else {
                state = .resolving(index: index)
                return steps.append(.resolve(host: target.host))
            }
            append(target.host, target)
        }
        guard !addresses.isEmpty else {
            state = .joining
            return failed(problems.isEmpty ? "No servers to join" : problems.joined(separator: "; "), at: now, into: &steps)
        }
        state = .joining
        steps.append(.join(addresses))
    }

    private mutating func append(_ host: String, _ target: Target) {
        let isIPv6 = host.utf8.contains(UInt8(ascii: ":"))
        let address = target.prefix + (isIPv6 ? "[\(host)]:\(target.port)" : "\(host):\(target.port)")
        if !addresses.contains(address) { addresses.append(address) }
    }

    private mutating func failed(_ reason: String, at now: Instant, into steps: inout [Step]) {
        state = .waiting
        nextKnock = now + knockDelay
        knockDelay = min(Self.knockDelayMax, knockDelay * 3 / 2)
        guard isCounted else { return }
        if once {
            state = .done
            return steps.append(.giveUp(reason))
        }
        if retriesMax > 0, attempts >= retriesMax {
            state = .done
            steps.append(.log(.error, "Retry join failed: error=\"agent: max join \(pool) retry exhausted, exiting\""))
            return steps.append(.giveUp("agent: max join \(pool) retry exhausted, exiting"))
        }
        attempts += 1
        steps.append(.log(.warn, "Join \(pool) failed, will retry: retry_interval=\(GoDuration.format(interval)) error=\"\(reason)\""))
    }
}
