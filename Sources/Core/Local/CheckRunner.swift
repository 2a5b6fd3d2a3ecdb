/// What keeps the statuses of checks up to date: intervals, timeouts, thresholds, outputs. Spec: behaviour §6.5, §7.2-7.5, §7.7.
final class CheckRunner {
    static let deregisterMinimum: Duration = .minutes(1)
    static let intervalMinimum: Duration = .seconds(1)

    let context: LocalContext
    let registry: Registry
    private let sync: CatalogSync
    private let states: UnsyncedFiles
    /// By check: its next run, the end of its TTL, or when an alias looks again.
    var timers = DeadlineQueue<ByteString>()
    /// The checks that probes and reads under way belong to.
    private var probes = LookupTable<UInt64, ByteString>()
    var aliasReads = LookupTable<UInt64, ByteString>()
    /// When services are looked for whose checks have been critical for too long, at whole multiples of the interval after `startedAt`.
    private var reapAt: Instant?
    var startedAt: Instant?

    init(_ context: LocalContext, _ registry: Registry, _ sync: CatalogSync, _ states: UnsyncedFiles) {
        (self.context, self.registry, self.sync, self.states) = (context, registry, sync, states)
    }

    var deadline: Instant? {
        guard let first = timers.first, let reapAt else { return timers.first ?? reapAt }
        return min(first, reapAt)
    }

    /// Runs what is due; returns the services to be deregistered.
    func wake(_ now: Instant, _ effects: inout [LocalEffect]) -> [(service: ByteString, check: ByteString)] {
        while let id = timers.popExpired(at: now) { run(id, now, &effects) }
        guard let reapAt, reapAt <= now else { return [] }
        return reap(now)
    }

    // MARK: Runs

    func start(_ id: ByteString, _ entry: LocalCheck, _ now: Instant, _ effects: inout [LocalEffect]) {
        guard let definition = entry.definition else { return }
        if let after = entry.definition?.deregisterCriticalServiceAfter, after > .zero, after < CheckRunner.deregisterMinimum {
            context.log(
                .warn, "check has deregister interval below minimum",
                [("check", id.string), ("minimum_interval", GoDuration.format(CheckRunner.deregisterMinimum))], &effects)
        }
        var limit = max(0, context.settings.checks.outputMaxSize)
        if definition.outputMaxSize > 0 { limit = min(limit, definition.outputMaxSize) }
        switch definition.kindToRun {
        case .ttl:
            entry.runner = .ttl(TTLRunner(ttl: definition.ttl, outputLimit: limit))
            timers[id] = now + definition.ttl
        case .http: startProbe(id, entry, definition, definition.httpProbe, .seconds(10), limit, now, &effects)
        case .tcp: startProbe(id, entry, definition, .tcp(address: definition.tcp), .seconds(10), limit, now, &effects)
        case .script:
            let probe = CheckProbe.script(arguments: definition.scriptArgs ?? [], directory: "")
            startProbe(id, entry, definition, probe, .seconds(30), limit, now, &effects)
        case .alias: startAlias(id, entry, definition, now)
        case .grpc, .docker:
            // Kept for an agent that can run it.
            entry.check.status = CheckStatus.critical
            entry.check.output = definition.kindToRun.problem ?? ""
            entry.awaitsCatalog = false
        case .none: break
        }
    }

    private func startProbe(
        _ id: ByteString, _ entry: LocalCheck, _ definition: CheckDefinition, _ probe: CheckProbe, _ defaultTimeout: Duration,
        _ outputLimit: Int, _ now: Instant, _ effects: inout [LocalEffect]
    ) {
        if definition.interval < CheckRunner.intervalMinimum {
            context.log(
                .warn, "check has interval below minimum",
                [("check", id.string), ("minimum_interval", GoDuration.format(CheckRunner.intervalMinimum))], &effects)
        }
        let interval = max(definition.interval, CheckRunner.intervalMinimum)
        let successes = max(0, definition.successBeforePassing), failures = max(0, definition.failuresBeforeCritical)
        entry.runner = .probe(
            ProbeRunner(
                probe: probe, interval: interval, timeout: definition.timeout > .zero ? definition.timeout : defaultTimeout,
                outputLimit: outputLimit, successesNeeded: successes, failuresNeeded: failures, successes: successes, failures: failures))
        timers[id] = now + context.random.duration(below: interval)
    }

    func stop(_ id: ByteString, _ entry: LocalCheck, _ effects: inout [LocalEffect]) {
        timers[id] = nil
        switch entry.runner {
        case .none, .ttl: break
        case .probe(let runner):
            if let token = runner.token {
                probes.removeValue(forKey: token)
                effects.append(.cancelProbe(token))
            }
        case .alias(let runner):
            if let token = runner.token { aliasReads.removeValue(forKey: token) }
            registry.removeAlias(id)
        }
        entry.runner = .none
    }

    /// A check's timer has ended: its interval, its TTL, or its turn to look again.
    private func run(_ id: ByteString, _ now: Instant, _ effects: inout [LocalEffect]) {
        guard let entry = registry.liveCheck(id) else { return }
        switch entry.runner {
        case .none: break
        case .ttl:
            context.log(.warn, "Check missed TTL, is now critical", [("check", id.string)], &effects)
            var output = "TTL expired"
            if !entry.lastNote.isEmpty { output += " (last output before timeout follows): " + entry.lastNote }
            if !planted(.ttlNeverExpires) { updateStatus(id, CheckStatus.critical, output: output, now) }
        case .probe(var runner):
            precondition(runner.token == nil, "a check has one probe under way at a time")
            let token = context.makeToken()
            runner.token = token
            entry.runner = .probe(runner)
            probes[token] = id
            effects.append(.probe(token, runner.probe, timeout: runner.timeout, outputLimit: runner.outputLimit))
        case .alias: continueAlias(id, entry, now, &effects)
        }
    }

    func probed(_ token: UInt64, _ outcome: CheckOutcome, _ now: Instant, _ effects: inout [LocalEffect]) {
        guard let id = probes.removeValue(forKey: token), let entry = registry.liveCheck(id), case .probe(var runner) = entry.runner else {
            return
        }
        runner.token = nil
        let result = ProbeResult(outcome, of: runner)
        let applies = result.bypassesThresholds || runner.counts(result.status)
        entry.runner = .probe(runner)
        if !planted(.checkRunsOnce) { timers[id] = now + runner.interval }
        logResult(id, result, &effects)
        if applies, !planted(.recoveryNotApplied) || result.status != CheckStatus.passing,
            !planted(.resultNotApplied) || result.status == CheckStatus.passing
        {
            updateStatus(id, result.status, output: result.output, now)
        }
    }

    private func logResult(_ id: ByteString, _ result: ProbeResult, _ effects: inout [LocalEffect]) {
        if let failure = result.failure { context.log(.warn, failure, [("check", id.string), ("error", result.output)], &effects) }
        switch result.status {
        case CheckStatus.passing: context.log(.debug, "Check status updated", [("check", id.string), ("status", "passing")], &effects)
        case CheckStatus.warning: context.log(.warn, "Check is now warning", [("check", id.string)], &effects)
        default: context.log(.warn, "Check is now critical", [("check", id.string)], &effects)
        }
    }

    // MARK: Statuses

    /// Records a result; tells the catalog at once when the status changes, later when only the output does (behaviour §6.5).
    func updateStatus(_ id: ByteString, _ status: String, output: String, _ now: Instant) {
        guard let entry = registry.liveCheck(id) else { return }
        let output = context.settings.reloadable.discardCheckOutput ? "" : output
        if status == CheckStatus.critical {
            if entry.criticalSince == nil || planted(.criticalSinceReset) { entry.criticalSince = now }
            if entry.deregistersAfter != nil { armReaper(now) }
        } else {
            if !planted(.passingServiceReaped) { entry.criticalSince = nil }
        }
        let isFirst = entry.awaitsCatalog
        entry.awaitsCatalog = false
        let sameStatus = entry.check.status == status && !isFirst
        if sameStatus && sameBytes(entry.check.output, output) { return }
        entry.check.output = output
        // An answer under way carries the old output, which is fine until the deferral ends.
        if sameStatus && context.settings.checks.updateInterval > .zero { return sync.deferOutput(of: id, now) }
        entry.check.status = status
        if !planted(.statusNotTriggered) { registry.checkChanged(id) }
        sync.trigger()
        if !planted(.aliasNotMarked) { registry.markAliases(ofService: entry.check.serviceID) }
    }

    /// A client's update of a TTL check; refused when there is none of that id.
    func updateTTL(
        _ id: ByteString, _ status: String, output: String, _ now: Instant, _ effects: inout [LocalEffect]
    ) throws(LocalRefusal) {
        guard let entry = registry.liveCheck(id), case .ttl(let runner) = entry.runner else {
            throw .failed("CheckID \(GoQuote.quote(id.string)) does not have associated TTL")
        }
        let output = CheckRunner.limited(output, to: runner.outputLimit)
        entry.lastNote = output
        if !planted(.ttlNotRestarted) { timers[id] = now + runner.ttl }
        context.log(.debug, "Check status updated", [("check", id.string), ("status", status)], &effects)
        updateStatus(id, status, output: output, now)
        keepState(id, entry, until: now + runner.ttl)
    }

    /// Keeps the status of a TTL check over a restart. Spec: behaviour §6.7.
    private func keepState(_ id: ByteString, _ entry: LocalCheck, until end: Instant) {
        guard context.settings.checks.persistsRegistrations else { return }
        let state = PersistedFile.State(
            checkID: entry.check.checkID, output: entry.check.output, status: entry.check.status, expires: context.unixSeconds(end))
        if entry.keptState == state { return }
        entry.keptState = state
        states.add(.write(file: PersistedFile.checkState(id, context.md5Hex), bytes: context.codec.encode(state)))
    }

    /// The first `limit` bytes of a note, with what it lost.
    static func limited(_ output: String, to limit: Int) -> String {
        let size = output.utf8.count
        if size <= limit { return output }
        return String(repairing: output.utf8.prefix(limit)) + " ... (captured \(limit) of \(size) bytes)"
    }

    // MARK: Reaping

    /// The services whose checks have been critical for too long (behaviour §6.8).
    private func reap(_ now: Instant) -> [(service: ByteString, check: ByteString)] {
        reapAt = nil
        var found: [(service: ByteString, check: ByteString)] = []
        var more = false
        for (id, entry) in registry.checks.all where !entry.sync.deleted {
            if entry.deregistersAfter == nil || entry.criticalSince == nil { continue }
            if entry.isOverdue(at: now) { found.append((ByteString(entry.check.serviceID), id)) }
            // Until its files are gone it is registered.
            more = true
        }
        if more { armReaper(now) }
        return found
    }

    /// The reaper sleeps while no check that it could act on is critical.
    func armReaper(_ now: Instant) {
        guard reapAt == nil else { return }
        let interval = max(1, context.settings.checks.reapInterval.nanoseconds)
        let elapsed = (now - (startedAt ?? now)).nanoseconds
        reapAt = (startedAt ?? now) + .nanoseconds((elapsed / interval + 1) * interval)
    }
}
