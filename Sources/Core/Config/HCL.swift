/// HashiCorp's configuration language, version 1, as far as configuration files use it. Spec: config §2.2.
public enum HCL {
    /// How deep objects and lists may be nested.
    public static let depthLimit = 100

    /// Reads a file.
    ///
    /// The tree has the shape that version 1 of the language prescribes:
    /// - The file is a `.map`; an attribute `a = 1` is a member with a `.int`, `.double`, `.bool` or `.string`, a list an `.array`.
    /// - An object is an `.array` of `.map`s, since blocks may repeat: `a { x = 1 }` and `a = { x = 1 }` are
    ///   `{"a": [{"x": 1}]}`, and repeating the block appends another map, in the order of the file.
    /// - An object that is an element of a list is a plain `.map`: `a = [{ x = 1 }]` also reads `{"a": [{"x": 1}]}`.
    /// - A label is an object around the block: `a "b" { x = 1 }` reads `{"a": [{"b": [{"x": 1}]}]}`.
    /// - An attribute given twice keeps its last value; lists given twice are concatenated.
    ///
    /// A text that begins with `{` is JSON; its objects stay plain `.map`s.
    ///
    /// Errors are those of the reference, `At <line>:<column>: <message>`.
    public static func parse(_ text: [UInt8]) throws(HCLError) -> DynamicValue {
        if looksLikeJSON(text) {
            do {
                return try JSON.parseDocument(text)
            } catch {
                throw HCLError(line: 0, column: 0, message: error.documentText)
            }
        }
        var parser = HCLParser(text)
        return .map(try parser.parse())
    }

    /// Whether the first character that is not blank opens an object.
    static func looksLikeJSON(_ text: [UInt8]) -> Bool {
        for byte in text {
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"), 0x0B, 0x0C: continue
            default: return byte == UInt8(ascii: "{")
            }
        }
        return false
    }
}

/// What is wrong with a text, and where: line and column count from 1 and are 0 where no place is known.
public struct HCLError: Error, Hashable, Sendable, CustomStringConvertible {
    public var line: Int
    public var column: Int
    public var message: String

    public init(line: Int, column: Int, message: String) {
        self.line = line
        self.column = column
        self.message = message
    }

    public var description: String { line == 0 ? message : "At \(line):\(column): \(message)" }
}
