/// Go's `%q`: text between double quotes, with escapes for what cannot be printed.
public enum GoQuote {
    public static func quote(_ text: String) -> String { "\"" + escape(text, quote: "\"") + "\"" }

    /// As the JSON decoder quotes an offending byte, read as Latin-1: `'x'`.
    static func character(_ byte: UInt8) -> String {
        switch byte {
        case UInt8(ascii: "'"): #"'\''"#
        case UInt8(ascii: "\""): #"'"'"#
        default: "'" + escape(String(Unicode.Scalar(byte)), quote: "\"") + "'"
        }
    }

    private static func escape(_ text: String, quote: Unicode.Scalar) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case quote, "\\":
                out.unicodeScalars.append("\\")
                out.unicodeScalars.append(scalar)
            default: if isPrintable(scalar) { out.unicodeScalars.append(scalar) } else { out += escaped(scalar) }
            }
        }
        return out
    }

    /// The escape of something that cannot be printed.
    static func escaped(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\u{07}": "\\a"
        case "\u{08}": "\\b"
        case "\u{0C}": "\\f"
        case "\n": "\\n"
        case "\r": "\\r"
        case "\t": "\\t"
        case "\u{0B}": "\\v"
        default:
            if scalar.value < 0x80 {
                "\\x" + hex(scalar.value, digits: 2)
            } else if scalar.value < 0x10000 {
                "\\u" + hex(scalar.value, digits: 4)
            } else {
                "\\U" + hex(scalar.value, digits: 8)
            }
        }
    }

    private static func hex(_ value: UInt32, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }

    /// Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space.
    public static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x7F { return scalar.value >= 0x20 }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .spaceSeparator, .lineSeparator, .paragraphSeparator: return false
        default: return true
        }
    }
}
