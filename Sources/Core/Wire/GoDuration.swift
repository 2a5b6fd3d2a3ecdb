/// Lengths of time in Go's spelling, such as `1h15m30.5s`. Spec: http-1 §1.11.
public enum GoDuration {
    /// The length that the text spells. Throws Go's words for what is wrong with it.
    public static func parse(_ text: String) throws(TextError) -> Duration {
        let result: Result<Int64, Failure> = nanoseconds(text.utf8.span)
        switch result {
        case .success(let nanoseconds): return .nanoseconds(nanoseconds)
        case .failure(.invalid): throw TextError("time: invalid duration \(GoQuote.quote(text))")
        case .failure(.missingUnit): throw TextError("time: missing unit in duration \(GoQuote.quote(text))")
        case .failure(.unknownUnit(let unit)):
            throw TextError("time: unknown unit \(GoQuote.quote(unit)) in duration \(GoQuote.quote(text))")
        }
    }

    private enum Failure: Error {
        case invalid
        case missingUnit
        case unknownUnit(String)
    }

    private static func nanoseconds(_ bytes: Span<UInt8>) -> Result<Int64, Failure> {
        var at = 0
        var negative = false
        if bytes.count > 0, bytes[0] == UInt8(ascii: "-") || bytes[0] == UInt8(ascii: "+") {
            negative = bytes[0] == UInt8(ascii: "-")
            at = 1
        }
        if bytes.count - at == 1 && bytes[at] == UInt8(ascii: "0") { return .success(0) }
        if at == bytes.count { return .failure(.invalid) }
        var total: Int64 = 0
        while at < bytes.count {
            switch component(bytes, &at) {
            case .failure(let failure): return .failure(failure)
            case .success(let part):
                let (sum, overflow) = total.addingReportingOverflow(part)
                if overflow { return .failure(.invalid) }
                total = sum
            }
        }
        return .success(negative ? -total : total)
    }

    /// One number with its unit.
    private static func component(_ bytes: Span<UInt8>, _ at: inout Int) -> Result<Int64, Failure> {
        var whole: Int64 = 0, digits = 0
        while at < bytes.count, let digit = decimal(bytes[at]) {
            let (scaled, overflow) = whole.multipliedReportingOverflow(by: 10)
            let (sum, overflow2) = scaled.addingReportingOverflow(digit)
            if overflow || overflow2 { return .failure(.invalid) }
            whole = sum
            digits += 1
            at += 1
        }
        var fraction: Int64 = 0
        var scale = 1.0
        if at < bytes.count && bytes[at] == UInt8(ascii: ".") {
            at += 1
            var exact = true
            while at < bytes.count, let digit = decimal(bytes[at]) {
                // Digits beyond what 64 bits hold do not count, as in Go.
                exact = exact && fraction < Int64.max / 10
                if exact {
                    fraction = fraction * 10 + digit
                    scale *= 10
                }
                digits += 1
                at += 1
            }
        }
        if digits == 0 { return .failure(.invalid) }
        let start = at
        while at < bytes.count && bytes[at] != UInt8(ascii: ".") && decimal(bytes[at]) == nil { at += 1 }
        if at == start { return .failure(.missingUnit) }
        let name = UTF8Text.repaired(bytes.extracting(start..<at))
        guard let unit = unit(name) else { return .failure(.unknownUnit(name)) }
        let (scaled, overflow) = whole.multipliedReportingOverflow(by: unit)
        let (sum, overflow2) = scaled.addingReportingOverflow(Int64(Double(fraction) * (Double(unit) / scale)))
        return overflow || overflow2 ? .failure(.invalid) : .success(sum)
    }

    @inline(__always)
    private static func decimal(_ byte: UInt8) -> Int64? { byte >= 0x30 && byte <= 0x39 ? Int64(byte &- 0x30) : nil }

    private static func unit(_ name: String) -> Int64? {
        switch name {
        case "ns": 1
        case "us", "\u{B5}s", "\u{3BC}s": 1_000
        case "ms": 1_000_000
        case "s": 1_000_000_000
        case "m": 60_000_000_000
        case "h": 3_600_000_000_000
        default: nil
        }
    }

    /// Go's shortest spelling: `72h3m0.5s`, `1m0s`, `1.5s`, `100ms`, `0s`.
    public static func format(_ duration: Duration) -> String {
        let nanoseconds = duration.nanoseconds
        if nanoseconds == 0 { return "0s" }
        let length = nanoseconds.magnitude
        var out: [UInt8] = []
        if nanoseconds < 0 { out.append(UInt8(ascii: "-")) }
        if length < 1_000 {
            append(length, per: 1, "ns", &out)
        } else if length < 1_000_000 {
            append(length, per: 1_000, "\u{B5}s", &out)
        } else if length < 1_000_000_000 {
            append(length, per: 1_000_000, "ms", &out)
        } else {
            let minutes = length / 60_000_000_000
            if minutes >= 60 {
                out.append(decimal: minutes / 60)
                out.append(UInt8(ascii: "h"))
            }
            if minutes > 0 {
                out.append(decimal: minutes % 60)
                out.append(UInt8(ascii: "m"))
            }
            append(length % 60_000_000_000, per: 1_000_000_000, "s", &out)
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func append(_ length: UInt64, per unit: UInt64, _ name: StaticString, _ out: inout [UInt8]) {
        out.append(decimal: length / unit)
        var rest = length % unit
        var place = unit / 10
        if rest > 0 { out.append(UInt8(ascii: ".")) }
        while rest > 0 {
            out.append(UInt8(truncatingIfNeeded: 0x30 + rest / place))
            rest %= place
            place /= 10
        }
        out.append(text: name)
    }
}
