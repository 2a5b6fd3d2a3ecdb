import Core

/// What is wrong with a scenario, and where, as far as that can be found out.
struct ScenarioError: Error, Equatable, CustomStringConvertible {
    var line: Int
    var text: String
    var description: String { line > 0 ? "line \(line): \(text)" : text }
}

/// One block of a scenario file, read key by key; keys that nobody asked for are errors.
struct ScenarioBlock {
    let members: [DynamicMember]
    let path: [String]
    private let source: ScenarioSource
    private var taken = LookupSet<String>()

    init(_ members: [DynamicMember], path: [String], source: ScenarioSource) {
        self.members = members
        self.path = path
        self.source = source
    }

    func error(_ key: String?, _ text: String) -> ScenarioError {
        ScenarioError(line: source.line(of: path + (key.map { [$0] } ?? [])), text: text)
    }

    private mutating func value(_ key: String) -> DynamicValue? {
        taken.insert(key)
        return members.first { $0.name == key }?.value
    }

    /// Complains about the first key that is not known here.
    func finish() throws(ScenarioError) {
        for member in members where !taken.contains(member.name) { throw error(member.name, "unknown key \"\(member.name)\"") }
    }

    // MARK: - Values

    mutating func string(_ key: String) throws(ScenarioError) -> String? {
        guard let value = value(key) else { return nil }
        guard case .string(let text) = value else { throw error(key, "\(key) must be a string") }
        return text
    }

    mutating func int(_ key: String, in range: ClosedRange<Int>) throws(ScenarioError) -> Int? {
        guard let value = value(key) else { return nil }
        guard case .int(let number) = value, let number = Int(exactly: number), range.contains(number) else {
            throw error(key, "\(key) must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    mutating func fraction(_ key: String, upTo limit: Double = 1) throws(ScenarioError) -> Double? {
        let number: Double
        switch value(key) {
        case nil: return nil
        case .double(let value)?: number = value
        case .int(let value)?: number = Double(value)
        default: throw error(key, "\(key) must be a number")
        }
        guard number >= 0, number <= limit else { throw error(key, "\(key) must be a number from 0 to \(decimal(limit, digits: 0))") }
        return number
    }

    mutating func bool(_ key: String) throws(ScenarioError) -> Bool? {
        guard let value = value(key) else { return nil }
        guard case .bool(let flag) = value else { throw error(key, "\(key) must be true or false") }
        return flag
    }

    mutating func duration(_ key: String) throws(ScenarioError) -> Duration? {
        guard let text = try string(key) else { return nil }
        return try duration(key, text)
    }

    func duration(_ key: String, _ text: String) throws(ScenarioError) -> Duration {
        guard let length = try? GoDuration.parse(text), length >= .zero else { throw error(key, "\(key): \"\(text)\" is no duration") }
        return length
    }

    /// `"1ms..20ms"`, or one length for both ends.
    mutating func range(_ key: String) throws(ScenarioError) -> ClosedRange<Duration>? {
        guard let text = try string(key) else { return nil }
        guard let dots = text.firstRange(of: "..") else {
            let length = try duration(key, text)
            return length...length
        }
        let low = try duration(key, String(text[..<dots.lowerBound]))
        let high = try duration(key, String(text[dots.upperBound...]))
        guard low <= high else { throw error(key, "\(key): \"\(text)\" ends before it begins") }
        return low...high
    }

    /// The only block of that name, nil if there is none.
    mutating func block(_ key: String) throws(ScenarioError) -> ScenarioBlock? {
        guard let value = value(key) else { return nil }
        guard case .array(let blocks) = value, blocks.count == 1, case .map(let members) = blocks[0] else {
            throw error(key, "\(key) must be one block")
        }
        return ScenarioBlock(members, path: path + [key], source: source)
    }

    /// All blocks `key "label" { ... }`, in the order of the file.
    mutating func labelled(_ key: String) throws(ScenarioError) -> [(label: String, block: ScenarioBlock)] {
        guard let value = value(key) else { return [] }
        var found: [(label: String, block: ScenarioBlock)] = []
        guard case .array(let outer) = value else { throw error(key, "\(key) must be a block with a label") }
        for element in outer {
            guard case .map(let labels) = element else { throw error(key, "\(key) must be a block with a label") }
            for label in labels {
                guard case .array(let blocks) = label.value else { throw error(key, "\(key) must be a block with a label") }
                for block in blocks {
                    guard case .map(let members) = block else { throw error(key, "\(key) must be a block with a label") }
                    found.append((label.name, ScenarioBlock(members, path: path + [key, label.name], source: source)))
                }
            }
        }
        return found
    }

    /// The raw value, for keys with several shapes.
    mutating func any(_ key: String) -> DynamicValue? { value(key) }
}

/// The text of a scenario, to tell where something stands: the parser gives values without places.
struct ScenarioSource {
    private let lines: [[UInt8]]

    init(_ text: [UInt8]) {
        lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map { line in
            // Comments are not searched.
            var line = Array(line)
            if let hash = line.firstIndex(of: UInt8(ascii: "#")) { line.removeSubrange(hash...) }
            return line
        }
    }

    /// The line of the last word of a path, each word searched behind the one before; 0 if it is not found.
    func line(of path: [String]) -> Int {
        var line = 0
        var column = 0
        for word in path {
            guard let place = find(Array(word.utf8), from: line, column) else { return 0 }
            (line, column) = (place.line, place.column + word.utf8.count)
        }
        return path.isEmpty ? 0 : line + 1
    }

    private func find(_ word: [UInt8], from first: Int, _ column: Int) -> (line: Int, column: Int)? {
        for number in first..<lines.count {
            let line = lines[number]
            var at = number == first ? column : 0
            while at + word.count <= line.count {
                let matches = line[at..<at + word.count].elementsEqual(word)
                let begins = at == 0 || !Self.isName(line[at - 1])
                let ends = at + word.count == line.count || !Self.isName(line[at + word.count])
                if matches && begins && ends { return (number, at) }
                at += 1
            }
        }
        return nil
    }

    private static func isName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
