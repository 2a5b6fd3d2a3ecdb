import Core

/// A flag that a command understands. Spec: cli §1.3, §1.4.
struct Flag {
    enum Kind {
        case bool
        /// A boolean whose mistakes are reported in other words.
        case looseBool
        case string
        /// A string that the help shows as `value`.
        case value
        case uint
        case int
        /// A signed number, reported on like a `value`.
        case number
        /// An unsigned number, reported on like a `value`.
        case looseUint
        case duration
        /// A duration, reported on like a `value`.
        case looseDuration
        /// May be given several times.
        case list
        /// `key=value`, may be given several times.
        case pairs
    }

    enum Section {
        case client
        case command
    }

    var name: String
    var kind: Kind
    /// A word in back-quotes is the placeholder of the flag's value.
    var help: String
    var initial = ""
    var section = Section.command

    init(_ name: String, _ kind: Kind, _ help: String, initial: String = "", section: Section = .command) {
        self.name = name
        self.kind = kind
        self.help = help
        self.initial = initial
        self.section = section
    }

    var isBoolean: Bool { kind == .bool || kind == .looseBool }

    /// What stands for the value in help texts; nil for booleans.
    var placeholder: String? {
        if isBoolean { return nil }
        let parts = help.split(separator: "`", omittingEmptySubsequences: false)
        if parts.count >= 3 { return String(parts[1]) }
        switch kind {
        case .string: return "string"
        case .uint: return "uint"
        case .int: return "int"
        case .duration: return "duration"
        default: return "value"
        }
    }
}

/// Flags and arguments as they were given.
struct Arguments {
    private var values: [String: [String]] = [:]
    /// The flags in the order in which they were given.
    private(set) var given: [(name: String, value: String)] = []
    var positional: [String] = []

    mutating func add(_ flag: Flag, _ value: String) {
        given.append((flag.name, value))
        values[flag.name, default: []].append(value)
    }

    /// nil: not given.
    func value(_ name: String) -> String? { values[name]?.last }
    func string(_ name: String, default initial: String = "") -> String { values[name]?.last ?? initial }
    func isSet(_ name: String) -> Bool { values[name]?.last == "true" }
    /// The value of a flag of kind `.int` or `.number`.
    func integer(_ name: String, default initial: Int = 0) -> Int { values[name]?.last.flatMap { Int($0) } ?? initial }
    /// nil: not given.
    func duration(_ name: String) -> Duration? { values[name]?.last.flatMap { try? GoDuration.parse($0) } }
    func number(_ name: String) -> UInt64 { values[name]?.last.flatMap { UInt64($0) } ?? 0 }
    func list(_ name: String) -> [String] { values[name] ?? [] }
    /// `key=value` flags; the last value of a key counts.
    func pairs(_ name: String) -> [(key: String, value: String)] {
        var result: [(key: String, value: String)] = []
        for text in list(name) {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            result.removeAll { $0.key == parts[0] }
            result.append((parts[0], parts.count > 1 ? parts[1] : ""))
        }
        return result
    }
}

struct FlagSet {
    var flags: [Flag]

    /// Reads flags up to the first argument that is none. The error is the first line that the user sees.
    func parse(_ words: [String]) throws(TextError) -> Arguments {
        var arguments = Arguments()
        var at = 0
        while at < words.count {
            let word = words[at]
            guard word.utf8.count > 1, word.hasPrefix("-") else { break }
            at += 1
            if word == "--" { break }
            var name = word.hasPrefix("--") ? word.dropFirst(2) : word.dropFirst()
            if name.isEmpty || name.hasPrefix("-") || name.hasPrefix("=") { throw TextError("bad flag syntax: \(word)") }
            var value: String?
            if let sign = name.firstIndex(of: "=") {
                value = String(name[name.index(after: sign)...])
                name = name[..<sign]
            }
            guard let flag = flags.first(where: { $0.name == name }) else {
                throw TextError("flag provided but not defined: -\(name)")
            }
            if value == nil, flag.isBoolean { value = "true" }
            if value == nil {
                guard at < words.count else { throw TextError("flag needs an argument: -\(name)") }
                value = words[at]
                at += 1
            }
            arguments.add(flag, try flag.canonical(value ?? ""))
        }
        arguments.positional = Array(words[at...])
        return arguments
    }
}

extension Flag {
    /// The value in one spelling for each meaning.
    fileprivate func canonical(_ text: String) throws(TextError) -> String {
        let quoted = GoQuote.quote(text)
        switch kind {
        case .bool, .looseBool:
            if ["1", "t", "T", "true", "TRUE", "True"].contains(text) { return "true" }
            if ["0", "f", "F", "false", "FALSE", "False"].contains(text) { return "false" }
            let reason = kind == .bool ? "parse error" : "strconv.ParseBool: parsing \(quoted): invalid syntax"
            throw TextError("invalid boolean value \(quoted) for -\(name): \(reason)")
        case .uint, .looseUint:
            let isLoose = kind == .looseUint
            func failure(_ reason: String, _ looseReason: String) -> TextError {
                let looseText = "strconv.ParseUint: parsing \(quoted): \(looseReason)"
                return TextError("invalid value \(quoted) for flag -\(name): \(isLoose ? looseText : reason)")
            }
            switch GoInteger.parse(text) {
            case .value(let magnitude, let isNegative) where !isNegative || magnitude == 0: return String(magnitude)
            case .outOfRange: throw failure("value out of range", "value out of range")
            default: throw failure("parse error", "invalid syntax")
            }
        case .int:
            switch GoInteger.parse(text) {
            case .value(let magnitude, let isNegative):
                if let number = Int(exactly: magnitude) { return String(isNegative ? -number : number) }
                throw TextError("invalid value \(quoted) for flag -\(name): value out of range")
            case .outOfRange: throw TextError("invalid value \(quoted) for flag -\(name): value out of range")
            case .invalid: throw TextError("invalid value \(quoted) for flag -\(name): parse error")
            }
        case .number:
            let digits = text.utf8.first == UInt8(ascii: "+") ? text.dropFirst() : text[...]
            if !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 || $0 == UInt8(ascii: "-") }) {
                if let number = Int64(digits) { return String(number) }
                if Int64(digits.dropFirst()) == nil, !digits.dropFirst().utf8.contains(UInt8(ascii: "-")) {
                    throw TextError("invalid value \(quoted) for flag -\(name): strconv.Atoi: parsing \(quoted): value out of range")
                }
            }
            throw TextError("invalid value \(quoted) for flag -\(name): strconv.Atoi: parsing \(quoted): invalid syntax")
        case .duration:
            do { _ = try GoDuration.parse(text) } catch { throw TextError("invalid value \(quoted) for flag -\(name): parse error") }
            return text
        case .looseDuration:
            do { _ = try GoDuration.parse(text) } catch { throw TextError("invalid value \(quoted) for flag -\(name): \(error.text)") }
            return text
        case .pairs:
            if text.utf8.contains(UInt8(ascii: "=")) { return text }
            throw TextError("invalid value \(quoted) for flag -\(name): Missing \"=\" value in argument: \(text)")
        case .string, .value, .list: return text
        }
    }
}

/// Whole numbers in Go's spelling: decimal, `0x`, `0o`, `0b`, leading-0 octal, with `_` between digits.
enum GoInteger {
    enum Result: Equatable {
        case value(magnitude: UInt64, isNegative: Bool)
        case outOfRange
        case invalid
    }

    static func parse(_ text: String) -> Result {
        var bytes = Array(text.utf8)[...]
        var isNegative = false
        if let sign = bytes.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            bytes = bytes.dropFirst()
        }
        var base: UInt64 = 10
        var mayBeginWithUnderscore = false
        if bytes.count > 1, bytes.first == UInt8(ascii: "0") {
            let mark = bytes[bytes.startIndex + 1] | 0x20
            base = mark == UInt8(ascii: "x") ? 16 : mark == UInt8(ascii: "b") ? 2 : 8
            bytes = bytes.dropFirst(base == 8 && mark != UInt8(ascii: "o") ? 1 : 2)
            mayBeginWithUnderscore = true
        }
        guard !bytes.isEmpty, bytes.last != UInt8(ascii: "_"), mayBeginWithUnderscore || bytes.first != UInt8(ascii: "_") else {
            return .invalid
        }
        return digits(bytes, base, isNegative)
    }

    private static func digits(_ bytes: ArraySlice<UInt8>, _ base: UInt64, _ isNegative: Bool) -> Result {
        var value: UInt64 = 0
        var isTooLarge = false
        var wasUnderscore = false
        for byte in bytes {
            if byte == UInt8(ascii: "_") {
                if wasUnderscore { return .invalid }
                wasUnderscore = true
                continue
            }
            wasUnderscore = false
            guard let digit = digit(byte), digit < base else { return .invalid }
            let (scaled, overflow) = value.multipliedReportingOverflow(by: base)
            let (sum, overflow2) = scaled.addingReportingOverflow(digit)
            isTooLarge = isTooLarge || overflow || overflow2
            value = sum
        }
        return isTooLarge ? .outOfRange : .value(magnitude: value, isNegative: isNegative)
    }

    private static func digit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case 48...57: UInt64(byte - 48)
        case 97...102: UInt64(byte - 87)
        case 65...70: UInt64(byte - 55)
        default: nil
        }
    }
}
