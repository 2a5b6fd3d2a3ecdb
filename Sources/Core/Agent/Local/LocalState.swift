/// The services and checks registered with this agent, the checks' runs, and the agreement of the catalog with all of it.
///
/// The agent is authoritative for what is registered with it; whatever differs in the catalog under its node's name is corrected
/// (behaviour §6), at once when something changes here and about once a minute otherwise. Departures from the reference: writes to the
/// catalog are not made under a lock, so every entry has a version that tells whether an answer still concerns it; a registration is
/// checked completely before anything changes, so nothing has to be rolled back; an alias check does not look at itself.
public final class LocalState {
    var config: AgentConfig
    /// Names the files of registrations: 32 lower-case hexadecimal digits (config §20).
    let md5Hex: @Sendable ([UInt8]) -> String
    var random: Random

    // Entries by id, in the order of their bytes; deleted ones stay until the catalog has confirmed.
    var services = SortedMap<ByteString, LocalService>()
    var checks = SortedMap<ByteString, LocalCheck>()
    var nodeInfoInSync = false

    var timers = DeadlineQueue<LocalTimer>()
    var nextToken: UInt64 = 1
    /// The checks that probes and reads under way belong to.
    var probes = LookupTable<UInt64, ByteString>()
    var aliasReads = LookupTable<UInt64, ByteString>()

    /// Checks that mirror local ones, and those of them that are to be evaluated before the event is done.
    var aliasIDs: [ByteString] = []
    var dueAliases: [ByteString] = []

    var schedule: AntiEntropySchedule
    var activity = SyncActivity.none
    /// Requests that are answered when their changes have been sent.
    var waiters: [WaitingRequest] = []
    /// Nested holders of sync.
    var pauses = 0
    var watches = ServiceWatches()
    /// The reaper runs at whole multiples of its interval after this.
    var startedAt: Instant?

    static let deregisterMinimum: Duration = .minutes(1)
    static let intervalMinimum: Duration = .seconds(1)

    /// `random` is this machine's own; `md5Hex` serves to name files only.
    public init(config: AgentConfig, random: Random, md5Hex: @escaping @Sendable ([UInt8]) -> String) {
        self.config = config
        self.random = random
        self.md5Hex = md5Hex
        schedule = AntiEntropySchedule(interval: config.antiEntropyInterval)
    }

    /// When to call with `.wake`; nil for never.
    public var deadline: Instant? {
        guard case .none = activity, let scheduled = schedule.deadline else { return timers.first }
        guard let first = timers.first else { return scheduled }
        return min(first, scheduled)
    }

    public func handle(_ event: LocalEvent, at now: Instant, into effects: inout [LocalEffect]) {
        if startedAt == nil { startedAt = now }
        switch event {
        case .request(let id, let request, let authorizer, let pretty): handle(request, id, authorizer, pretty, now, &effects)
        case .cancelled(let id): cancel(id)
        case .readResult(let token, let result): finishedRead(token, result, now, &effects)
        case .writeResult(let token, let result): finishedWrite(token, result, now, &effects)
        case .probed(let token, let outcome): probed(token, outcome, now, &effects)
        case .startSyncing: schedule.start(at: now, &random)
        case .synchronize: schedule.trigger(.full)
        case .members(let count): schedule.members = count
        case .pause: pauses += 1
        case .resume: resume(now, &effects)
        case .wallClock(let offset): config.wallClockOffset = offset
        case .wake: break
        }
        settle(at: now, &effects)
    }

    /// Runs what has become due and starts what can be started.
    func settle(at now: Instant, _ effects: inout [LocalEffect]) {
        while let timer = timers.popExpired(at: now) { expired(timer, now, &effects) }
        evaluateDueAliases(now, &effects)
        startSync(now, &effects)
    }

    private func expired(_ timer: LocalTimer, _ now: Instant, _ effects: inout [LocalEffect]) {
        switch timer {
        case .check(let id): runCheck(id, now, &effects)
        case .deferred(let id):
            guard let check = liveCheck(id) else { return }
            check.sync.changed()
            schedule.trigger(.changes)
        case .watch(let id): watchTimedOut(id, &effects)
        case .reap: reap(now, &effects)
        }
    }

    private func resume(_ now: Instant, _ effects: inout [LocalEffect]) {
        precondition(pauses > 0, "every resume has its pause")
        pauses -= 1
        guard pauses == 0 else { return }
        schedule.trigger(.changes)
        for id in watches.takeMissed() { wakeWatches(of: id, &effects) }
    }

    func makeToken() -> UInt64 {
        defer { nextToken += 1 }
        return nextToken
    }

    // MARK: Look-up

    func liveService(_ id: ByteString) -> LocalService? {
        guard let entry = services[id], !entry.sync.deleted else { return nil }
        return entry
    }

    func liveCheck(_ id: ByteString) -> LocalCheck? {
        guard let entry = checks[id], !entry.sync.deleted else { return nil }
        return entry
    }

    /// The ids of the checks of a service, or of the node itself for an empty id.
    func checkIDs(ofService id: String) -> [ByteString] {
        var found: [ByteString] = []
        for (checkID, entry) in checks where !entry.sync.deleted && sameBytes(entry.check.serviceID, id) { found.append(checkID) }
        return found
    }

    /// What `/v1/agent/self` counts.
    public var statistics: LocalStatistics {
        var counts = LocalStatistics()
        for (_, entry) in services where !entry.sync.deleted { counts.services += 1 }
        for (_, entry) in checks where !entry.sync.deleted {
            counts.checks += 1
            switch entry.runner {
            case .ttl: counts.ttlChecks += 1
            case .probe(let runner): if case .script = runner.probe { counts.monitors += 1 }
            case .none, .alias: break
            }
        }
        return counts
    }
}

public struct LocalStatistics: Hashable, Sendable {
    public var services = 0
    public var checks = 0
    public var ttlChecks = 0
    /// Script checks.
    public var monitors = 0
    public init() {}
}

/// What happens to the local state.
public enum LocalEvent: Sendable {
    /// Answered by exactly one `.respond` of that id, unless it is cancelled before.
    case request(RequestID, LocalRequest, Authorizer, pretty: Bool)
    case cancelled(RequestID)
    /// The answer to a `.read`, with its index.
    case readResult(UInt64, Result<(result: QueryResult, index: UInt64), Complaint>)
    /// The answer to a `.write`.
    case writeResult(UInt64, Result<ApplyResult, Complaint>)
    case probed(UInt64, CheckOutcome)
    /// The agent listens and has joined: compare with the catalog from now on.
    case startSyncing
    /// A server has joined, or there is a new leader: compare soon.
    case synchronize
    /// How many members of the LAN pool are alive.
    case members(Int)
    /// Suppresses scheduled syncs, and the answers to hash queries, until as many `resume` have come.
    case pause
    case resume
    /// `AgentConfig.wallClockOffset` has changed.
    case wallClock(offset: Int64)
    /// The deadline has come.
    case wake
}

/// What the local state asks of the agent.
public enum LocalEffect: Sendable {
    /// Answered by `.readResult` of that token. Options may ask it to block.
    case read(UInt64, ReadQuery, QueryOptions)
    /// Answered by `.writeResult` of that token.
    case write(UInt64, WriteRequest)
    /// Answered by `.probed` of that token unless it is cancelled.
    case probe(UInt64, CheckProbe, timeout: Duration, outputLimit: Int)
    case cancelProbe(UInt64)
    /// Replace a file of the data directory (write aside, sync, rename); failures are logged by the agent.
    case persist(file: String, [UInt8])
    /// The file may not exist.
    case removeFile(String)
    /// Without the headers that all answers of the API have.
    case respond(RequestID, HTTPResponse)
    case log(LogLevel, String, String)
}

enum LocalTimer: Hashable, Comparable {
    /// The next run of a check, or the end of its TTL.
    case check(ByteString)
    /// A changed output that is not worth a write of its own yet (behaviour §6.5).
    case deferred(ByteString)
    case watch(RequestID)
    case reap
}

/// A request whose changes are being sent to the catalog.
struct WaitingRequest {
    var id: RequestID
    /// Cancelled ones are not answered.
    var cancelled = false
}

/// Text equality byte by byte: `String`'s own takes differently composed accents for equal.
func sameBytes(_ a: String, _ b: String) -> Bool { a.utf8.elementsEqual(b.utf8) }

extension LocalState {
    /// A line in the reference's form: `Synced service: service=web`.
    func log(
        _ level: LogLevel, _ text: String, _ pairs: [(String, String)] = [], subsystem: String = "agent", _ effects: inout [LocalEffect]
    ) {
        guard level >= config.logLevel else { return }
        var line = text
        for (at, pair) in pairs.enumerated() {
            line += at == 0 ? ": " : " "
            line += "\(pair.0)=\(LogText.value(pair.1))"
        }
        effects.append(.log(level, subsystem, line))
    }
}
