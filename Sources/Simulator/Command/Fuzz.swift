import Core
import Glibc

struct FuzzOptions: Equatable {
    var first: UInt64
    var last: UInt64
    var jobs: Int
    var scenario: String?
    var json: Bool
}

/// Runs many seeds in several processes and prints what failed, in the order of the seeds.
struct Fuzz {
    private let options: FuzzOptions
    private var passed = 0
    private var failed = 0
    private var crashed = 0
    private var undecided = 0
    private var events = 0
    private var simulated = 0.0
    private let began = wallClock()
    private var lastProgress = 0.0

    /// Between two lines of progress, in seconds.
    private static let progressInterval = 5.0

    init(_ options: FuzzOptions) { self.options = options }

    consuming func perform() throws -> Int32 {
        let count = options.last - options.first + 1
        let jobs = UInt64(min(UInt64(options.jobs), count))
        var workers: [Worker] = []
        for job in 0..<jobs { workers.append(try worker(from: options.first + job, jobs)) }
        for seed in options.first...options.last {
            let place = Int((seed - options.first) % jobs)
            if let line = workers[place].readLine() {
                record(line, seed)
            } else {
                // The machine trapped: report the seed, go on behind it.
                let end = workers[place].finish()
                report(crash: seed, end)
                let (next, overflow) = seed.addingReportingOverflow(jobs)
                if !overflow && next <= options.last { workers[place] = try worker(from: next, jobs) }
            }
            showProgress(done: seed - options.first + 1, of: count)
        }
        summarize()
        return failed + crashed == 0 ? 0 : 1
    }

    private func worker(from first: UInt64, _ jobs: UInt64) throws -> Worker {
        try Worker(first: first, last: options.last, stride: jobs, scenario: options.scenario)
    }

    private func replay(_ seed: UInt64) -> String {
        options.scenario.map { Replay.scenario($0, seed) } ?? Replay.seed(seed)
    }

    private mutating func record(_ line: [UInt8], _ seed: UInt64) {
        if options.json { writeLine(String(decoding: line, as: UTF8.self)) }
        guard let report = try? JSON.parse(line), report["seed"]?.number == seed else {
            return self.report(crash: seed, "unexpected output \(String(decoding: line.prefix(200), as: UTF8.self))")
        }
        events += Int(report["events"]?.number ?? 0)
        simulated += Double(report["simulated_ns"]?.number ?? 0) / 1e9
        let unclear = report["undecided"]?.list ?? []
        undecided += unclear.count
        if !options.json {
            for text in unclear { writeLine("seed \(seed) UNDECIDED \(text.text ?? "")") }
        }
        if case .bool(true)? = report["passed"] {
            passed += 1
            return
        }
        failed += 1
        guard !options.json else { return }
        writeLine("seed \(seed) FAILED" + (options.scenario == nil ? "  (\(Swarm.options(seed: seed).summary))" : ""))
        for violation in report["violations"]?.list ?? [] {
            writeLine("  \(violation["rule"]?.text ?? ""): \(violation["text"]?.text ?? "")")
        }
        writeLine("  replay: \(replay(seed))")
        flushOutput()
    }

    private mutating func report(crash seed: UInt64, _ end: String) {
        crashed += 1
        if options.json {
            var json = JSONWriter()
            json.beginObject()
            json.key("seed")
            json.uint(seed)
            json.key("passed")
            json.bool(false)
            json.key("crashed")
            json.string(end)
            json.endObject()
            writeLine(String(decoding: json.finish(), as: UTF8.self))
        } else {
            writeLine("seed \(seed) CRASHED (\(end))")
            writeLine("  replay: \(replay(seed))")
        }
        flushOutput()
    }

    private mutating func showProgress(done: UInt64, of count: UInt64) {
        let elapsed = wallClock() - began
        guard elapsed - lastProgress >= Self.progressInterval else { return }
        lastProgress = elapsed
        writeError("\(done)/\(count) seeds, \(rates(Double(done), elapsed)), \(failed + crashed) failed\n")
    }

    private func rates(_ seeds: Double, _ elapsed: Double) -> String {
        "\(decimal(seeds / elapsed, digits: 1)) seeds/s, \(decimal(simulated / 60, digits: 1)) min simulated "
            + "(\(decimal(simulated / elapsed, digits: 0))x), \(decimal(Double(events) / elapsed, digits: 0)) events/s"
    }

    private func summarize() {
        let elapsed = max(wallClock() - began, 0.001)
        let text =
            "\(passed) passed, \(failed) failed, \(crashed) crashed, \(undecided) undecided histories; "
            + rates(Double(passed + failed + crashed), elapsed)
        if options.json { writeError(text + "\n") } else { writeLine(text) }
    }
}
