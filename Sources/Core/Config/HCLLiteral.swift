/// The values of HCL's literals.
enum HCLLiteral {
    /// Decimal, `0x` hexadecimal or leading-0 octal with an optional minus; nil beyond 64 bits.
    static func integer(_ text: ArraySlice<UInt8>) -> Int64? {
        var digits = text
        let isNegative = digits.first == UInt8(ascii: "-")
        if isNegative { digits = digits.dropFirst() }
        var base: Int64 = 10
        if digits.count > 1, digits.first == UInt8(ascii: "0") {
            digits = digits.dropFirst()
            base = 8
            if let mark = digits.first, mark | 0x20 == UInt8(ascii: "x") {
                digits = digits.dropFirst()
                base = 16
            }
        }
        var value: Int64 = 0
        for digit in digits {
            guard let digit = hexValue(digit), Int64(digit) < base else { return nil }
            let (scaled, overflow) = value.multipliedReportingOverflow(by: base)
            let (sum, overflow2) = scaled.subtractingReportingOverflow(Int64(digit))
            if overflow || overflow2 { return nil }
            value = sum
        }
        if isNegative { return value }
        return value == .min ? nil : -value
    }

    /// What a quoted text stands for, given without its quotes; `${…}` stays as it is. nil if an escape is invalid.
    static func unquoted(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var at = text.startIndex
        while at < text.endIndex {
            let byte = text[at]
            if byte == UInt8(ascii: "$"), at + 1 < text.endIndex, text[at + 1] == UInt8(ascii: "{") {
                let end = interpolationEnd(text, from: at + 2)
                result += text[at..<end]
                at = end
            } else if byte == UInt8(ascii: "\\") {
                guard let next = appendEscape(text, at: at + 1, to: &result) else { return nil }
                at = next
            } else {
                result.append(byte)
                at += 1
            }
        }
        return result
    }

    private static func interpolationEnd(_ text: ArraySlice<UInt8>, from start: Int) -> Int {
        var braces = 1
        var at = start
        while at < text.endIndex, braces > 0 {
            if text[at] == UInt8(ascii: "{") { braces += 1 }
            if text[at] == UInt8(ascii: "}") { braces -= 1 }
            at += 1
        }
        return at
    }

    /// Returns the position after the escape whose letter is at `at`.
    private static func appendEscape(_ text: ArraySlice<UInt8>, at: Int, to result: inout [UInt8]) -> Int? {
        guard at < text.endIndex else { return nil }
        switch text[at] {
        case UInt8(ascii: "a"): result.append(7)
        case UInt8(ascii: "b"): result.append(8)
        case UInt8(ascii: "f"): result.append(12)
        case UInt8(ascii: "n"): result.append(10)
        case UInt8(ascii: "r"): result.append(13)
        case UInt8(ascii: "t"): result.append(9)
        case UInt8(ascii: "v"): result.append(11)
        case UInt8(ascii: "\\"), UInt8(ascii: "\""): result.append(text[at])
        case UInt8(ascii: "x"): return appendNumber(text, at: at + 1, digits: 2, base: 16, isScalar: false, to: &result)
        case UInt8(ascii: "u"): return appendNumber(text, at: at + 1, digits: 4, base: 16, isScalar: true, to: &result)
        case UInt8(ascii: "U"): return appendNumber(text, at: at + 1, digits: 8, base: 16, isScalar: true, to: &result)
        case UInt8(ascii: "0")...UInt8(ascii: "7"): return appendNumber(text, at: at, digits: 3, base: 8, isScalar: false, to: &result)
        default: return nil
        }
        return at + 1
    }

    private static func appendNumber(
        _ text: ArraySlice<UInt8>, at: Int, digits: Int, base: UInt32, isScalar: Bool, to result: inout [UInt8]
    ) -> Int? {
        guard text.endIndex - at >= digits else { return nil }
        var value: UInt32 = 0
        for byte in text[at..<at + digits] {
            guard let digit = hexValue(byte), UInt32(digit) < base else { return nil }
            value = value * base + UInt32(digit)
        }
        if isScalar {
            guard value <= 0x10FFFF else { return nil }
            result += Array(String(Unicode.Scalar(value) ?? "\u{FFFD}").utf8)
        } else {
            guard value <= 255 else { return nil }
            result.append(UInt8(value))
        }
        return at + digits
    }

    /// The lines between `<<TAG` and the closing tag. After `<<-TAG` the closing tag's indentation is removed from every line, if every
    /// line has it.
    static func heredoc(_ token: ArraySlice<UInt8>) -> [UInt8] {
        guard let headEnd = token.firstIndex(of: 10) else { return [] }
        let isIndented = token[token.startIndex + 2] == UInt8(ascii: "-")
        var body = token[(headEnd + 1)...]
        if body.last == 10 { body = body.dropLast() }
        let closingStart = body.lastIndex(of: 10).map { $0 + 1 } ?? body.startIndex
        let indentation = body[closingStart...].prefix { $0 == 32 || $0 == 9 }
        let lines = body[..<closingStart]
        guard isIndented else { return Array(lines) + indentation }
        var result: [UInt8] = []
        var lineStart = lines.startIndex
        while let lineEnd = lines[lineStart...].firstIndex(of: 10) {
            let line = lines[lineStart...lineEnd]
            guard line.starts(with: indentation) else { return Array(lines) }
            result += line.dropFirst(indentation.count)
            lineStart = lineEnd + 1
        }
        return result
    }
}
