// What a check's probe is and what its outcome says. Spec: behaviour §7.2-7.5.

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
