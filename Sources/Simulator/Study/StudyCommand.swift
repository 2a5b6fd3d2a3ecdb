import Core
import Glibc

/// `consul-sim swim-study`.
enum StudyCommand {
    static func perform(members: Int, seed: UInt64, svg: String?) throws -> Int32 {
        let began = wallClock()
        var study = Study(plan: StudyPlan.of(members: members), seed: seed)
        study.progress = { writeError("\(decimal(wallClock() - began, digits: 0))s: \($0)\n") }
        let outcomes = study.run()
        writeLine("\(members) members, \(study.plan.anomalies.count) anomalies, \(study.plan.failures) failures, seed \(seed)\n")
        writeLine(StudyReport.table(outcomes))
        if let (all, atHealthy) = StudyReport.improvement(outcomes) {
            writeLine(
                "Lifeguard: \(decimal(all, digits: 0)) times fewer false positives, \(decimal(atHealthy, digits: 0)) times at healthy members"
            )
        }
        let events = outcomes.reduce(0) { $0 + $1.events }
        writeError("\(events) events in \(decimal(wallClock() - began, digits: 0))s\n")
        guard let svg else { return 0 }
        try write(Array(StudyPlot.svg(outcomes, members: members).utf8), to: svg)
        return 0
    }

    private static func write(_ bytes: [UInt8], to name: String) throws {
        guard let file = fopen(name, "wb") else { throw UsageError(text: "cannot write \(name)") }
        let count = fwrite(bytes, 1, bytes.count, file)
        guard fclose(file) == 0, count == bytes.count else { throw UsageError(text: "cannot write \(name)") }
    }
}
