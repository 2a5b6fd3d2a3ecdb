/// What of a row can be selected, by name. The numbers are those that the row's type knows its fields by.
public final class FilterSchema: Sendable {
    indirect enum Kind: Sendable {
        case string, int, bool
        /// A list of strings.
        case strings
        /// Any key selects a string.
        case stringMap
        /// Any key selects a structure.
        case map(FilterSchema)
        /// Its elements' fields can be selected: true if any element matches.
        case list(FilterSchema)
        case structure(FilterSchema)

        func supports(_ op: FilterOperator) -> Bool {
            switch (self, op) {
            case (.string, .isEmpty), (.string, .isNotEmpty): false
            case (.string, _): true
            case (.int, .equal), (.int, .notEqual), (.bool, .equal), (.bool, .notEqual): true
            case (.strings, .isIn), (.strings, .notIn), (.stringMap, .isIn), (.stringMap, .notIn), (.map, .isIn), (.map, .notIn): true
            case (.strings, .isEmpty), (.stringMap, .isEmpty), (.map, .isEmpty), (.list, .isEmpty): true
            case (.strings, .isNotEmpty), (.stringMap, .isNotEmpty), (.map, .isNotEmpty), (.list, .isNotEmpty): true
            default: false
            }
        }
    }

    struct Field: Sendable {
        let name: String
        let id: Int
        let kind: Kind
    }

    private let fields: [Field]

    init<Name: RawRepresentable<Int>>(_ fields: [(String, Name, Kind)]) {
        self.fields = fields.map { Field(name: $0.0, id: $0.1.rawValue, kind: $0.2) }
    }

    func field(_ name: String) -> Field? { fields.first { $0.name == name } }
}

/// A comparison with its selector resolved and its value converted.
public struct FilterTerm: Sendable {
    enum Step: Sendable {
        case field(Int)
        case key(String)
    }

    let steps: [Step]
    let op: FilterOperator
    let text: String
    let int: Int64
    let bool: Bool
    let expression: RegularExpression?

    init(_ match: FilterMatch, _ schema: FilterSchema) throws(FilterError) {
        let (steps, kind) = try FilterTerm.resolve(match.selector, schema)
        let selector = GoQuote.quote(match.selector.joined(separator: "."))
        guard kind.supports(match.op) else {
            throw FilterError(detail: "Invalid match operator \"\(match.op.rawValue)\" for selector \(selector)", isSyntax: false)
        }
        self.steps = steps
        op = match.op
        text = match.value ?? ""
        do {
            if case .int = kind { int = try FilterTerm.integer(text) } else { int = 0 }
            if case .bool = kind { bool = try GoNumber.parseBool(text) } else { bool = false }
        } catch {
            let detail = "Failed to coerce value \(GoQuote.quote(text)) for selector \(selector): \(error.text)"
            throw FilterError(detail: detail, isSyntax: false)
        }
        guard op == .matches || op == .notMatches else {
            expression = nil
            return
        }
        do {
            expression = try RegularExpression(text)
        } catch {
            let detail = "Failed to compile regular expression \(GoQuote.quote(text)): \(error.description)"
            throw FilterError(detail: detail, isSyntax: false)
        }
    }

    private static func resolve(_ selector: [String], _ schema: FilterSchema) throws(FilterError) -> ([Step], FilterSchema.Kind) {
        var steps: [Step] = []
        var kind = FilterSchema.Kind.structure(schema)
        for (at, name) in selector.enumerated() {
            switch kind {
            case .structure(let inner), .list(let inner):
                guard let field = inner.field(name) else { throw invalid(selector[...at]) }
                steps.append(.field(field.id))
                kind = field.kind
            case .stringMap:
                steps.append(.key(name))
                kind = .string
            case .map(let inner):
                steps.append(.key(name))
                kind = .structure(inner)
            case .string, .int, .bool, .strings: throw invalid(selector[...at])
            }
        }
        return (steps, kind)
    }

    private static func invalid(_ path: ArraySlice<String>) -> FilterError {
        FilterError(detail: "Selector \(GoQuote.quote(path.joined(separator: "."))) is not valid", isSyntax: false)
    }

    /// `strconv.ParseInt(text, 0, 64)`: decimal, or with a prefix `0x`, `0o`, `0b`, `0`; `_` may stand between digits.
    private static func integer(_ text: String) throws(TextError) -> Int64 {
        let invalid = TextError("strconv.ParseInt: parsing \(GoQuote.quote(text)): invalid syntax")
        var digits = Array(text.utf8)[...]
        let negative = digits.first == UInt8(ascii: "-")
        if negative || digits.first == UInt8(ascii: "+") { digits = digits.dropFirst() }
        var radix: UInt64 = 10
        if digits.first == UInt8(ascii: "0"), digits.count > 1 {
            switch digits[digits.startIndex + 1] | 0x20 {
            case UInt8(ascii: "x"): radix = 16
            case UInt8(ascii: "o"): radix = 8
            case UInt8(ascii: "b"): radix = 2
            default: radix = 8
            }
            digits = digits.dropFirst(FilterTerm.isDigit(digits[digits.startIndex + 1]) || digits[digits.startIndex + 1] == 0x5F ? 1 : 2)
            // A separator may follow the prefix.
            if digits.first == 0x5F { digits = digits.dropFirst() }
        }
        guard !digits.isEmpty, digits.last != 0x5F else { throw invalid }
        var value: UInt64 = 0, overflows = false
        var previous: UInt8 = 0x5F
        for byte in digits {
            defer { previous = byte }
            if byte == 0x5F, previous != 0x5F { continue }
            guard let digit = hexValue(byte), UInt64(digit) < radix else { throw invalid }
            let (scaled, overflow) = value.multipliedReportingOverflow(by: radix)
            let (sum, overflow2) = scaled.addingReportingOverflow(UInt64(digit))
            overflows = overflows || overflow || overflow2
            value = sum
        }
        guard !overflows, value <= (negative ? 1 << 63 : UInt64(Int64.max)) else {
            throw TextError("strconv.ParseInt: parsing \(GoQuote.quote(text)): value out of range")
        }
        return Int64(truncatingIfNeeded: negative ? 0 &- value : value)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
}

/// Comparisons, by the type of what is compared.
extension FilterTerm {
    func test(_ value: String) -> Bool {
        switch op {
        case .equal: value.hasSameBytes(as: text)
        case .notEqual: !value.hasSameBytes(as: text)
        case .isIn: value.utf8.contains(text)
        case .notIn: !value.utf8.contains(text)
        case .matches: expression?.matches(value) ?? false
        case .notMatches: !(expression?.matches(value) ?? false)
        case .isEmpty, .isNotEmpty: false
        }
    }

    func test(_ value: Int) -> Bool { (Int64(value) == int) == (op == .equal) }

    func test(_ value: Bool) -> Bool { (value == bool) == (op == .equal) }

    func test(_ list: [String]?) -> Bool {
        switch op {
        case .isEmpty: list?.isEmpty ?? true
        case .isNotEmpty: !(list?.isEmpty ?? true)
        case .isIn: list?.contains { $0.hasSameBytes(as: text) } ?? false
        case .notIn: !(list?.contains { $0.hasSameBytes(as: text) } ?? false)
        default: false
        }
    }

    func test(_ map: StringMap?, _ at: Int) -> Bool {
        guard at < steps.count else { return test(map) }
        guard case .key(let key) = steps[at], let value = map?[key] else { return testAbsent }
        return test(value)
    }

    func test<Element: FilterRow>(_ map: SortedMap<String, Element>?, _ at: Int) -> Bool {
        guard at < steps.count else { return test(map) }
        guard case .key(let key) = steps[at], let value = map?[key] else { return testAbsent }
        return value.satisfies(self, at + 1)
    }

    private func test<Value>(_ map: SortedMap<String, Value>?) -> Bool {
        switch op {
        case .isEmpty: map?.isEmpty ?? true
        case .isNotEmpty: !(map?.isEmpty ?? true)
        case .isIn: map?[text] != nil
        case .notIn: map?[text] == nil
        default: false
        }
    }

    /// The list itself, or whether any element matches.
    func test<Element: FilterRow>(_ list: [Element], _ at: Int) -> Bool {
        if at < steps.count { return list.contains { $0.satisfies(self, at) } }
        return list.isEmpty == (op == .isEmpty)
    }

    /// The outcome for a key that a map does not have: that of the reference, odd as it is for `matches`.
    private var testAbsent: Bool {
        switch op {
        case .equal, .isNotEmpty, .isIn: false
        default: true
        }
    }
}

extension String {
    /// Byte by byte, unlike `==`, for which differently composed accents are equal.
    fileprivate func hasSameBytes(as other: String) -> Bool { utf8.count == other.utf8.count && self == other }
}
