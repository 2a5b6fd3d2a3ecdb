// Checks that mirror the health of a service or node. Spec: behaviour §7.9.

extension CheckRunner {
    private static let refreshInterval: Duration = .minutes(1)
    private static let remoteWait: Duration = .minutes(1)
    private static let remoteMaxStale: Duration = .seconds(15)
    /// Between two reads for a remote alias that brought nothing new.
    private static let readSpacing: Duration = .seconds(1)
    /// Failed attempts before the pauses between them grow.
    private static let backoffThreshold = 3

    func startAlias(_ id: ByteString, _ entry: LocalCheck, _ definition: CheckDefinition, _ now: Instant) {
        entry.runner = .alias(AliasRunner(node: definition.aliasNode, serviceID: definition.aliasService))
        if definition.aliasNode.isEmpty { registry.addAlias(id) } else { timers[id] = now }
    }

    func continueAlias(_ id: ByteString, _ entry: LocalCheck, _ now: Instant, _ effects: inout [LocalEffect]) {
        guard case .alias(let runner) = entry.runner else { return }
        if runner.node.isEmpty { registry.markAlias(id) } else { readAliasedChecks(id, entry, runner, now, &effects) }
    }

    // MARK: Local

    /// Brings the aliases up to date whose checks have changed.
    ///
    /// Each at most once per event, so that aliases of each other cannot keep it busy for ever; the rest look again a second later.
    func evaluateDueAliases(_ now: Instant, _ effects: inout [LocalEffect]) {
        guard !registry.dueAliases.isEmpty else { return }
        var done = LookupSet<ByteString>()
        var later: [ByteString] = []
        while !registry.dueAliases.isEmpty {
            let id = registry.dueAliases.removeFirst()
            guard done.insert(id) else {
                later.append(id)
                continue
            }
            guard let entry = registry.liveCheck(id), case .alias(let runner) = entry.runner else { continue }
            timers[id] = now + CheckRunner.refreshInterval
            var others = registry.checks(ofService: "")
            if !runner.serviceID.isEmpty { others += registry.checks(ofService: runner.serviceID) }
            others.sort { $0.id < $1.id }
            // Other aliases last: what they say is second-hand.
            var considered: [HealthCheck] = [], aliases: [HealthCheck] = []
            var isKnown = true
            for other in others where other.id != id {
                if other.entry.awaitsCatalog { isKnown = false }
                if case .alias = other.entry.runner { aliases.append(other.entry.check) } else { considered.append(other.entry.check) }
            }
            // Evaluated again when the last of them is known.
            guard isKnown else { continue }
            let serviceExists = registry.liveService(ByteString(runner.serviceID)) != nil
            let health = AliasedHealth(considered + aliases, serviceID: runner.serviceID)
            show(health, of: runner, serviceExists: serviceExists, as: id, now, &effects)
        }
        for id in later { timers[id] = now + CheckRunner.readSpacing }
    }

    private func show(
        _ health: AliasedHealth, of runner: AliasRunner, serviceExists: Bool, as id: ByteString, _ now: Instant,
        _ effects: inout [LocalEffect]
    ) {
        if !health.sawService && !serviceExists {
            let output = "Service \(runner.serviceID) could not be found on node \(runner.node)"
            updateStatus(id, CheckStatus.critical, output: output, now)
        } else {
            // Aliases of aliases quote each other's outputs.
            let output = CheckRunner.limited(health.output, to: max(0, context.settings.checks.outputMaxSize))
            updateStatus(id, health.status, output: output, now)
        }
    }

    // MARK: Of another node

    private func readAliasedChecks(
        _ id: ByteString, _ entry: LocalCheck, _ runner: AliasRunner, _ now: Instant, _ effects: inout [LocalEffect]
    ) {
        var runner = runner
        runner.startedAt = now
        read(.health(.nodeChecks(node: runner.node)), blockingFrom: runner.index, id, entry, runner, &effects)
    }

    private func read(
        _ query: ReadQuery, blockingFrom index: UInt64, _ id: ByteString, _ entry: LocalCheck, _ runner: AliasRunner,
        _ effects: inout [LocalEffect]
    ) {
        var runner = runner
        let token = context.makeToken()
        runner.token = token
        entry.runner = .alias(runner)
        aliasReads[token] = id
        var options = QueryOptions()
        options.datacenter = context.settings.identity.datacenter
        options.token = entry.token
        options.allowStale = true
        options.maxStaleDuration = CheckRunner.remoteMaxStale
        options.minQueryIndex = index
        options.maxQueryTime = CheckRunner.remoteWait
        effects.append(.read(token, query, options))
    }

    /// Takes the answer to a read of an alias check; false if the token is none of theirs.
    func finishedAliasRead(
        _ token: UInt64, _ result: Result<(result: QueryResult, index: UInt64), TextError>, _ now: Instant, _ effects: inout [LocalEffect]
    ) -> Bool {
        guard let id = aliasReads.removeValue(forKey: token) else { return false }
        guard let entry = registry.liveCheck(id), case .alias(var runner) = entry.runner else { return true }
        runner.token = nil
        switch result {
        case .failure(let complaint): failedAliasRead(id, entry, &runner, complaint.text, now, &effects)
        case .success((.checks(let rows), let index)):
            let found = rows.map(\.value)
            let advanced = index > runner.index
            // An index that went backwards belongs to another history.
            runner.index = index < runner.index ? 0 : max(1, index)
            runner.failedAttempts = 0
            timers[id] = advanced ? now : max(now, runner.startedAt + CheckRunner.readSpacing)
            if AliasedHealth(found, serviceID: runner.serviceID).sawService {
                show(found, of: runner, serviceExists: true, as: id, entry, now, &effects)
            } else {
                timers[id] = nil
                runner.found = found
                read(.catalog(.nodeServiceList(node: runner.node)), blockingFrom: 0, id, entry, runner, &effects)
            }
        case .success((.nodeServices(let list), _)):
            let found = runner.found ?? []
            runner.found = nil
            runner.failedAttempts = 0
            timers[id] = max(now, runner.startedAt + CheckRunner.readSpacing)
            let exists = list?.services.contains { sameBytes($0.value.service.id, runner.serviceID) } ?? false
            show(found, of: runner, serviceExists: exists, as: id, entry, now, &effects)
        case .success: failedAliasRead(id, entry, &runner, "unexpected answer", now, &effects)
        }
        return true
    }

    private func show(
        _ found: [HealthCheck], of runner: AliasRunner, serviceExists: Bool, as id: ByteString, _ entry: LocalCheck, _ now: Instant,
        _ effects: inout [LocalEffect]
    ) {
        entry.runner = .alias(runner)
        let health = AliasedHealth(found, serviceID: runner.serviceID)
        show(health, of: runner, serviceExists: serviceExists, as: id, now, &effects)
    }

    private func failedAliasRead(
        _ id: ByteString, _ entry: LocalCheck, _ runner: inout AliasRunner, _ text: String, _ now: Instant, _ effects: inout [LocalEffect]
    ) {
        runner.found = nil
        runner.failedAttempts += 1
        entry.runner = .alias(runner)
        var pause = CheckRunner.readSpacing
        let growth = runner.failedAttempts - CheckRunner.backoffThreshold
        if growth > 0 { pause = min(CheckRunner.refreshInterval, .seconds(1 << min(growth, 6))) }
        timers[id] = now + pause
        if runner.failedAttempts > 1 {
            updateStatus(id, CheckStatus.critical, output: "Failure checking aliased node or service: \(text)", now)
        }
    }
}

/// The worst of the checks of a node and of one service on it.
struct AliasedHealth {
    var status = CheckStatus.passing
    var output = "No checks found."
    /// Whether one of the checks belongs to the service itself.
    var sawService = false

    /// Checks of other services do not count. The first critical one decides, else the last warning.
    init(_ checks: [HealthCheck], serviceID: String) {
        var failing = false
        for check in checks {
            let matches = sameBytes(check.serviceID, serviceID)
            if !check.serviceID.isEmpty && !matches { continue }
            if matches { sawService = true }
            if check.status == CheckStatus.critical || check.status == CheckStatus.warning {
                failing = true
                status = check.status
                output = "Aliased check \(GoQuote.quote(check.name)) failing: \(check.output)"
                if check.status == CheckStatus.critical { break }
            } else if !failing {
                output = "All checks passing."
            }
        }
    }
}
