/// What is wrong with a base64 text.
public struct Base64Error: Error, Hashable, Sendable {
    /// Of the offending byte.
    public var offset: Int
    /// What was decoded before it.
    public var partial: [UInt8]
    public var text: String { "illegal base64 data at input byte \(offset)" }
}

/// Standard base64 with padding (RFC 4648 §4), with Go's tolerance of line ends and its error offsets.
public enum Base64 {
    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        var out: [UInt8] = []
        append(Array(bytes), to: &out)
        return String(decoding: out, as: UTF8.self)
    }

    /// Appends the base64 of `bytes` to `out`.
    public static func append(_ bytes: [UInt8], to out: inout [UInt8]) {
        append(bytes.span, to: &out)
    }

    static func append(_ bytes: Span<UInt8>, to out: inout [UInt8]) {
        out.reserveCapacity(out.count + (bytes.count + 2) / 3 * 4)
        var at = 0
        while at + 3 <= bytes.count {
            let group = UInt32(bytes[at]) << 16 | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2])
            out.append(symbol(group >> 18))
            out.append(symbol(group >> 12))
            out.append(symbol(group >> 6))
            out.append(symbol(group))
            at += 3
        }
        let rest = bytes.count - at
        if rest > 0 {
            let group = UInt32(bytes[at]) << 16 | (rest == 2 ? UInt32(bytes[at + 1]) << 8 : 0)
            out.append(symbol(group >> 18))
            out.append(symbol(group >> 12))
            out.append(rest == 2 ? symbol(group >> 6) : UInt8(ascii: "="))
            out.append(UInt8(ascii: "="))
        }
    }

    @inline(__always)
    private static func symbol(_ bits: UInt32) -> UInt8 {
        let value = UInt8(truncatingIfNeeded: bits & 63)
        switch value {
        case 0..<26: return value &+ 65
        case 26..<52: return value &+ 71
        case 52..<62: return value &- 4
        case 62: return UInt8(ascii: "+")
        default: return UInt8(ascii: "/")
        }
    }

    @inline(__always)
    private static func value(_ symbol: UInt8) -> UInt32? {
        switch symbol {
        case 65...90: UInt32(symbol &- 65)
        case 97...122: UInt32(symbol &- 71)
        case 48...57: UInt32(symbol &+ 4)
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }

    public static func decode(_ text: String) throws(Base64Error) -> [UInt8] {
        try decode(Array(text.utf8))
    }

    public static func decode(_ text: [UInt8]) throws(Base64Error) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(text.count / 4 * 3)
        var at = 0
        while try decodeGroup(text, &at, &out) {}
        return out
    }

    private static func isLineEnd(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") }

    /// Decodes four symbols; false at the end of the text.
    private static func decodeGroup(_ text: [UInt8], _ at: inout Int, _ out: inout [UInt8]) throws(Base64Error) -> Bool {
        var group: UInt32 = 0
        var symbols = 0
        while symbols < 4 {
            if at == text.count {
                if symbols == 0 { return false }
                throw Base64Error(offset: at - symbols, partial: out)
            }
            let byte = text[at]
            at += 1
            if let bits = value(byte) {
                group = group << 6 | bits
                symbols += 1
            } else if byte == UInt8(ascii: "=") {
                try endWithPadding(text, &at, &out, group, symbols)
                return false
            } else if !isLineEnd(byte) {
                throw Base64Error(offset: at - 1, partial: out)
            }
        }
        out.append(UInt8(truncatingIfNeeded: group >> 16))
        out.append(UInt8(truncatingIfNeeded: group >> 8))
        out.append(UInt8(truncatingIfNeeded: group))
        return true
    }

    /// The first `=` was just read; what follows may only be the second one and line ends.
    private static func endWithPadding(
        _ text: [UInt8], _ at: inout Int, _ out: inout [UInt8], _ group: UInt32, _ symbols: Int
    ) throws(Base64Error) {
        if symbols < 2 { throw Base64Error(offset: at - 1, partial: out) }
        if symbols == 2 {
            while at < text.count && isLineEnd(text[at]) { at += 1 }
            if at == text.count { throw Base64Error(offset: at, partial: out) }
            if text[at] != UInt8(ascii: "=") { throw Base64Error(offset: at - 1, partial: out) }
            at += 1
            out.append(UInt8(truncatingIfNeeded: group >> 4))
        } else {
            out.append(UInt8(truncatingIfNeeded: group >> 10))
            out.append(UInt8(truncatingIfNeeded: group >> 2))
        }
        while at < text.count && isLineEnd(text[at]) { at += 1 }
        if at < text.count { throw Base64Error(offset: at, partial: out) }
    }
}
