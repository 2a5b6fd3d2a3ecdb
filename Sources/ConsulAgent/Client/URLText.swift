import Core

/// Percent-encoding as Go's `net/url` does it.
enum URLText {
    /// A path: `/` and the characters that have no meaning of their own in paths stay.
    static func path(_ text: String) -> String { escaped(text, keeping: "-_.~$&+,/:;=@") }

    /// One segment of a path: `/` is escaped too.
    static func segment(_ text: String) -> String { escaped(text, keeping: "-_.~$&+:=@") }

    /// A name or value of a query.
    static func query(_ text: String) -> String {
        var result: [UInt8] = []
        for byte in text.utf8 {
            if byte == UInt8(ascii: " ") { result.append(UInt8(ascii: "+")) } else { append(byte, keeping: "-_.~", to: &result) }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func escaped(_ text: String, keeping kept: StaticString) -> String {
        var result: [UInt8] = []
        for byte in text.utf8 { append(byte, keeping: kept, to: &result) }
        return String(decoding: result, as: UTF8.self)
    }

    private static func append(_ byte: UInt8, keeping kept: StaticString, to result: inout [UInt8]) {
        let isKept =
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: kept.withUTF8Buffer { $0.contains(byte) }
            }
        if isKept { return result.append(byte) }
        result += Hex.percent(byte)
    }
}
