import Core
import Glibc

extension Command {
    /// Does what was asked; returns the exit status.
    func perform() throws -> Int32 {
        switch self {
        case .help:
            writeLine(ConsulSim.usage)
            return 0
        case .run(let file, let seed, let trace, let json):
            let options = try scenario(file)
            return show(run(options, seed: seed, trace: trace), options, json: json, replay: Replay.scenario(file, seed))
        case .replay(let seed, let trace, let json):
            let options = Swarm.options(seed: seed)
            return show(run(options, seed: seed, trace: trace), options, json: json, replay: Replay.seed(seed))
        case .fuzz(let options):
            return try Fuzz(options).perform()
        case .worker(let first, let last, let stride, let file):
            let fixed = try file.map { try scenario($0) }
            var seed = first
            while seed <= last {
                let report = run(fixed ?? Swarm.options(seed: seed), seed: seed, trace: false)
                writeLine(report.json)
                flushOutput()
                let (next, overflow) = seed.addingReportingOverflow(stride)
                if overflow { break }
                seed = next
            }
            return 0
        case .bench:
            return Bench.perform()
        case .planted(let options):
            #if PLANTED
                return try PlantedRun(options).perform()
            #else
                throw UsageError(text: PlantedChoice.howToBuild)
            #endif
        case .swimStudy(let members, let seed, let svg):
            return try StudyCommand.perform(members: members, seed: seed, svg: svg)
        case .check(let file):
            guard let bytes = readFile(file) else { throw UsageError(text: "cannot read \(file)") }
            return HistoryFile.judge(try HistoryFile.parse(bytes))
        }
    }

    private func scenario(_ file: String) throws -> RunOptions {
        guard let text = readFile(file) else { throw UsageError(text: "cannot read \(file)") }
        do {
            return try Scenario.parse(text).options
        } catch {
            throw UsageError(text: "\(file): \(error)")
        }
    }

    private func run(_ options: RunOptions, seed: UInt64, trace: Bool) -> RunReport {
        let tracer = trace ? Tracer { writeLine($0) } : nil
        return Simulation<Product>(options, seed: seed, tracer: tracer).run()
    }

    private func show(_ report: RunReport, _ options: RunOptions, json: Bool, replay: String) -> Int32 {
        if json { writeLine(report.json) } else { writeLine(report.text(options: options, replay: replay)) }
        return report.passed ? 0 : 1
    }
}

/// The command that runs a failed run again.
enum Replay {
    static func seed(_ seed: UInt64) -> String { "consul-sim replay \(seed) --trace" }
    static func scenario(_ file: String, _ seed: UInt64) -> String { "consul-sim run \(file) --seed \(seed) --trace" }
}

/// The whole contents of a file, nil if it cannot be read.
func readFile(_ name: String) -> [UInt8]? {
    guard let file = fopen(name, "rb") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = fread(&buffer, 1, buffer.count, file)
        guard count > 0 else { break }
        bytes += buffer[..<count]
    }
    return ferror(file) == 0 ? bytes : nil
}

/// Seconds on a clock that only goes forward, for rates shown to people; nothing in a run depends on it.
func wallClock() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
