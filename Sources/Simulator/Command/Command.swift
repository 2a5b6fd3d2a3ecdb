import Core

/// What a command line asks for.
enum Command: Equatable {
    case help
    case run(file: String, seed: UInt64, trace: Bool, json: Bool)
    case fuzz(FuzzOptions)
    case replay(seed: UInt64, trace: Bool, json: Bool)
    case bench
    /// Looks for planted bugs, one after the other.
    case planted(PlantedOptions)
    /// Compares the parts of Lifeguard in a pool of so many members; draws the outcome if there is a file for it.
    case swimStudy(members: Int, seed: UInt64, svg: String?)
    /// Judges the history of a real cluster.
    case check(file: String)
    /// A process that works for `fuzz`: runs every `stride`-th seed and prints one line of JSON for each.
    case worker(first: UInt64, last: UInt64, stride: UInt64, scenario: String?)

    static func parse(_ arguments: [String]) throws(UsageError) -> Command {
        guard let name = arguments.first else { throw UsageError(text: "no command", showsUsage: true) }
        var words = Words(Array(arguments.dropFirst()))
        switch name {
        case "help", "-h", "--help":
            return .help
        case "run":
            let seed = try words.option("--seed").map { text throws(UsageError) in try number(text) } ?? 1
            let trace = words.flag("--trace")
            let json = words.flag("--json")
            return .run(file: try words.only("a scenario file"), seed: seed, trace: trace, json: json)
        case "replay":
            let trace = words.flag("--trace")
            let json = words.flag("--json")
            return .replay(seed: try number(try words.only("a seed")), trace: trace, json: json)
        case "fuzz":
            guard let range = try words.option("--seeds") else { throw UsageError(text: "fuzz needs --seeds A..B", showsUsage: true) }
            let (first, last) = try seeds(range)
            let jobs = try words.option("--jobs").map { text throws(UsageError) in try number(text) } ?? 1
            guard (1...256).contains(jobs) else { throw UsageError(text: "--jobs must be from 1 to 256") }
            let scenario = try words.option("--scenario")
            let json = words.flag("--json")
            try words.finish()
            return .fuzz(FuzzOptions(first: first, last: last, jobs: Int(jobs), scenario: scenario, json: json))
        case "planted":
            var options = PlantedOptions()
            if let range = try words.option("--seeds") { (options.first, options.last) = try seeds(range) }
            if let names = try words.option("--only") { options.only = names.split(separator: ",").map(String.init) }
            let jobs = try words.option("--jobs").map { text throws(UsageError) in try number(text) } ?? 1
            guard (1...256).contains(jobs) else { throw UsageError(text: "--jobs must be from 1 to 256") }
            options.jobs = Int(jobs)
            options.scenarios = try words.option("--scenarios")
            options.seconds = try words.option("--seconds").map { text throws(UsageError) in Double(try number(text)) } ?? 0
            options.json = words.flag("--json")
            try words.finish()
            return .planted(options)
        case "bench":
            try words.finish()
            return .bench
        case "swim-study":
            let members = try words.option("--members").map { text throws(UsageError) in try number(text) } ?? 128
            guard (8...5000).contains(members) else { throw UsageError(text: "--members must be from 8 to 5000") }
            let seed = try words.option("--seed").map { text throws(UsageError) in try number(text) } ?? 1
            let svg = try words.option("--svg")
            try words.finish()
            return .swimStudy(members: Int(members), seed: seed, svg: svg)
        case "check":
            return .check(file: try words.only("a history file"))
        case "worker":
            guard let range = try words.option("--seeds"), let stride = try words.option("--stride") else {
                throw UsageError(text: "worker needs --seeds and --stride")
            }
            let (first, last) = try seeds(range)
            let scenario = try words.option("--scenario")
            try words.finish()
            return .worker(first: first, last: last, stride: max(1, try number(stride)), scenario: scenario)
        default:
            throw UsageError(text: "unknown command \"\(name)\"", showsUsage: true)
        }
    }

    private static func number(_ text: String) throws(UsageError) -> UInt64 {
        guard let number = UInt64(text) else { throw UsageError(text: "\"\(text)\" is no number") }
        return number
    }

    /// `A..B`, or one seed.
    private static func seeds(_ text: String) throws(UsageError) -> (UInt64, UInt64) {
        guard let dots = text.firstRange(of: "..") else {
            let seed = try number(text)
            return (seed, seed)
        }
        let first = try number(String(text[..<dots.lowerBound]))
        let last = try number(String(text[dots.upperBound...]))
        guard first <= last else { throw UsageError(text: "\"\(text)\" ends before it begins") }
        return (first, last)
    }
}

/// The words of a command line, of which options are taken first.
private struct Words {
    private var words: [String]

    init(_ words: [String]) { self.words = words }

    mutating func flag(_ name: String) -> Bool {
        guard let at = words.firstIndex(of: name) else { return false }
        words.remove(at: at)
        return true
    }

    mutating func option(_ name: String) throws(UsageError) -> String? {
        guard let at = words.firstIndex(of: name) else { return nil }
        guard at + 1 < words.count else { throw UsageError(text: "\(name) needs a value") }
        let value = words[at + 1]
        words.removeSubrange(at...(at + 1))
        return value
    }

    func finish() throws(UsageError) {
        if let word = words.first { throw UsageError(text: "unexpected \"\(word)\"", showsUsage: true) }
    }

    /// The one word that is left.
    func only(_ what: String) throws(UsageError) -> String {
        guard let word = words.first else { throw UsageError(text: "expected \(what)", showsUsage: true) }
        guard words.count == 1 else { throw UsageError(text: "unexpected \"\(words[1])\"", showsUsage: true) }
        return word
    }
}
