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
        case join([JoinTarget])
        case log(LogLevel, String)
        /// What the agent's start waited for is done.
        case isUp
        /// Stop the agent: what was asked for cannot be had.
        case giveUp(String)
    }

    private enum State {
        /// Until `begin`.
        case held
        case idle
        /// `index` is the target whose name is being looked up.
        case resolving(index: Int)
        case joining
        case waiting
        case done
    }

    private let entries: [JoinAddress]
    /// What entries came to that no join can use, as a join would tell it.
    private let unusable: [String]
    private let interval: Duration
    /// Attempts after the first; 0 for no end.
    private let retriesMax: Int
    /// `LAN` or `WAN`.
    private let pool: String
    /// The agent's start waits for it: one attempt, which begins when it is told to.
    private let isAtStart: Bool
    private var state = State.idle
    private var targets: [JoinTarget] = []
    private var attempts = 0
    /// Whether the attempt under way counts.
    private var isCounted = true
    private var nextAttempt = Instant.zero
    private var nextKnock = Instant.zero
    private var knockDelay = Self.knockDelayMin

    static let knockDelayMin: Duration = .milliseconds(100)
    static let knockDelayMax: Duration = .seconds(5)

    /// - Parameter port: of entries that name none: the pool's own.
    init(_ entries: [String], port: Int, interval: Duration, retriesMax: Int, pool: GossipPool, isAtStart: Bool = false) {
        let (addresses, refused) = JoinDiscovery.sort(entries)
        var found: [JoinAddress] = []
        var unusable = refused.map { "Cannot discover address: address=\(LogText.value($0.entry)) error=\(LogText.value($0.reason))" }
        for text in addresses {
            do throws(TextError) {
                found.append(try JoinAddress(text, defaultPort: port))
            } catch {
                unusable.append("Failed to resolve \(text): \(error.text)")
            }
        }
        self.entries = found
        self.unusable = unusable
        self.interval = interval
        self.retriesMax = retriesMax
        self.pool = pool == .lan ? "LAN" : "WAN"
        self.isAtStart = isAtStart
        state = entries.isEmpty ? .done : isAtStart ? .held : .idle
    }

    var isDone: Bool { if case .done = state { true } else { false } }

    var deadline: Instant? {
        switch state {
        case .idle, .waiting: min(nextAttempt, nextKnock)
        case .held, .resolving, .joining, .done: nil
        }
    }

    /// The agent starts.
    mutating func begin(at now: Instant, into steps: inout [Step]) {
        guard case .held = state else { return }
        state = .idle
        wake(at: now, into: &steps)
    }

    /// The deadline has come.
    mutating func wake(at now: Instant, into steps: inout [Step]) {
        switch state {
        case .held, .resolving, .joining, .done: return
        case .idle, .waiting: break
        }
        if now >= nextAttempt {
            isCounted = true
            nextAttempt = now + interval
            for problem in unusable { steps.append(.log(.error, problem)) }
            if isAtStart {
                steps.append(
                    .log(
                        .info,
                        "(\(pool)) joining: \(pool == "WAN" ? "wan" : "lan")_addresses=\(LogText.list(entries.map(\.text)))"))
            }
        } else if now >= nextKnock {
            isCounted = false
        } else {
            return
        }
        targets = []
        proceed(from: 0, at: now, into: &steps)
    }

    /// What a name was found to mean, as addresses without ports.
    mutating func resolved(_ found: Result<[String], TextError>, at now: Instant, into steps: inout [Step]) {
        guard case .resolving(let index) = state else { return }
        switch found {
        case .success(let hosts): for host in hosts { append(entries[index].address(ip: host)) }
        case .failure(let complaint): targets.append(.failed("Failed to resolve \(entries[index].text): \(complaint.text)"))
        }
        proceed(from: index + 1, at: now, into: &steps)
    }

    /// How many of the addresses could be joined, or why none.
    mutating func joined(_ outcome: Result<Int, TextError>, at now: Instant, into steps: inout [Step]) {
        guard case .joining = state else { return }
        switch outcome {
        case .success(let count) where count > 0:
            state = .done
            if isAtStart { steps.append(.log(.info, "(\(pool)) joined: number_of_nodes=\(count)")) }
            let join = isAtStart && pool == "WAN" ? "Join -wan" : "Join"
            steps.append(.log(.info, "\(join) completed. Initial agents synced with: agent_count=\(count)"))
            if isAtStart { steps.append(.isUp) }
        case .success: failed("no addresses could be joined", at: now, into: &steps)
        case .failure(let complaint): failed(complaint.text, at: now, into: &steps)
        }
    }

    private mutating func proceed(from start: Int, at now: Instant, into steps: inout [Step]) {
        for index in entries.indices[start...] {
            guard entries[index].isIP else {
                state = .resolving(index: index)
                return steps.append(.resolve(host: entries[index].host))
            }
            append(entries[index].address())
        }
        state = .joining
        targets.isEmpty ? failed("No servers to join", at: now, into: &steps) : steps.append(.join(targets))
    }

    private mutating func append(_ address: Address) {
        guard let address = NodeAddress(address), !targets.contains(.address(address)) else { return }
        targets.append(.address(address))
    }

    private mutating func failed(_ reason: String, at now: Instant, into steps: inout [Step]) {
        state = .waiting
        nextKnock = now + knockDelay
        knockDelay = min(Self.knockDelayMax, knockDelay * 3 / 2)
        guard isCounted else { return }
        if isAtStart {
            state = .done
            steps.append(.log(.warn, "(\(pool)) couldn't join: number_of_nodes=0 error=\(LogText.value(reason))"))
            return steps.append(.giveUp(reason))
        }
        if retriesMax > 0, attempts >= retriesMax {
            state = .done
            return steps.append(.giveUp("Retry join failed: error=\"agent: max join \(pool) retry exhausted, exiting\""))
        }
        attempts += 1
        steps.append(
            .log(.warn, "Join \(pool) failed, will retry: retry_interval=\(GoDuration.format(interval)) error=\(LogText.value(reason))"))
    }
}
