/// `/v1/agent/metrics`. Spec: http-1 §4.19.
extension Renderer {
    /// The last complete interval.
    public static func metrics(_ snapshot: MetricsSnapshot, pretty: Bool, context: APIContext) -> HTTPResponse {
        var json = JSONWriter(pretty: pretty, reservingCapacity: 512 + snapshot.entries.count * 200)
        json.beginObject()
        json.member("Timestamp", timestamp(snapshot.start))
        json.key("Gauges")
        json.beginArray()
        for entry in snapshot.entries where entry.key.kind == .gauge { json.gauge(entry) }
        json.endArray()
        json.key("Points")
        json.beginArray()
        json.endArray()
        json.key("Counters")
        json.beginArray()
        for entry in snapshot.entries where entry.key.kind == .counter { json.aggregate(entry) }
        json.endArray()
        json.key("Samples")
        json.beginArray()
        for entry in snapshot.entries where entry.key.kind == .sample { json.aggregate(entry) }
        json.endArray()
        json.endObject()
        return answer(json, context)
    }

    /// The same as lines for people: `[2026-11-21 05:11:50 +0000 UTC][C] 'consul.rpc.request': Count: 6 Sum: 6.000` (config §22).
    public static func metricLines(_ snapshot: MetricsSnapshot) -> String {
        let start = timestamp(snapshot.start)
        var text = ""
        for (kind, letter) in [(MetricKind.gauge, "G"), (.counter, "C"), (.sample, "S")] {
            for entry in snapshot.entries where entry.key.kind == kind {
                let labels = entry.key.labels.map { ";\($0.name)=\($0.value)" }.joined()
                let value = kind == .gauge ? thousandths(entry.value.mean) : describe(entry.value)
                text += "[\(start)][\(letter)] '\(entry.key.name)\(labels)': \(value)\n"
            }
        }
        return text
    }

    private static func describe(_ value: MetricAggregate) -> String {
        let deviation = value.standardDeviation
        if deviation == 0 { return "Count: \(value.count) Sum: \(thousandths(value.sum))" }
        let range = "Min: \(thousandths(value.min)) Mean: \(thousandths(value.mean)) Max: \(thousandths(value.max))"
        return "Count: \(value.count) \(range) Stddev: \(thousandths(deviation)) Sum: \(thousandths(value.sum))"
    }

    /// With three digits behind the point.
    private static func thousandths(_ value: Double) -> String {
        guard let whole = Int64(exactly: (value * 1000).rounded()) else { return "\(value)" }
        let digits = String(whole.magnitude % 1000)
        return (whole < 0 ? "-" : "") + "\(whole.magnitude / 1000)." + String(repeating: "0", count: 3 - digits.utf8.count) + digits
    }

    /// As Go prints a time.
    private static func timestamp(_ time: GoTime) -> String {
        var bytes: [UInt8] = []
        time.appendRFC3339(to: &bytes)
        for at in bytes.indices where bytes[at] == UInt8(ascii: "T") { bytes[at] = UInt8(ascii: " ") }
        return String(decoding: bytes.dropLast(), as: UTF8.self) + " +0000 UTC"
    }

    /// In the text format of Prometheus; nil: it is off. What is known of the process goes along, without a prefix.
    public static func prometheus(_ snapshot: PrometheusSnapshot?, process: HostFacts.Process? = nil, context: APIContext) -> HTTPResponse {
        guard let snapshot else {
            var refused = Answer.plain(415, "Prometheus is not enabled since its retention time is not positive")
            context.finish(&refused)
            return refused
        }
        var out: [UInt8] = []
        var family = ""
        // Names that differ only in what Prometheus does not know become one family.
        var entries = snapshot.entries.map { (name: prometheusName($0.key.name), entry: $0) }
        for entry in process?.entries ?? [] { entries.append((entry.key.name, entry)) }
        for (name, entry) in entries.sorted(by: { (ByteString($0.name), $0.entry.key) < (ByteString($1.name), $1.entry.key) }) {
            if name != family {
                let type = entry.key.kind == .counter ? "counter" : entry.key.kind == .gauge ? "gauge" : "summary"
                out.append(text: "# HELP \(name) \(HostFacts.Process.help(name) ?? name)\n# TYPE \(name) \(type)\n")
                family = name
            }
            append(name, entry, to: &out)
        }
        var response = HTTPResponse(status: 200, headers: [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")], body: out)
        context.finish(&response)
        return response
    }

    private static func append(_ name: String, _ entry: PrometheusSnapshot.Entry, to out: inout [UInt8]) {
        func line(_ suffix: String, _ labels: [MetricLabel], _ value: Double) {
            out.append(text: name + suffix)
            if !labels.isEmpty {
                let texts = labels.map { "\(prometheusName($0.name))=\"\(escaped($0.value))\"" }
                out.append(text: "{" + texts.joined(separator: ",") + "}")
            }
            out.append(text: " \(GoNumber.format(value))\n")
        }
        guard entry.key.kind == .sample else { return line("", entry.key.labels, entry.total.sum) }
        for (quantile, value) in zip(["0.5", "0.9", "0.99"], entry.quantiles) {
            line("", entry.key.labels + [MetricLabel("quantile", quantile)], value ?? .nan)
        }
        line("_sum", entry.key.labels, entry.total.sum)
        line("_count", entry.key.labels, Double(entry.total.count))
    }

    private static func prometheusName(_ name: String) -> String {
        let replaced = Array(" .=-/".utf8)
        return String(decoding: name.utf8.map { replaced.contains($0) ? UInt8(ascii: "_") : $0 }, as: UTF8.self)
    }

    private static func escaped(_ value: String) -> String {
        var out = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": out += "\\\\"
            case "\"": out += "\\\""
            case "\n": out += "\\n"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}

extension JSONWriter {
    fileprivate mutating func gauge(_ entry: MetricsSnapshot.Entry) {
        beginObject()
        member("Name", entry.key.name)
        number("Value", entry.value.sum)
        labels(entry.key.labels)
        endObject()
    }

    fileprivate mutating func aggregate(_ entry: MetricsSnapshot.Entry) {
        beginObject()
        member("Name", entry.key.name)
        member("Count", entry.value.count)
        number("Rate", entry.value.rate)
        number("Sum", entry.value.sum)
        number("Min", entry.value.min)
        number("Max", entry.value.max)
        number("Mean", entry.value.mean)
        number("Stddev", entry.value.standardDeviation)
        labels(entry.key.labels)
        endObject()
    }

    private mutating func number(_ name: StaticString, _ value: Double) {
        key(name)
        double(value.isFinite ? value : 0)
    }

    private mutating func labels(_ labels: [MetricLabel]) {
        key("Labels")
        stringMap(StringMap(labels.map { ($0.name, $0.value) }))
    }
}

extension HostFacts.Process {
    fileprivate var entries: [PrometheusSnapshot.Entry] {
        func entry(_ name: String, _ value: Double, _ kind: MetricKind = .gauge) -> PrometheusSnapshot.Entry {
            var total = MetricAggregate()
            // The largest number stands for no limit, as in the reference.
            total.add(value.isFinite ? value : 0x1p64)
            return PrometheusSnapshot.Entry(key: MetricKey(kind: kind, name: name), total: total, quantiles: [])
        }
        return [
            entry("process_cpu_seconds_total", cpuSeconds, .counter), entry("process_max_fds", descriptorsMax),
            entry("process_open_fds", Double(openDescriptors)), entry("process_resident_memory_bytes", residentMemory),
            entry("process_start_time_seconds", startedAt), entry("process_virtual_memory_bytes", virtualMemory),
            entry("process_virtual_memory_max_bytes", virtualMemoryMax),
        ]
    }

    fileprivate static func help(_ name: String) -> String? {
        switch name {
        case "process_cpu_seconds_total": "Total user and system CPU time spent in seconds."
        case "process_max_fds": "Maximum number of open file descriptors."
        case "process_open_fds": "Number of open file descriptors."
        case "process_resident_memory_bytes": "Resident memory size in bytes."
        case "process_start_time_seconds": "Start time of the process since unix epoch in seconds."
        case "process_virtual_memory_bytes": "Virtual memory size in bytes."
        case "process_virtual_memory_max_bytes": "Maximum amount of virtual memory available in bytes."
        default: nil
        }
    }
}
