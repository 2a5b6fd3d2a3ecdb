/// Go's `strconv.Unquote` for what stands between double quotes.
enum GoUnquote {
    /// Nil if it is no Go string: a line end, a quote, an unknown escape.
    static func unquote(_ text: ArraySlice<UInt8>) -> String? {
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var rest = text
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\n"), UInt8(ascii: "\""): return nil
            case UInt8(ascii: "\\"): guard escape(&rest, &out) else { return nil }
            default: out.append(byte)
            }
        }
        return String(repairing: out)
    }

    private static func escape(_ rest: inout ArraySlice<UInt8>, _ out: inout [UInt8]) -> Bool {
        guard let letter = rest.popFirst() else { return false }
        switch letter {
        case UInt8(ascii: "a"): out.append(0x07)
        case UInt8(ascii: "b"): out.append(0x08)
        case UInt8(ascii: "f"): out.append(0x0C)
        case UInt8(ascii: "n"): out.append(0x0A)
        case UInt8(ascii: "r"): out.append(0x0D)
        case UInt8(ascii: "t"): out.append(0x09)
        case UInt8(ascii: "v"): out.append(0x0B)
        case UInt8(ascii: "\\"), UInt8(ascii: "\""): out.append(letter)
        case UInt8(ascii: "x"):
            guard let value = hexadecimal(&rest, digits: 2) else { return false }
            out.append(UInt8(value))
        case UInt8(ascii: "u"), UInt8(ascii: "U"):
            guard let value = hexadecimal(&rest, digits: letter == UInt8(ascii: "u") ? 4 : 8), let scalar = Unicode.Scalar(value) else {
                return false
            }
            out += String(scalar).utf8
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            guard rest.count >= 2 else { return false }
            var value = UInt32(letter - UInt8(ascii: "0"))
            for _ in 0..<2 {
                let digit = rest.removeFirst()
                guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "7") else { return false }
                value = value * 8 + UInt32(digit - UInt8(ascii: "0"))
            }
            guard value <= 255 else { return false }
            out.append(UInt8(value))
        default: return false
        }
        return true
    }

    private static func hexadecimal(_ rest: inout ArraySlice<UInt8>, digits: Int) -> UInt32? {
        guard rest.count >= digits else { return nil }
        var value: UInt32 = 0
        for _ in 0..<digits {
            guard let digit = hexValue(rest.removeFirst()), value < 1 << 28 else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}
