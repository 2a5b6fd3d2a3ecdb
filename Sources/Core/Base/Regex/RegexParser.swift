/// Reads RE2 syntax with Perl's extensions, as Go's `regexp/syntax` does, and with its errors.
struct RegexParser {
    private struct Flags {
        var foldsCase = false
        var multiLine = false
        var dotMatchesNewline = false
    }

    /// An open group, or the whole expression.
    private struct Frame {
        var alternatives: [RegexNode] = []
        var sequence: [RegexNode] = []
        /// To be restored at the end of the group.
        var flags: Flags

        mutating func endAlternative() {
            alternatives.append(sequence.count == 1 ? sequence[0] : sequence.isEmpty ? .empty : .sequence(sequence))
            sequence = []
        }

        mutating func close() -> RegexNode {
            endAlternative()
            return alternatives.count == 1 ? alternatives[0] : .alternatives(alternatives)
        }
    }

    private let text: [Unicode.Scalar]
    private var at = 0
    private var flags = Flags()
    private var frames = [Frame(flags: Flags())]
    private var names: [String] = []

    init(_ pattern: String) { text = Array(pattern.unicodeScalars) }

    mutating func parse() throws(RegexError) -> RegexNode {
        /// Where the repetition operator just before began.
        var lastRepeat: Int?
        while at < text.count {
            let repeated = try parseOne(after: lastRepeat)
            lastRepeat = repeated
        }
        guard frames.count == 1 else { throw error(.missingParenthesis, 0, text.count) }
        return frames[0].close()
    }

    /// Returns where a repetition operator began, if it was one.
    private mutating func parseOne(after lastRepeat: Int?) throws(RegexError) -> Int? {
        let start = at
        switch text[at] {
        case "(": try openGroup()
        case "|":
            at += 1
            frames[frames.count - 1].endAlternative()
        case ")": try closeGroup()
        case "^": append(.assertion(flags.multiLine ? .beginLine : .beginText), length: 1)
        case "$": append(.assertion(flags.multiLine ? .endLine : .endText), length: 1)
        case ".": append(.set(ScalarSet(ranges: flags.dotMatchesNewline ? [] : [0x0A...0x0A], negated: true)), length: 1)
        case "[": append(.set(try parseClass()), length: 0)
        case "*": return try repetition(from: start, length: 1, min: 0, max: nil, lastRepeat)
        case "+": return try repetition(from: start, length: 1, min: 1, max: nil, lastRepeat)
        case "?": return try repetition(from: start, length: 1, min: 0, max: 1, lastRepeat)
        case "{":
            guard let count = counts() else {
                literal("{")
                at += 1
                return nil
            }
            guard count.min >= 0, count.min <= RegexLimits.repetitions, (count.max ?? 0) <= RegexLimits.repetitions,
                count.max.map({ count.min <= $0 }) ?? true
            else { throw error(.invalidRepeatSize, start, start + count.length) }
            return try repetition(from: start, length: count.length, min: count.min, max: count.max, lastRepeat, counted: true)
        case "\\": try parseBackslash()
        default:
            literal(text[at])
            at += 1
        }
        return nil
    }

    private mutating func append(_ node: RegexNode, length: Int) {
        at += length
        frames[frames.count - 1].sequence.append(node)
    }

    private mutating func literal(_ scalar: Unicode.Scalar) { literal(scalar.value) }

    private mutating func literal(_ value: UInt32) { append(.set(ScalarSet(value, foldsCase: flags.foldsCase)), length: 0) }

    private func error(_ code: RegexError.Code, _ from: Int, _ to: Int) -> RegexError {
        RegexError(code: code, part: String(String.UnicodeScalarView(text[from..<to])))
    }

    private func peek(_ offset: Int) -> Unicode.Scalar? { at + offset < text.count ? text[at + offset] : nil }
}

// Groups and repetition
extension RegexParser {
    private mutating func open() throws(RegexError) {
        guard frames.count < RegexLimits.depth else { throw error(.nestingDepth, 0, text.count) }
        frames.append(Frame(flags: flags))
    }

    private mutating func openGroup() throws(RegexError) {
        if peek(1) == "?" { return try openPerlGroup() }
        at += 1
        try open()
    }

    private mutating func closeGroup() throws(RegexError) {
        guard frames.count > 1 else { throw error(.unexpectedParenthesis, 0, text.count) }
        var frame = frames.removeLast()
        flags = frame.flags
        append(frame.close(), length: 1)
    }

    /// `(?P<name>`, `(?flags)`, `(?flags:`.
    private mutating func openPerlGroup() throws(RegexError) {
        let start = at
        if peek(2) == "P", peek(3) == "<", peek(4) != nil { return try openNamedGroup() }
        at += 2
        var wanted = flags
        var negative = false, sawFlag = false
        scan: while at < text.count {
            let scalar = text[at]
            at += 1
            switch scalar {
            case "i": wanted.foldsCase = !negative
            case "m": wanted.multiLine = !negative
            case "s": wanted.dotMatchesNewline = !negative
            case "U": break
            case "-":
                if negative { break scan }
                negative = true
                sawFlag = false
                continue
            case ":", ")":
                if negative && !sawFlag { break scan }
                if scalar == ":" { try open() }
                flags = wanted
                return
            default: break scan
            }
            sawFlag = true
        }
        throw error(.invalidPerlOperator, start, at)
    }

    private mutating func openNamedGroup() throws(RegexError) {
        guard let end = text[at...].firstIndex(of: ">") else { throw error(.invalidNamedCapture, at, text.count) }
        let name = text[(at + 4)..<end]
        let isName =
            !name.isEmpty && name.allSatisfy { $0 == "_" || ($0.isASCII && $0.properties.isAlphabetic) || ("0"..."9").contains($0) }
        let spelled = String(String.UnicodeScalarView(name))
        guard isName, !names.contains(spelled) else { throw error(.invalidNamedCapture, at, end + 1) }
        names.append(spelled)
        at = end + 1
        try open()
    }

    private mutating func repetition(
        from start: Int, length: Int, min: Int, max: Int?, _ lastRepeat: Int?, counted: Bool = false
    ) throws(RegexError) -> Int {
        at += length
        if peek(0) == "?" { at += 1 }
        if let lastRepeat { throw error(.invalidRepeatOperator, lastRepeat, at) }
        guard let part = frames[frames.count - 1].sequence.popLast() else { throw error(.missingRepeatArgument, start, at) }
        let node = RegexNode.repetition(part, min: min, max: max)
        if counted, min >= 2 || (max ?? 0) >= 2, !node.repeats(atMost: RegexLimits.repetitions) {
            throw error(.invalidRepeatSize, start, at)
        }
        guard node.depth < RegexLimits.depth else { throw error(.nestingDepth, 0, text.count) }
        append(node, length: 0)
        return start
    }

    /// `{n}`, `{n,}`, `{n,m}` at this place; a number that is too big is -1 as the minimum.
    private func counts() -> (min: Int, max: Int?, length: Int)? {
        var place = at + 1
        func number() -> Int? {
            let digits = text[place...].prefix { ("0"..."9").contains($0) }
            guard !digits.isEmpty, digits.count == 1 || digits.first != "0" else { return nil }
            place += digits.count
            return digits.count > 8 ? -1 : digits.reduce(0) { $0 * 10 + Int($1.value - 0x30) }
        }
        guard var min = number(), place < text.count else { return nil }
        var max: Int? = min
        if text[place] == "," {
            place += 1
            if place < text.count, text[place] == "}" {
                max = nil
            } else {
                guard let limit = number() else { return nil }
                max = limit
                if limit < 0 { min = -1 }
            }
        }
        guard place < text.count, text[place] == "}" else { return nil }
        return (min, max, place + 1 - at)
    }
}

// Escapes and classes
extension RegexParser {
    private mutating func parseBackslash() throws(RegexError) {
        switch peek(1) {
        case "A": return append(.assertion(.beginText), length: 2)
        case "b": return append(.assertion(.wordBoundary), length: 2)
        case "B": return append(.assertion(.noWordBoundary), length: 2)
        case "z": return append(.assertion(.endText), length: 2)
        case "C": throw error(.invalidEscape, at, at + 2)
        case "Q": return quoted()
        default: break
        }
        var set = ScalarSet()
        if try insertEscapedClass(into: &set) {
            set.seal(negated: false, foldsCase: flags.foldsCase)
            return append(.set(set), length: 0)
        }
        literal(try escape())
    }

    /// `\Q...\E`: literals.
    private mutating func quoted() {
        at += 2
        while at < text.count {
            if text[at] == "\\", peek(1) == "E" {
                at += 2
                return
            }
            literal(text[at])
            at += 1
        }
    }

    /// `\d` and the like, `\pL`, `\p{Lu}`, `\P{^Lu}`.
    private mutating func insertEscapedClass(into set: inout ScalarSet) throws(RegexError) -> Bool {
        guard peek(0) == "\\", let letter = peek(1) else { return false }
        if letter == "p" || letter == "P" {
            try insertCategory(into: &set, negated: letter == "P")
            return true
        }
        guard letter.isASCII, let (ranges, negated) = RegexClasses.perl(UInt8(letter.value)) else { return false }
        set.insert(ranges, negated: negated)
        at += 2
        return true
    }

    private mutating func insertCategory(into set: inout ScalarSet, negated: Bool) throws(RegexError) {
        let start = at
        var negated = negated
        var name: ArraySlice<Unicode.Scalar>
        if peek(2) == "{" {
            guard let end = text[at...].firstIndex(of: "}") else { throw error(.invalidCharRange, start, text.count) }
            name = text[(at + 3)..<end]
            at = end + 1
        } else {
            name = text[min(at + 2, text.count)..<min(at + 3, text.count)]
            at = min(at + 3, text.count)
        }
        if name.first == "^" {
            negated.toggle()
            name = name.dropFirst()
        }
        let spelled = String(String.UnicodeScalarView(name))
        if spelled == "Any" {
            set.insert([0...0x10FFFF], negated: negated)
        } else if let category = RegexClasses.category(spelled) {
            set.insert(category, negated: negated)
        } else {
            throw error(.invalidCharRange, start, at)
        }
    }

    private mutating func parseClass() throws(RegexError) -> ScalarSet {
        let start = at
        at += 1
        var set = ScalarSet()
        let negated = peek(0) == "^"
        if negated { at += 1 }
        var first = true
        while first || peek(0) != "]" {
            first = false
            if try insertNamedClass(into: &set) { continue }
            if try insertEscapedClass(into: &set) { continue }
            let from = at
            let low = try classScalar(start)
            var high = low
            if peek(0) == "-", let next = peek(1), next != "]" {
                at += 1
                high = try classScalar(start)
                guard low <= high else { throw error(.invalidCharRange, from, at) }
            }
            set.insert(low...high)
        }
        at += 1
        set.seal(negated: negated, foldsCase: flags.foldsCase)
        return set
    }

    /// `[:alpha:]`, `[:^alpha:]` inside a class.
    private mutating func insertNamedClass(into set: inout ScalarSet) throws(RegexError) -> Bool {
        guard peek(0) == "[", peek(1) == ":", peek(2) != nil else { return false }
        var end = at + 2
        while end + 1 < text.count, !(text[end] == ":" && text[end + 1] == "]") { end += 1 }
        guard end + 1 < text.count else { return false }
        var name = text[(at + 2)..<end]
        let negated = name.first == "^"
        if negated { name = name.dropFirst() }
        guard let ranges = RegexClasses.posix(String(String.UnicodeScalarView(name))) else { throw error(.invalidCharRange, at, end + 2) }
        set.insert(ranges, negated: negated)
        at = end + 2
        return true
    }

    private mutating func classScalar(_ classStart: Int) throws(RegexError) -> UInt32 {
        guard at < text.count else { throw error(.missingBracket, classStart, text.count) }
        if text[at] == "\\" { return try escape() }
        at += 1
        return text[at - 1].value
    }

    /// A single character written with a backslash.
    private mutating func escape() throws(RegexError) -> UInt32 {
        let start = at
        guard let letter = peek(1) else { throw RegexError(code: .trailingBackslash, part: "") }
        at += 2
        switch letter {
        case "1"..."7":
            // A single digit would refer back to a group.
            if let next = peek(0), ("0"..."7").contains(next) { return octal(letter) }
        case "0": return octal(letter)
        case "x": if let value = hexadecimal() { return value }
        case "a": return 0x07
        case "f": return 0x0C
        case "n": return 0x0A
        case "r": return 0x0D
        case "t": return 0x09
        case "v": return 0x0B
        default:
            if letter.isASCII, !letter.properties.isAlphabetic, !("0"..."9").contains(letter) { return letter.value }
        }
        throw error(.invalidEscape, start, at)
    }

    private mutating func octal(_ first: Unicode.Scalar) -> UInt32 {
        var value = first.value - 0x30
        for _ in 0..<2 {
            guard let digit = peek(0), ("0"..."7").contains(digit) else { break }
            value = value * 8 + digit.value - 0x30
            at += 1
        }
        return value
    }

    /// What follows `\x`; nil, with the offending character consumed, if it is no number.
    private mutating func hexadecimal() -> UInt32? {
        func digit(_ scalar: Unicode.Scalar) -> UInt32? { UInt8(exactly: scalar.value).flatMap { hexValue($0) }.map { UInt32($0) } }
        guard let first = peek(0) else { return nil }
        at += 1
        guard first == "{" else {
            guard let second = peek(0) else { return nil }
            at += 1
            guard let high = digit(first), let low = digit(second) else { return nil }
            return high << 4 | low
        }
        var value: UInt32 = 0, count = 0
        while let next = peek(0) {
            at += 1
            if next == "}" { return count > 0 ? value : nil }
            guard let bits = digit(next), value << 4 | bits <= 0x10FFFF else { return nil }
            value = value << 4 | bits
            count += 1
        }
        return nil
    }
}
