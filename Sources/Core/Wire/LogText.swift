/// Log lines as the reference writes them: a text, then pairs: `Synced service: service=web`. Spec: cli §5.5.
public enum LogText {
    /// The value of a pair: between double quotes if it has blanks or line breaks, without escapes.
    public static func value(_ text: String) -> String {
        text.utf8.contains { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D } ? "\"\(text)\"" : text
    }

    /// A list as the value of a pair: `["a", "b"]`.
    public static func list(_ texts: [String]) -> String { "[" + texts.map { GoQuote.quote($0) }.joined(separator: ", ") + "]" }

    /// The text of a message, and the pairs at its end for those who show them apart. A message that does not end in pairs is all text.
    ///
    /// Values have no escapes: one that has a quote and the beginning of another pair in itself is taken for two.
    public static func split(_ message: String) -> (text: String, pairs: [(key: String, value: DynamicValue)]) {
        let bytes = Array(message.utf8)
        var places = 0
        for at in bytes.indices.dropLast() where bytes[at] == UInt8(ascii: ":") && bytes[at + 1] == 0x20 {
            places += 1
            if places > placesMax { break }
            if let pairs = pairs(bytes[(at + 2)...]) { return (String(repairing: bytes[..<at]), pairs) }
        }
        return (message, [])
    }

    /// Places where pairs may begin that are looked at, and pairs: a message may be long, and what is in it somebody else's.
    private static let placesMax = 16
    private static let pairsMax = 32

    private static func pairs(_ bytes: ArraySlice<UInt8>) -> [(key: String, value: DynamicValue)]? {
        var found: [(key: String, value: DynamicValue)] = []
        var rest = bytes
        repeat {
            guard found.count < pairsMax, let start = valueStart(rest) else { return nil }
            let key = String(repairing: rest[..<(start - 1)])
            let end: Int
            if rest[start...].first == UInt8(ascii: "\"") {
                guard let quote = closing(UInt8(ascii: "\""), in: rest[(start + 1)...]) else { return nil }
                found.append((key, .string(String(repairing: rest[(start + 1)..<quote]))))
                end = quote + 1
            } else if let list = list(rest[start...]) {
                found.append((key, list.value))
                end = list.end
            } else {
                end = rest[start...].firstIndex(of: 0x20) ?? rest.endIndex
                let text = String(repairing: rest[start..<end])
                let number = Int64(text).flatMap { "\($0)" == text ? DynamicValue.int($0) : nil }
                found.append((key, number ?? .string(text)))
            }
            rest = rest[end...].dropFirst()
        } while !rest.isEmpty
        return found
    }

    /// The list that the bytes begin with; an address may begin with a bracket as well.
    private static func list(_ bytes: ArraySlice<UInt8>) -> (value: DynamicValue, end: Int)? {
        guard bytes.first == UInt8(ascii: "["), let bracket = closing(UInt8(ascii: "]"), in: bytes.dropFirst()),
            let value = try? JSON.parse(Array(bytes[...bracket]))
        else { return nil }
        return (value, bracket + 1)
    }

    /// Where the value begins, if a pair does: behind `key=`.
    private static func valueStart(_ bytes: ArraySlice<UInt8>) -> Int? {
        let mark = bytes.firstIndex { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"): false
            default: true
            }
        }
        guard let mark, mark > bytes.startIndex, bytes[mark] == UInt8(ascii: "=") else { return nil }
        return mark + 1
    }

    /// The place of the byte that ends a value: the message ends behind it, or another pair begins.
    private static func closing(_ byte: UInt8, in bytes: ArraySlice<UInt8>) -> Int? {
        bytes.indices.first { at in
            let rest = bytes[(at + 1)...]
            return bytes[at] == byte && (rest.isEmpty || rest.first == 0x20 && valueStart(rest.dropFirst()) != nil)
        }
    }

    /// Appends a message as lines of text show it.
    ///
    /// Errors are lists with an error a line. Since some of them tell what a client or another agent has said, a line break is kept only
    /// where the next line cannot be taken for one of the log's own: where it is empty or begins with a tab or the quote that ends a value.
    /// What else cannot be printed is escaped as Go's `%q` does: a terminal would take it for commands.
    public static func append(_ message: String, to out: inout [UInt8]) {
        var breaks = 0
        for byte in printable(message).utf8 {
            if byte == 0x0A {
                breaks += 1
                continue
            }
            let isKept = byte == 0x09 || byte == UInt8(ascii: "\"")
            out.append(contentsOf: repeatElement(isKept ? 0x0A : 0x20, count: breaks))
            breaks = 0
            out.append(byte == 0x0D ? 0x20 : byte)
        }
        out.append(contentsOf: repeatElement(0x0A, count: breaks))
    }

    private static func isBreak(_ value: UInt32) -> Bool { value == 0x0A || value == 0x0D || value == 0x09 }

    /// The text with escapes for what cannot be printed, but for tabs and line breaks.
    private static func printable(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F || isBreak(UInt32($0)) }) { return text }
        var out = ""
        for scalar in text.unicodeScalars {
            if isBreak(scalar.value) || GoQuote.isPrintable(scalar) {
                out.unicodeScalars.append(scalar)
            } else {
                out += GoQuote.escaped(scalar)
            }
        }
        return out
    }
}
