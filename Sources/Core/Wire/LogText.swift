/// Log lines as the reference writes them: a text, then pairs: `Synced service: service=web`. Spec: cli §5.5.
public enum LogText {
    /// The value of a pair: between double quotes if it has blanks or line breaks, without escapes.
    public static func value(_ text: String) -> String {
        text.utf8.contains { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D } ? "\"\(text)\"" : text
    }

    /// A list as the value of a pair: `["a", "b"]`.
    public static func list(_ texts: [String]) -> String { "[" + texts.map { GoQuote.quote($0) }.joined(separator: ", ") + "]" }

    /// Appends a message as lines of text show it.
    ///
    /// Errors are lists with an error a line. Since some of them tell what a client or another agent has said, a line break is kept only
    /// where the next line cannot be taken for one of the log's own: where it is empty or begins with a tab or the quote that ends a value.
    public static func append(_ message: String, to out: inout [UInt8]) {
        var breaks = 0
        for byte in message.utf8 {
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
}
