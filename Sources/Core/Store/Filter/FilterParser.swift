/// Parses filters as the reference's parsing expression grammar does: alternatives in order, the first that matches wins.
///
/// Errors are those of the reference too: either what the grammar itself reports (an unterminated string), or what it would have
/// accepted at the furthest place it reached. Every rule is a function from a place to the place after it, nil if it does not match.
struct FilterParser {
    /// Of parentheses within each other; each level takes stack.
    private static let depthLimit = 64
    /// How many problems are told at once.
    private static let complaintLimit = 16
    /// The end of the text, as something expected.
    private static let end = "EOF"

    private let text: [UInt8]
    private var depth = 0

    /// The furthest place where something did not match, and what would have.
    private var furthest = 0
    private var expected: [String] = []

    private struct Complaint: Hashable {
        var at: Int
        var rule: String
        var text: String
    }
    private var complaints: [Complaint] = []

    static func parse(_ text: String) throws(FilterError) -> FilterExpression {
        var parser = FilterParser(Array(text.utf8))
        let result = parser.input()
        guard let result, parser.complaints.isEmpty else { throw FilterError(detail: parser.problem, isSyntax: true) }
        return result
    }

    private init(_ text: [UInt8]) { self.text = text }

    // MARK: Rules

    private mutating func input() -> FilterExpression? {
        if let open = literal("(", optionalBlank(0)), let (inner, end) = or(optionalBlank(open)) {
            if let close = literal(")", optionalBlank(end)), isEnd(optionalBlank(close)) { return inner }
        }
        guard let (whole, end) = or(optionalBlank(0)), isEnd(optionalBlank(end)) else { return nil }
        return whole
    }

    private mutating func or(_ at: Int) -> (FilterExpression, Int)? {
        chain(at, "or", FilterExpression.or) { $0.and($1) }
    }

    private mutating func and(_ at: Int) -> (FilterExpression, Int)? {
        chain(at, "and", FilterExpression.and) { $0.not($1) }
    }

    /// Operands with a word between them. (The grammar associates to the right; the outcome is the same.)
    private mutating func chain(
        _ at: Int, _ word: StaticString, _ combine: ([FilterExpression]) -> FilterExpression,
        _ operand: (inout FilterParser, Int) -> (FilterExpression, Int)?
    ) -> (FilterExpression, Int)? {
        guard let (first, firstEnd) = operand(&self, at) else { return nil }
        var operands = [first]
        var end = firstEnd
        while let before = blank(end), let after = literal(word, before), let start = blank(after),
            let (next, nextEnd) = operand(&self, start)
        {
            operands.append(next)
            end = nextEnd
        }
        return (operands.count == 1 ? first : combine(operands), end)
    }

    private mutating func not(_ at: Int) -> (FilterExpression, Int)? {
        var starts = [at]
        while let after = literal("not", starts[starts.count - 1]), let start = blank(after) { starts.append(start) }
        // The innermost operand that matches decides: a "not" before it negates, one behind it is a selector's name.
        while let start = starts.popLast() {
            guard let (operand, end) = grouping(start) else { continue }
            return (starts.count % 2 == 0 ? operand : .not(operand), end)
        }
        return nil
    }

    private mutating func grouping(_ at: Int) -> (FilterExpression, Int)? {
        if let open = literal("(", at) {
            guard depth < FilterParser.depthLimit else {
                complain(open, "grouping", "expression nests too deeply")
                return nil
            }
            depth += 1
            defer { depth -= 1 }
            if let (inner, innerEnd) = or(optionalBlank(open)) {
                let end = optionalBlank(innerEnd)
                if let close = literal(")", end) { return (inner, close) }
                _ = match(at)
                complain(end, "grouping", "Unmatched parentheses")
                return nil
            }
        }
        return match(at)
    }

    private mutating func match(_ at: Int) -> (FilterExpression, Int)? {
        selectorThenValue(at) ?? selectorAlone(at) ?? valueThenSelector(at)
    }

    private mutating func selectorThenValue(_ at: Int) -> (FilterExpression, Int)? {
        guard let (selector, end) = selector(at) else { return nil }
        let operators: [(FilterOperator, [StaticString], Bool)] = [
            (.equal, ["=="], false), (.notEqual, ["!="], false), (.isIn, ["contains"], true), (.notIn, ["not", "contains"], true),
            (.matches, ["matches"], true), (.notMatches, ["not", "matches"], true),
        ]
        for (op, words, isWord) in operators {
            guard let after = isWord ? wordsBetweenBlanks(words, end) : symbol(words[0], end) else { continue }
            // The grammar chooses an operator and sticks to it.
            guard let (value, valueEnd) = value(after) else { return nil }
            return (.match(FilterMatch(selector: selector, op: op, value: value)), valueEnd)
        }
        return nil
    }

    private mutating func selectorAlone(_ at: Int) -> (FilterExpression, Int)? {
        guard let (selector, end) = selector(at) else { return nil }
        if let after = wordsAfterBlanks(["is", "empty"], end) {
            return (.match(FilterMatch(selector: selector, op: .isEmpty, value: nil)), after)
        }
        guard let after = wordsAfterBlanks(["is", "not", "empty"], end) else { return nil }
        return (.match(FilterMatch(selector: selector, op: .isNotEmpty, value: nil)), after)
    }

    private mutating func valueThenSelector(_ at: Int) -> (FilterExpression, Int)? {
        guard let (value, end) = value(at) else { return nil }
        let op: FilterOperator
        let after: Int
        if let place = wordsBetweenBlanks(["in"], end) {
            (op, after) = (.isIn, place)
        } else if let place = wordsBetweenBlanks(["not", "in"], end) {
            (op, after) = (.notIn, place)
        } else {
            return nil
        }
        if let (selector, selectorEnd) = selector(after) {
            return (.match(FilterMatch(selector: selector, op: op, value: value)), selectorEnd)
        }
        complain(after, "match", "Invalid selector")
        return nil
    }

    private mutating func symbol(_ symbol: StaticString, _ at: Int) -> Int? {
        literal(symbol, optionalBlank(at)).map { optionalBlank($0) }
    }

    private mutating func wordsAfterBlanks(_ words: [StaticString], _ at: Int) -> Int? {
        var place = at
        for word in words {
            guard let start = blank(place), let end = literal(word, start) else { return nil }
            place = end
        }
        return place
    }

    private mutating func wordsBetweenBlanks(_ words: [StaticString], _ at: Int) -> Int? {
        guard let end = wordsAfterBlanks(words, at) else { return nil }
        return blank(end)
    }

    // MARK: Operands

    private mutating func selector(_ at: Int) -> (path: [String], end: Int)? {
        guard let (first, firstEnd) = identifier(at) else { return nil }
        var path = [first]
        var end = firstEnd
        while true {
            if let dot = literal(".", end), let (name, nameEnd) = identifier(dot) {
                path.append(name)
                end = nameEnd
            } else if let (name, nameEnd) = index(end) {
                path.append(name)
                end = nameEnd
            } else {
                return (path, end)
            }
        }
    }

    private mutating func identifier(_ at: Int) -> (String, Int)? {
        guard var end = character("[a-zA-Z]", at, { FilterParser.isLetter($0) }) else { return nil }
        while let next = character(
            "[a-zA-Z0-9_]", end, { FilterParser.isLetter($0) || FilterParser.isDigit($0) || $0 == UInt8(ascii: "_") })
        {
            end = next
        }
        return (slice(at, end), end)
    }

    private mutating func index(_ at: Int) -> (String, Int)? {
        guard let open = literal("[", at) else { return nil }
        let start = optionalBlank(open)
        guard let (name, end) = string(start) else {
            complain(start, "index", "Invalid index")
            return nil
        }
        let close = optionalBlank(end)
        if let after = literal("]", close) { return (name, after) }
        complain(close, "index", "Unclosed index expression")
        return nil
    }

    private mutating func value(_ at: Int) -> (String, Int)? {
        if let (path, end) = selector(at) { return (path.joined(separator: "."), end) }
        return number(at) ?? string(at)
    }

    private mutating func number(_ at: Int) -> (String, Int)? {
        guard let end = integerOrFloat(literal("-", at) ?? at) else { return nil }
        if blank(end) != nil || isEnd(end) || literal(")", end) != nil { return (slice(at, end), end) }
        complain(end, "number", "Invalid number literal")
        return nil
    }

    private mutating func integerOrFloat(_ at: Int) -> Int? {
        var end: Int
        if let zero = literal("0", at) {
            end = zero
        } else {
            guard let first = character("[1-9]", at, { $0 >= UInt8(ascii: "1") && $0 <= UInt8(ascii: "9") }) else { return nil }
            end = digits(first)
        }
        if let dot = literal(".", end), let first = character("[0-9]", dot, { FilterParser.isDigit($0) }) { end = digits(first) }
        return end
    }

    private mutating func digits(_ at: Int) -> Int {
        var end = at
        while let next = character("[0-9]", end, { FilterParser.isDigit($0) }) { end = next }
        return end
    }

    private mutating func string(_ at: Int) -> (String, Int)? {
        for quote in [UInt8(ascii: "`"), UInt8(ascii: "\"")] {
            let want: StaticString = quote == UInt8(ascii: "`") ? "`" : "\""
            guard let start = literal(want, at) else { continue }
            let end = text[start...].firstIndex(of: quote) ?? text.count
            if let close = literal(want, end) { return (contents(at, close), close) }
            complain(end, "string", "Unterminated string literal")
        }
        return nil
    }

    /// The text of a string literal without its quotes.
    private mutating func contents(_ at: Int, _ end: Int) -> String {
        let inner = text[(at + 1)..<(end - 1)]
        if text[at] == UInt8(ascii: "`") { return String(repairing: inner.filter { $0 != UInt8(ascii: "\r") }) }
        if let value = GoUnquote.unquote(inner) { return value }
        complain(at, "string", "invalid syntax")
        return ""
    }

    private func slice(_ from: Int, _ to: Int) -> String { String(repairing: text[from..<to]) }

    private static func isLetter(_ byte: UInt8) -> Bool { byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z") }
    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
}

// What rules are made of, and the notes on what did not match.
extension FilterParser {
    private mutating func literal(_ want: StaticString, _ at: Int) -> Int? {
        let count = want.utf8CodeUnitCount
        let found = text.count - at >= count && (0..<count).allSatisfy { text[at + $0] == want.utf8Start[$0] }
        if !found, at >= furthest { record(at, GoQuote.quote(want.description)) }
        return found ? at + count : nil
    }

    private mutating func character(_ want: StaticString, _ at: Int, _ isMember: (UInt8) -> Bool) -> Int? {
        let found = at < text.count && isMember(text[at])
        if !found, at >= furthest { record(at, want.description) }
        return found ? at + 1 : nil
    }

    /// At least one blank.
    private mutating func blank(_ at: Int) -> Int? {
        var end = at
        while let next = character(#"[ \t\r\n]"#, end, { [0x20, 0x09, 0x0D, 0x0A].contains($0) }) { end = next }
        return end > at ? end : nil
    }

    private mutating func optionalBlank(_ at: Int) -> Int { blank(at) ?? at }

    private mutating func isEnd(_ at: Int) -> Bool {
        if at < text.count { record(at, FilterParser.end) }
        return at == text.count
    }

    private mutating func record(_ at: Int, _ want: String) {
        if at < furthest { return }
        if at > furthest {
            furthest = at
            expected.removeAll(keepingCapacity: true)
        }
        if !expected.contains(want) { expected.append(want) }
    }

    private mutating func complain(_ at: Int, _ rule: String, _ text: String) {
        let complaint = Complaint(at: at, rule: rule, text: text)
        if complaints.count < FilterParser.complaintLimit, !complaints.contains(complaint) { complaints.append(complaint) }
    }

    private var problem: String {
        if complaints.isEmpty { return "\(position(furthest)): no match found, expected: \(listOfExpected)" }
        return complaints.map { "\(position($0.at)): rule \"\($0.rule)\": \($0.text)" }.joined(separator: "\n")
    }

    /// Sorted, the end of the input last.
    private var listOfExpected: String {
        var wanted = expected.filter { $0 != FilterParser.end }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        if wanted.count < expected.count { wanted.append(FilterParser.end) }
        guard let last = wanted.popLast() else { return "" }
        return wanted.isEmpty ? last : wanted.joined(separator: ", ") + " or " + last
    }

    /// `line:column (offset)`; columns count characters, the offset bytes.
    private func position(_ at: Int) -> String {
        var line = 1, column = 0
        for (offset, byte) in text.enumerated() where offset <= at {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 0
            } else if byte & 0xC0 != 0x80 {
                column += 1
            }
        }
        if at >= text.count { column += 1 }
        return "\(line):\(column) (\(at))"
    }
}
