#if PLANTED
    import Core
    import Glibc

    /// How a planted bug came to light.
    struct PlantedFinding {
        var rule: String
        var seed: UInt64
        var scenario: String?
        var seconds: Double
    }

    /// The search for one planted bug: first by seeds, then by scenarios, in processes that make the mistake.
    final class PlantedSearch {
        let name: String
        private let options: PlantedOptions
        private let scenarios: [String]
        private var worker: Worker?
        private var began = wallClock()
        private var lineBegan = wallClock()
        private var seed: UInt64
        /// The scenario that runs; nil while seeds do.
        private var scenario: Int?
        private(set) var bySeed: PlantedFinding?
        private(set) var byScenario: PlantedFinding?
        private(set) var seedsDone: UInt64 = 0
        private(set) var seedsSeconds = 0.0

        /// A run that takes longer goes round in circles.
        private static let runLimit = 240.0

        init(_ name: String, _ options: PlantedOptions, _ scenarios: [String]) throws {
            self.name = name
            self.options = options
            self.scenarios = scenarios
            seed = options.first
            worker = try start(first: options.first, last: options.last, scenario: nil)
        }

        /// What to wait for; nil once the search is over.
        var descriptor: Int32? { worker?.descriptor }

        private func start(first: UInt64, last: UInt64, scenario: String?) throws -> Worker {
            lineBegan = wallClock()
            return try Worker(first: first, last: last, stride: 1, scenario: scenario, environment: [PlantedChoice.variable + "=" + name])
        }

        /// There is something to read, or time has passed.
        func advance(hasOutput: Bool) throws {
            guard let worker else { return }
            if hasOutput {
                if let line = worker.readLine() {
                    lineBegan = wallClock()
                    take(line)
                } else {
                    found("crash: \(worker.finish())")
                    self.worker = nil
                }
            } else if wallClock() - lineBegan > Self.runLimit {
                found("a run does not end")
            }
            try goOn()
        }

        private func take(_ line: [UInt8]) {
            guard let report = try? JSON.parse(line) else { return found("unexpected output") }
            if case .bool(true)? = report["passed"] {
                if scenario == nil {
                    seedsDone += 1
                    seed += 1
                } else {
                    scenario! += 1
                }
                return
            }
            found(report["violations"]?.list?.first?["rule"]?.text ?? "crash")
        }

        private func found(_ rule: String) {
            let seconds = wallClock() - began
            if let at = scenario {
                byScenario = PlantedFinding(rule: rule, seed: 1, scenario: scenarios[at], seconds: seconds)
            } else {
                bySeed = PlantedFinding(rule: rule, seed: seed, scenario: nil, seconds: seconds)
            }
        }

        private func goOn() throws {
            if scenario == nil {
                let isOutOfTime = options.seconds > 0 && wallClock() - began > options.seconds
                guard bySeed != nil || isOutOfTime || seed > options.last else { return }
                seedsSeconds = wallClock() - began
                end()
                scenario = 0
                began = wallClock()
            } else {
                end()
            }
            if byScenario == nil, let at = scenario, at < scenarios.count {
                worker = try start(first: 1, last: 1, scenario: scenarios[at])
            }
        }

        private func end() {
            worker?.kill()
            worker = nil
        }
    }

    /// Runs the catalogue of planted bugs, several at a time.
    struct PlantedRun {
        private let options: PlantedOptions
        private let names: [String]
        private let scenarios: [String]

        init(_ options: PlantedOptions) throws {
            let all = PlantedBugs.names
            for name in options.only where !all.contains(name) { throw UsageError(text: "there is no planted bug \"\(name)\"") }
            self.options = options
            names = options.only.isEmpty ? all : options.only
            scenarios = options.scenarios.map { folder in files(in: folder) } ?? []
        }

        func perform() throws -> Int32 {
            var waiting = names[...]
            var running: [PlantedSearch] = []
            var missed: [String] = []
            if !options.json { writeLine(Self.header) }
            while !waiting.isEmpty || !running.isEmpty {
                while running.count < options.jobs, let name = waiting.popFirst() {
                    running.append(try PlantedSearch(name, options, scenarios))
                }
                var polls = running.map { pollfd(fd: $0.descriptor ?? -1, events: Int16(POLLIN), revents: 0) }
                _ = poll(&polls, nfds_t(polls.count), 1000)
                for (search, entry) in zip(running, polls) { try search.advance(hasOutput: entry.revents != 0) }
                for search in running where search.descriptor == nil {
                    if search.bySeed == nil && search.byScenario == nil { missed.append(search.name) }
                    writeLine(options.json ? line(json: search) : line(search))
                    flushOutput()
                }
                running.removeAll { $0.descriptor == nil }
            }
            if !options.json {
                writeLine("\(names.count - missed.count) of \(names.count) found; missed: \(missed.joined(separator: ", "))")
            }
            return missed.isEmpty ? 0 : 1
        }

        private static let header = "bug | seed | seconds | rule | scenario"

        private func line(_ search: PlantedSearch) -> String {
            let seed = search.bySeed.map { String($0.seed) } ?? "none of \(search.seedsDone)"
            let scenario = search.byScenario.map { "\($0.scenario ?? "") (\($0.rule))" } ?? ""
            let seconds = decimal(search.bySeed?.seconds ?? search.seedsSeconds, digits: 1)
            return [search.name, seed, seconds, search.bySeed?.rule ?? "", scenario].joined(separator: " | ")
        }

        private func line(json search: PlantedSearch) -> String {
            var json = JSONWriter()
            json.beginObject()
            json.key("bug")
            json.string(search.name)
            json.key("seeds")
            json.uint(search.bySeed?.seed ?? search.seedsDone)
            json.key("seconds")
            json.string(decimal(search.bySeed?.seconds ?? search.seedsSeconds, digits: 1))
            json.key("rule")
            json.string(search.bySeed?.rule ?? "")
            json.key("scenario")
            json.string(search.byScenario?.scenario ?? "")
            json.key("scenarioRule")
            json.string(search.byScenario?.rule ?? "")
            json.endObject()
            return String(decoding: json.finish(), as: UTF8.self)
        }
    }

    /// The scenarios of a folder, the smallest files first: they are the cheapest as well.
    private func files(in folder: String) -> [String] {
        guard let open = opendir(folder) else { return [] }
        defer { closedir(open) }
        var found: [String] = []
        while let entry = readdir(open) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".hcl") { found.append(folder + "/" + name) }
        }
        return found.map { (readFile($0)?.count ?? 0, $0) }.sorted { $0 < $1 }.map(\.1)
    }
#endif
