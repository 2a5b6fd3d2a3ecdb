/// Numbers in Go's spelling, with the error texts of its `strconv`.
public enum GoNumber {
    /// `strconv.ParseUint(text, 10, bits)`.
    public static func parseUInt(_ text: String, bits: Int = 64) throws(TextError) -> UInt64 {
        let limit: UInt64 = bits >= 64 ? .max : (1 << UInt64(bits)) - 1
        switch magnitude(text.utf8[...]) {
        case .some(let value) where value <= limit: return value
        case .some: throw failure("ParseUint", text, "value out of range")
        case nil: throw failure("ParseUint", text, isDecimal(text.utf8[...]) ? "value out of range" : "invalid syntax")
        }
    }

    /// `strconv.ParseInt(text, 10, bits)`; `function` names the caller in the error text (`Atoi` has its own).
    public static func parseInt(_ text: String, bits: Int = 64, function: String = "ParseInt") throws(TextError) -> Int64 {
        var digits = text.utf8[...]
        let negative = digits.first == UInt8(ascii: "-")
        if negative || digits.first == UInt8(ascii: "+") { digits = digits.dropFirst() }
        let limit: UInt64 = (1 << UInt64(min(64, max(1, bits)) - 1)) - (negative ? 0 : 1)
        guard let value = magnitude(digits) else {
            throw failure(function, text, isDecimal(digits) ? "value out of range" : "invalid syntax")
        }
        if value > limit { throw failure(function, text, "value out of range") }
        return negative ? Int64(truncatingIfNeeded: 0 &- value) : Int64(value)
    }

    /// `strconv.Atoi`.
    public static func parseAtoi(_ text: String) throws(TextError) -> Int { Int(try parseInt(text, function: "Atoi")) }

    /// `strconv.ParseBool`.
    public static func parseBool(_ text: String) throws(TextError) -> Bool {
        switch text {
        case "1", "t", "T", "TRUE", "true", "True": return true
        case "0", "f", "F", "FALSE", "false", "False": return false
        default: throw failure("ParseBool", text, "invalid syntax")
        }
    }

    private static func failure(_ function: String, _ text: String, _ reason: String) -> TextError {
        TextError("strconv.\(function): parsing \(GoQuote.quote(text)): \(reason)")
    }

    private static func isDecimal(_ digits: Substring.UTF8View) -> Bool {
        !digits.isEmpty && digits.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
    }

    /// The value of a run of decimal digits, or nil if it is empty, has other bytes or does not fit.
    private static func magnitude(_ digits: Substring.UTF8View) -> UInt64? {
        var value: UInt64 = 0
        for byte in digits {
            guard byte >= 0x30 && byte <= 0x39 else { return nil }
            let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow2) = scaled.addingReportingOverflow(UInt64(byte &- 0x30))
            if overflow || overflow2 { return nil }
            value = sum
        }
        return digits.isEmpty ? nil : value
    }

    /// Where Go changes from plain to exponent form.
    public enum FloatStyle: Sendable {
        /// `encoding/json`: plain from 1e-6 up to 1e21, exponent without leading zero.
        case json
        /// `%v`: plain from 1e-4 up to 1e6, exponent of at least two digits.
        case general
    }

    /// The shortest decimal that reads back as `value`. Infinities and NaN as Go's `%v` prints them.
    public static func format(_ value: Double, _ style: FloatStyle = .general) -> String {
        var out: [UInt8] = []
        append(value, style, to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    static func append(_ value: Double, _ style: FloatStyle, to out: inout [UInt8]) {
        if !value.isFinite {
            out.append(text: value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf")
            return
        }
        if value.sign == .minus { out.append(UInt8(ascii: "-")) }
        if value == 0 {
            out.append(UInt8(ascii: "0"))
            return
        }
        // Swift prints the shortest digits too; only their arrangement differs.
        var digits: [UInt8] = []
        var point: Int?, exponent = 0
        var text = value.magnitude.description
        text.withUTF8 { bytes in
            for (at, byte) in bytes.enumerated() {
                if byte == UInt8(ascii: ".") {
                    point = digits.count
                } else if byte == UInt8(ascii: "e") {
                    exponent = Int(String(decoding: bytes[(at + 1)...], as: UTF8.self)) ?? 0
                    break
                } else {
                    digits.append(byte)
                }
            }
        }
        // The value is 0.d1d2d3... times 10 to the power of `place`.
        var place = (point ?? digits.count) + exponent
        let leading = digits.prefix { $0 == 0x30 }.count
        digits.removeFirst(leading)
        place -= leading
        while digits.last == 0x30 { digits.removeLast() }
        let scientific = style == .json ? place < -5 || place > 21 : place < -3 || place > 6
        if scientific { appendScientific(digits, place - 1, style, &out) } else { appendPlain(digits, place, &out) }
    }

    private static func appendPlain(_ digits: [UInt8], _ place: Int, _ out: inout [UInt8]) {
        if place <= 0 {
            out.append(text: "0.")
            out.append(contentsOf: repeatElement(0x30, count: -place))
            out.append(contentsOf: digits)
        } else {
            for at in 0..<max(place, digits.count) {
                if at == place { out.append(UInt8(ascii: ".")) }
                out.append(at < digits.count ? digits[at] : 0x30)
            }
        }
    }

    private static func appendScientific(_ digits: [UInt8], _ exponent: Int, _ style: FloatStyle, _ out: inout [UInt8]) {
        out.append(digits[0])
        if digits.count > 1 {
            out.append(UInt8(ascii: "."))
            out.append(contentsOf: digits[1...])
        }
        out.append(UInt8(ascii: "e"))
        out.append(UInt8(ascii: exponent < 0 ? "-" : "+"))
        // JSON drops the zero of negative one-digit exponents only; positive ones there have two digits anyway.
        if exponent.magnitude < 10 && style == .general { out.append(0x30) }
        out.append(decimal: UInt64(exponent.magnitude))
    }
}
