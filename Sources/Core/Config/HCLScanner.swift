/// One token of an HCL text.
struct HCLToken {
    enum Kind: String {
        case illegal = "ILLEGAL"
        case eof = "EOF"
        case comment = "COMMENT"
        case ident = "IDENT"
        case number = "NUMBER"
        case float = "FLOAT"
        case bool = "BOOL"
        case string = "STRING"
        case heredoc = "HEREDOC"
        case leftBracket = "LBRACK"
        case leftBrace = "LBRACE"
        case comma = "COMMA"
        case period = "PERIOD"
        case rightBracket = "RBRACK"
        case rightBrace = "RBRACE"
        case assign = "ASSIGN"
        case add = "ADD"
        case sub = "SUB"
    }

    var kind: Kind
    var line: Int
    var column: Int
    /// The token's text as it stands in the file.
    var text: Range<Int>
}

/// Cuts a text into tokens, counting lines and columns (in code points) the way the reference does, so that errors name the same place.
struct HCLScanner {
    let source: [UInt8]
    /// The last mistake found in the characters; it goes before what the parser says.
    private(set) var error: HCLError?

    private var offset = 0
    private var line = 1
    private var column = 0
    private var lastLineLength = 0
    /// The bytes of the character read last; 0 at the end.
    private var lastCharacterLength = 0
    private var previous: (offset: Int, line: Int, column: Int) = (0, 1, 0)

    init(_ source: [UInt8]) { self.source = source }

    /// What `next` returns at the end of the text.
    private static let end: UInt32 = 0

    // MARK: Characters

    private mutating func next() -> UInt32 {
        guard offset < source.count else {
            column += 1
            lastCharacterLength = 0
            return Self.end
        }
        previous = (offset, line, column)
        let (character, length) = decode(at: offset)
        column += 1
        lastCharacterLength = length
        offset += length
        guard let character else {
            fail("illegal UTF-8 encoding")
            return 0xFFFD
        }
        if character == 10 {
            line += 1
            lastLineLength = column
            column = 0
        }
        if character == 0 { fail("unexpected null character (0x00)") }
        return character
    }

    private mutating func unread() {
        (offset, line, column) = previous
    }

    private func peek() -> UInt32 {
        offset < source.count ? decode(at: offset).character ?? 0xFFFD : Self.end
    }

    /// nil for bytes that are no UTF-8; they count one byte.
    private func decode(at start: Int) -> (character: UInt32?, length: Int) {
        let first = source[start]
        if first < 0x80 { return (UInt32(first), 1) }
        let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
        guard first >= 0xC2, first <= 0xF4, start + length <= source.count else { return (nil, 1) }
        var value = UInt32(first) & (0x7F >> UInt32(length))
        for index in start + 1..<start + length {
            guard source[index] & 0xC0 == 0x80 else { return (nil, 1) }
            value = value << 6 | UInt32(source[index] & 0x3F)
        }
        let smallest: UInt32 = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80
        return value >= smallest && Unicode.Scalar(value) != nil ? (value, length) : (nil, 1)
    }

    private var position: (line: Int, column: Int) {
        if column > 0 { return (line, column) }
        if lastLineLength > 0 { return (line - 1, lastLineLength) }
        return (1, 1)
    }

    private mutating func fail(_ message: String) {
        let at = position
        error = HCLError(line: at.line, column: at.column, message: message)
    }

    private static func isLetter(_ c: UInt32) -> Bool {
        if c < 0x80 { return (c | 0x20) >= 97 && (c | 0x20) <= 122 || c == 95 }
        return Unicode.Scalar(c)?.properties.isAlphabetic ?? false
    }

    private static func isDigit(_ c: UInt32) -> Bool { c >= 48 && c <= 57 }

    private static func isHexadecimal(_ c: UInt32) -> Bool {
        isDigit(c) || (c | 0x20) >= 97 && (c | 0x20) <= 102
    }

    private static func isBlank(_ c: UInt32) -> Bool { c == 32 || c == 9 || c == 10 || c == 13 }

    // MARK: Tokens

    mutating func scan() -> HCLToken {
        var character = next()
        while Self.isBlank(character) || character == 0xFEFF && offset == 3 { character = next() }
        let start = offset - lastCharacterLength
        let at = position
        let kind = scanToken(from: character)
        return HCLToken(kind: kind, line: at.line, column: at.column, text: start..<max(start, offset))
    }

    private mutating func scanToken(from character: UInt32) -> HCLToken.Kind {
        if character == Self.end { return .eof }
        if Self.isLetter(character) { return scanIdentifier() }
        if Self.isDigit(character) { return scanNumber(from: character) }
        switch character {
        case 0x22:
            scanString()
            return .string
        case 0x23, 0x2F:
            scanComment(from: character)
            return .comment
        case 0x2E:
            guard Self.isDigit(peek()) else { return .period }
            return scanFraction()
        case 0x3C:
            scanHeredoc()
            return .heredoc
        case 0x5B: return .leftBracket
        case 0x5D: return .rightBracket
        case 0x7B: return .leftBrace
        case 0x7D: return .rightBrace
        case 0x2C: return .comma
        case 0x3D: return .assign
        case 0x2B: return .add
        case 0x2D:
            guard Self.isDigit(peek()) else { return .sub }
            return scanNumber(from: next())
        default:
            fail("illegal character")
            return .illegal
        }
    }

    private mutating func unreadUnlessAtEnd() {
        if lastCharacterLength > 0 { unread() }
    }

    private mutating func scanIdentifier() -> HCLToken.Kind {
        let start = offset - lastCharacterLength
        var character = next()
        while Self.isLetter(character) || Self.isDigit(character) || character == 0x2D || character == 0x2E { character = next() }
        unreadUnlessAtEnd()
        let text = source[start..<offset]
        return text.elementsEqual("true".utf8) || text.elementsEqual("false".utf8) ? .bool : .ident
    }

    private mutating func scanDigits() -> UInt32 {
        var character = next()
        while Self.isDigit(character) { character = next() }
        return character
    }

    private mutating func scanNumber(from first: UInt32) -> HCLToken.Kind {
        if first == 48, peek() | 0x20 == 0x78 {
            _ = next()
            var character = next()
            var found = false
            while Self.isHexadecimal(character) {
                character = next()
                found = true
            }
            if !found { fail("illegal hexadecimal number") }
            unreadUnlessAtEnd()
            return .number
        }
        let start = offset - 1
        let character = scanDigits()
        if character == 0x2E { return scanFraction() }
        if character | 0x20 == 0x65 { return scanExponent() }
        unreadUnlessAtEnd()
        if first == 48, source[start..<offset].contains(where: { $0 == 56 || $0 == 57 }) { fail("illegal octal number") }
        return .number
    }

    /// After the point.
    private mutating func scanFraction() -> HCLToken.Kind {
        let character = scanDigits()
        if character | 0x20 == 0x65 { return scanExponent() }
        unreadUnlessAtEnd()
        return .float
    }

    /// After the `e`.
    private mutating func scanExponent() -> HCLToken.Kind {
        let sign = peek()
        if sign == 0x2B || sign == 0x2D { _ = next() }
        if !Self.isDigit(peek()) { fail("illegal exponent") }
        _ = scanDigits()
        unreadUnlessAtEnd()
        return .float
    }

    private mutating func scanComment(from first: UInt32) {
        if first == 0x2F, peek() == 0x2A {
            _ = next()
            var last: UInt32 = 0
            while true {
                let character = next()
                if lastCharacterLength == 0 { return fail("comment not terminated") }
                if last == 0x2A && character == 0x2F { return }
                last = character
            }
        }
        if first == 0x2F, next() != 0x2F { return fail("expected '/' for comment") }
        while true {
            let character = next()
            if lastCharacterLength == 0 { return }
            if character == 10 { return unread() }
        }
    }

    /// After the opening quote. Quotes and newlines inside `${…}` belong to the text.
    private mutating func scanString() {
        var braces = 0
        while true {
            let character = next()
            if lastCharacterLength == 0 || character == 10 && braces == 0 { return fail("literal not terminated") }
            if character == 0x22 && braces == 0 { return }
            if braces == 0, character == 0x24, peek() == 0x7B {
                braces += 1
                _ = next()
            } else if braces > 0, character == 0x7B {
                braces += 1
            }
            if braces > 0, character == 0x7D { braces -= 1 }
            if character == 0x5C { scanEscape() }
        }
    }

    /// After the backslash.
    private mutating func scanEscape() {
        let character = next()
        switch character {
        case 0x61, 0x62, 0x66, 0x6E, 0x72, 0x74, 0x76, 0x5C, 0x22: return
        case 48...55: scanEscapedDigits(2, base: 8)
        case 0x78: scanEscapedDigits(2, base: 16)
        case 0x75: scanEscapedDigits(4, base: 16)
        case 0x55: scanEscapedDigits(8, base: 16)
        default:
            fail("illegal char escape")
            if lastCharacterLength > 0 { unread() }
        }
    }

    private mutating func scanEscapedDigits(_ count: Int, base: Int) {
        for _ in 0..<count {
            let character = peek()
            guard base == 8 ? character >= 48 && character <= 55 : Self.isHexadecimal(character) else { return fail("illegal char escape") }
            _ = next()
        }
    }

    /// After the first `<`.
    private mutating func scanHeredoc() {
        guard next() == 0x3C else { return fail("heredoc expected second '<', didn't see it") }
        if peek() == 0x2D { _ = next() }
        let anchorStart = offset
        while Self.isLetter(peek()) || Self.isDigit(peek()) { _ = next() }
        let anchor = source[anchorStart..<offset]
        if peek() == 0x0D { _ = next() }
        let character = next()
        if lastCharacterLength == 0 { return fail("heredoc not terminated") }
        if character != 10 { return fail("invalid characters in heredoc anchor") }
        if anchor.isEmpty { return fail("zero-length heredoc anchor") }
        var lineStart = offset
        while true {
            let character = next()
            if lastCharacterLength > 0 && character != 10 { continue }
            let lineEnd = offset - (lastCharacterLength > 0 ? 1 : 0)
            if isAnchor(source[lineStart..<lineEnd], anchor) { return }
            if lastCharacterLength == 0 { return fail("heredoc not terminated") }
            lineStart = offset
        }
    }

    private func isAnchor(_ line: ArraySlice<UInt8>, _ anchor: ArraySlice<UInt8>) -> Bool {
        var line = line.drop { $0 == 32 || $0 >= 9 && $0 <= 13 }
        while line.last == 13 { line = line.dropLast() }
        return line == anchor
    }
}
