import Core

extension RunReport {
    /// One line: the shape in which workers report and `--json` prints.
    var json: String {
        var json = JSONWriter()
        json.beginObject()
        json.key("seed")
        json.uint(seed)
        json.key("scenario")
        json.string(scenario)
        json.key("passed")
        json.bool(passed)
        json.key("digest")
        json.string(hexadecimal(digest))
        json.key("events")
        json.int(events)
        json.key("simulated_ns")
        json.int64(simulated.nanoseconds)
        for (name, value) in numbers {
            json.key(name)
            json.int(value)
        }
        json.key("violations")
        json.beginArray()
        for violation in violations.prefix(10) {
            json.beginObject()
            json.key("rule")
            json.string(violation.rule)
            json.key("text")
            json.string(violation.text)
            json.endObject()
        }
        json.endArray()
        json.key("undecided")
        json.strings(undecided)
        writeWorkloads(&json)
        json.key("faults")
        json.beginObject()
        for fault in faults {
            json.key(fault.name)
            json.int(fault.count)
        }
        json.endObject()
        json.endObject()
        return String(decoding: json.finish(), as: UTF8.self)
    }

    private var numbers: [(StaticString, Int)] {
        [
            ("elections", elections), ("restarts", restarts), ("messages", messages), ("lost_messages", lostMessages), ("asked", asked),
            ("answered", answered),
        ]
    }

    private func writeWorkloads(_ json: inout JSONWriter) {
        json.key("workloads")
        json.beginArray()
        for workload in workloads {
            json.beginObject()
            json.key("name")
            json.string(workload.name)
            for count in workload.counts {
                json.key(count.name)
                json.int(count.value)
            }
            json.endObject()
        }
        json.endArray()
    }

    /// Several lines for people.
    func text(options: RunOptions, replay: String) -> String {
        var lines = ["\(scenario), seed \(seed): \(passed ? "passed" : "FAILED")", "  \(options.summary)"]
        lines.append(
            "  \(simulated.brief) simulated, \(events) events, \(messages) messages (\(lostMessages) lost), \(elections) elections, "
                + "\(restarts) restarts, \(answered) of \(asked) requests answered")
        if !faults.isEmpty { lines.append("  faults: " + faults.map { "\($0.name) \($0.count)" }.joined(separator: ", ")) }
        for workload in workloads {
            lines.append("  \(workload.name): " + workload.counts.map { "\($0.name) \($0.value)" }.joined(separator: ", "))
        }
        for text in undecided { lines.append("  UNDECIDED \(text)") }
        for violation in violations { lines.append("  BROKEN \(violation.rule): \(violation.text)") }
        lines.append("  digest \(hexadecimal(digest))")
        if !passed { lines.append("  replay: \(replay)") }
        return lines.joined(separator: "\n")
    }
}
