import Core

/// A study as a table for people, in Markdown.
enum StudyReport {
    static func table(_ outcomes: [Study.Outcome]) -> String {
        var lines = [
            "| Detector | False positives | at healthy members | First detection: median, 99 % | Everywhere: median, 99 % | Packets | KiB |",
            "|---|---|---|---|---|---|---|",
        ]
        guard let plain = outcomes.first(where: { $0.setup == .swim }) else { return "" }
        for outcome in outcomes {
            let cells = [
                outcome.setup.name, count(outcome.falsePositives, of: plain.falsePositives),
                count(outcome.falsePositivesAtHealthy, of: plain.falsePositivesAtHealthy), times(outcome.firstDetections),
                times(outcome.fullDisseminations), rate(outcome.packets, outcome), rate(outcome.bytes / 1024, outcome),
            ]
            lines.append("| " + cells.joined(separator: " | ") + " |")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// How many times fewer false positives all of Lifeguard has, at all members and at healthy ones.
    static func improvement(_ outcomes: [Study.Outcome]) -> (all: Double, atHealthy: Double)? {
        guard let plain = outcomes.first(where: { $0.setup == .swim }), let full = outcomes.first(where: { $0.setup == .lifeguard })
        else { return nil }
        return (
            Double(plain.falsePositives) / Double(max(1, full.falsePositives)),
            Double(plain.falsePositivesAtHealthy) / Double(max(1, full.falsePositivesAtHealthy))
        )
    }

    private static func count(_ value: Int, of plain: Int) -> String {
        plain == 0 ? "\(value)" : "\(value) (\(decimal(100 * Double(value) / Double(plain), digits: 2)) %)"
    }

    private static func times(_ seconds: [Double]) -> String {
        guard let median = seconds.percentile(50), let late = seconds.percentile(99) else { return "-" }
        return "\(decimal(median, digits: 1)) s, \(decimal(late, digits: 1)) s"
    }

    /// Per second of the anomalies.
    private static func rate(_ value: Int, _ outcome: Study.Outcome) -> String {
        outcome.simulated > .zero ? "\(decimal(Double(value) / outcome.simulated.seconds, digits: 0))/s" : "-"
    }
}
