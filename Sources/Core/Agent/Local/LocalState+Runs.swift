// Running checks: intervals, timeouts, thresholds, outputs. Spec: behaviour §7.2-7.5, §7.7.

extension LocalState {
    func startRunner(_ id: ByteString, _ entry: LocalCheck, _ now: Instant, _ effects: inout [LocalEffect]) {
        guard let definition = entry.definition else { return }
        if let after = entry.definition?.deregisterCriticalServiceAfter, after > .zero, after < LocalState.deregisterMinimum {
            log(
                .warn, "check has deregister interval below minimum",
                [("check", id.string), ("minimum_interval", GoDuration.format(LocalState.deregisterMinimum))], &effects)
        }
        var limit = max(0, config.checkOutputMaxSize)
        if definition.outputMaxSize > 0 { limit = min(limit, definition.outputMaxSize) }
        switch definition.kindToRun {
        case .ttl:
            entry.runner = .ttl(TTLRunner(ttl: definition.ttl, outputLimit: limit))
            timers[.check(id)] = now + definition.ttl
        case .http: startProbe(id, entry, definition, definition.httpProbe, .seconds(10), limit, now, &effects)
        case .tcp: startProbe(id, entry, definition, .tcp(address: definition.tcp), .seconds(10), limit, now, &effects)
        case .script:
            let probe = CheckProbe.script(arguments: definition.scriptArgs ?? [], directory: "")
            startProbe(id, entry, definition, probe, .seconds(30), limit, now, &effects)
        case .alias: startAlias(id, entry, definition, now)
        case .grpc, .docker, .none: break
        }
    }

    private func startProbe(
        _ id: ByteString, _ entry: LocalCheck, _ definition: CheckDefinition, _ probe: CheckProbe, _ defaultTimeout: Duration,
        _ outputLimit: Int, _ now: Instant, _ effects: inout [LocalEffect]
    ) {
        if definition.interval < LocalState.intervalMinimum {
            log(
                .warn, "check has interval below minimum",
                [("check", id.string), ("minimum_interval", GoDuration.format(LocalState.intervalMinimum))], &effects)
        }
        let interval = max(definition.interval, LocalState.intervalMinimum)
        let successes = max(0, definition.successBeforePassing), failures = max(0, definition.failuresBeforeCritical)
        entry.runner = .probe(
            ProbeRunner(
                probe: probe, interval: interval, timeout: definition.timeout > .zero ? definition.timeout : defaultTimeout,
                outputLimit: outputLimit, successesNeeded: successes, failuresNeeded: failures, successes: successes, failures: failures))
        timers[.check(id)] = now + random.duration(below: interval)
    }

    func stopRunner(_ id: ByteString, _ entry: LocalCheck, _ effects: inout [LocalEffect]) {
        timers[.check(id)] = nil
        timers[.deferred(id)] = nil
        switch entry.runner {
        case .none, .ttl: break
        case .probe(let runner):
            if let token = runner.token {
                probes.removeValue(forKey: token)
                effects.append(.cancelProbe(token))
            }
        case .alias(let runner):
            if let token = runner.token { aliasReads.removeValue(forKey: token) }
            aliasIDs.removeAll { $0 == id }
            dueAliases.removeAll { $0 == id }
        }
        entry.runner = .none
    }

    /// A check's timer has ended: its interval, its TTL, or its turn to look again.
    func runCheck(_ id: ByteString, _ now: Instant, _ effects: inout [LocalEffect]) {
        guard let entry = liveCheck(id) else { return }
        switch entry.runner {
        case .none: break
        case .ttl:
            log(.warn, "Check missed TTL, is now critical", [("check", id.string)], &effects)
            var output = "TTL expired"
            if !entry.lastNote.isEmpty { output += " (last output before timeout follows): " + entry.lastNote }
            updateStatus(id, CheckStatus.critical, output: output, now)
        case .probe(var runner):
            precondition(runner.token == nil, "a check has one probe under way at a time")
            let token = makeToken()
            runner.token = token
            entry.runner = .probe(runner)
            probes[token] = id
            effects.append(.probe(token, runner.probe, timeout: runner.timeout, outputLimit: runner.outputLimit))
        case .alias: continueAlias(id, entry, now, &effects)
        }
    }

    func probed(_ token: UInt64, _ outcome: CheckOutcome, _ now: Instant, _ effects: inout [LocalEffect]) {
        guard let id = probes.removeValue(forKey: token), let entry = liveCheck(id), case .probe(var runner) = entry.runner else { return }
        runner.token = nil
        let result = ProbeResult(outcome, of: runner)
        let applies = result.bypassesThresholds || runner.counts(result.status)
        entry.runner = .probe(runner)
        timers[.check(id)] = now + runner.interval
        logResult(id, result, &effects)
        if applies { updateStatus(id, result.status, output: result.output, now) }
    }

    private func logResult(_ id: ByteString, _ result: ProbeResult, _ effects: inout [LocalEffect]) {
        if let failure = result.failure { log(.warn, failure, [("check", id.string), ("error", result.output)], &effects) }
        switch result.status {
        case CheckStatus.passing: log(.debug, "Check status updated", [("check", id.string), ("status", "passing")], &effects)
        case CheckStatus.warning: log(.warn, "Check is now warning", [("check", id.string)], &effects)
        default: log(.warn, "Check is now critical", [("check", id.string)], &effects)
        }
    }
}

extension CheckDefinition {
    var httpProbe: CheckProbe {
        var headers: [HTTPHeader] = []
        for (name, values) in header ?? [:] {
            for value in values { headers.append(HTTPHeader(name, value)) }
        }
        for (name, value) in [("User-Agent", "Consul Health Check"), ("Accept", "text/plain, text/*, */*")]
        where !headers.contains(where: { $0.name.lowercased() == name.lowercased() }) {
            headers.append(HTTPHeader(name, value))
        }
        return .http(
            url: http, method: method.isEmpty ? "GET" : method, headers: headers, body: Array(body.utf8), tlsSkipVerify: tlsSkipVerify)
    }
}

/// What one probe says about its check.
struct ProbeResult {
    var status = CheckStatus.critical
    var output = ""
    /// Scripts that cannot be started or take too long are critical at once.
    var bypassesThresholds = false
    /// What the log says when the probe itself came to nothing.
    var failure: String?

    init(_ outcome: CheckOutcome, of runner: ProbeRunner) {
        switch outcome {
        case .script(let exitStatus, let bytes, let written):
            if exitStatus == 0 { status = CheckStatus.passing } else if exitStatus == 1 { status = CheckStatus.warning }
            output = ProbeResult.captured(bytes, written)
        case .scriptTimedOut(let bytes, let written): timedOutScript(runner.timeout, ProbeResult.captured(bytes, written))
        case .http(let code, let reason, let body):
            if (200..<300).contains(code) { status = CheckStatus.passing } else if code == 429 { status = CheckStatus.warning }
            guard case .http(let url, let method, _, _, _) = runner.probe else { return }
            output = "HTTP \(method) \(url): \(code) \(reason) Output: " + String(repairing: body)
        case .tcpConnected:
            status = CheckStatus.passing
            if case .tcp(let address) = runner.probe { output = "TCP connect \(address): Success" }
        case .failed(let text): failed(text, runner.probe)
        case .timedOut:
            switch runner.probe {
            case .script: timedOutScript(runner.timeout, "")
            case .http: failed("context deadline exceeded (Client.Timeout exceeded while awaiting headers)", runner.probe)
            case .tcp(let address): failed("dial tcp \(address): i/o timeout", runner.probe)
            }
        }
    }

    private mutating func timedOutScript(_ timeout: Duration, _ captured: String) {
        output = "Timed out (\(GoDuration.format(timeout))) running check"
        if !captured.isEmpty { output += "\n\n" + captured }
        bypassesThresholds = true
        failure = "Check failed"
    }

    private mutating func failed(_ text: String, _ probe: CheckProbe) {
        output = text
        switch probe {
        case .script:
            bypassesThresholds = true
            failure = "Check failed to start"
        case .http(let url, let method, _, _, _):
            failure = "Check HTTP request failed"
            if text.utf8.starts(with: "parse \"".utf8) { return }
            let name = method.prefix(1) + method.dropFirst().lowercased()
            output = "\(name) \(GoQuote.quote(url)): \(text)"
        case .tcp: failure = "Check socket connection failed"
        }
    }

    /// What a script wrote, of which only the end may be left.
    private static func captured(_ bytes: [UInt8], _ written: Int) -> String {
        let text = String(repairing: bytes)
        return written > bytes.count ? "Captured \(bytes.count) of \(written) bytes\n...\n" + text : text
    }
}
