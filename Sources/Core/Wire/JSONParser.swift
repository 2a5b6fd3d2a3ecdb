/// Why a text is no JSON.
public struct JSONError: Error, Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        /// Nothing but white space.
        case empty
        /// The text ends inside a value.
        case truncated
        case syntax(String)
    }
    public var reason: Reason
    /// Of the byte at which it was noticed.
    public var offset: Int

    /// In the words of Go's `json.Decoder`, which reads request bodies.
    public var text: String {
        switch reason {
        case .empty: "EOF"
        case .truncated: "unexpected EOF"
        case .syntax(let text): text
        }
    }

    /// In the words of Go's `json.Unmarshal`, which reads files.
    public var documentText: String {
        switch reason {
        case .empty, .truncated: "unexpected end of JSON input"
        case .syntax(let text): text
        }
    }
}

/// JSON with Go's rules and error texts (http-1 §1.6).
public enum JSON {
    /// Of containers within containers. Go allows 10,000; values that deep would need more stack than a thread has when they are released.
    public static let depthLimit = 1_000

    /// Of values in a request, each element and member counting: more than any request needs, and some 50 ms of work.
    public static let requestValuesMax = 100_000

    /// The first value of the text; what follows it is ignored.
    public static func parse(_ bytes: [UInt8]) throws(JSONError) -> DynamicValue { try parsePrefix(bytes).value }

    /// The same, of a stranger's text: with more than `valuesMax` values it is refused where they are passed.
    public static func parse(_ bytes: [UInt8], valuesMax: Int) throws(JSONError) -> DynamicValue {
        var parser = JSONParser(bytes: bytes, at: 0, valuesMax: valuesMax)
        return try parser.parse()
    }

    public static func parse(_ text: String) throws(JSONError) -> DynamicValue { try parse(Array(text.utf8)) }

    /// The first value of the text and the offset of the first byte after it.
    ///
    /// Numbers without fraction and exponent are `.int`, or `.uint` above `Int64.max`; all others are `.double`. Objects keep every member.
    public static func parsePrefix(_ bytes: [UInt8], from start: Int = 0) throws(JSONError) -> (value: DynamicValue, end: Int) {
        var parser = JSONParser(bytes: bytes, at: start)
        let value = try parser.parse()
        return (value, parser.at)
    }

    /// The one value of a text that has nothing but white space after it.
    public static func parseDocument(_ bytes: [UInt8]) throws(JSONError) -> DynamicValue {
        var parser = JSONParser(bytes: bytes, at: 0)
        let value = try parser.parse()
        if let byte = parser.peek() { throw parser.unexpected(byte, "after top-level value") }
        return value
    }
}

/// Parses one value without recursion: open containers are on a stack of their own.
private struct JSONParser {
    let bytes: [UInt8]
    var at: Int

    private struct Container {
        var isObject: Bool
        /// Where its members start in `values` and `names`.
        var values: Int
        var names: Int
    }

    private var open: [Container] = []
    /// Finished values of all open containers, and the names of those in objects.
    private var values: [DynamicValue] = []
    private var names: [String] = []
    /// How many more values there may be.
    private var valuesLeft: Int

    init(bytes: [UInt8], at: Int, valuesMax: Int = .max) {
        self.bytes = bytes
        self.at = at
        valuesLeft = valuesMax
    }

    func unexpected(_ byte: UInt8, _ context: String) -> JSONError {
        JSONError(reason: .syntax("invalid character \(GoQuote.character(byte)) \(context)"), offset: at)
    }

    private var truncated: JSONError { JSONError(reason: .truncated, offset: at) }

    /// The next byte that is no white space.
    @inline(__always)
    mutating func peek() -> UInt8? {
        while at < bytes.count {
            let byte = bytes[at]
            if byte > 0x20 || (byte != 0x20 && byte != 0x0A && byte != 0x0D && byte != 0x09) { return byte }
            at &+= 1
        }
        return nil
    }

    mutating func parse() throws(JSONError) -> DynamicValue {
        if peek() == nil { throw JSONError(reason: .empty, offset: at) }
        while true {
            if try beginValue() {
                // A value is complete: close what it completes, up to the next comma.
                if try endValues() { return values[0] }
            }
        }
    }

    /// Reads a scalar or opens a container. True when a value is complete.
    private mutating func beginValue() throws(JSONError) -> Bool {
        guard let byte = peek() else { throw truncated }
        if valuesLeft == 0 { throw JSONError(reason: .syntax("too many values"), offset: at) }
        valuesLeft -= 1
        switch byte {
        case UInt8(ascii: "{"):
            try push(isObject: true)
            guard let next = peek() else { throw truncated }
            if next != UInt8(ascii: "}") {
                try key()
                return false
            }
            at += 1
            pop()
        case UInt8(ascii: "["):
            try push(isObject: false)
            guard let next = peek() else { throw truncated }
            if next != UInt8(ascii: "]") { return false }
            at += 1
            pop()
        case UInt8(ascii: "\""): values.append(.string(try string()))
        case UInt8(ascii: "t"):
            try word("true")
            values.append(.bool(true))
        case UInt8(ascii: "f"):
            try word("false")
            values.append(.bool(false))
        case UInt8(ascii: "n"):
            try word("null")
            values.append(.null)
        case UInt8(ascii: "-"), 0x30...0x39: values.append(try number())
        default: throw unexpected(byte, "looking for beginning of value")
        }
        return true
    }

    /// After a complete value: true if it was the outermost one, false if another member follows.
    private mutating func endValues() throws(JSONError) -> Bool {
        while let container = open.last {
            guard let byte = peek() else { throw truncated }
            if byte == UInt8(ascii: ",") {
                at += 1
                if container.isObject { try key() }
                return false
            }
            guard byte == UInt8(ascii: container.isObject ? "}" : "]") else {
                throw unexpected(byte, container.isObject ? "after object key:value pair" : "after array element")
            }
            at += 1
            pop()
        }
        return true
    }

    private mutating func push(isObject: Bool) throws(JSONError) {
        at += 1
        if open.count == JSON.depthLimit { throw JSONError(reason: .syntax("exceeded max depth"), offset: at) }
        open.append(Container(isObject: isObject, values: values.count, names: names.count))
    }

    private mutating func pop() {
        let container = open.removeLast()
        let members = values[container.values...]
        let value: DynamicValue
        if container.isObject {
            value = .map(zip(names[container.names...], members).map { DynamicMember($0, $1) })
            names.removeSubrange(container.names...)
        } else {
            value = .array(Array(members))
        }
        values.removeSubrange(container.values...)
        values.append(value)
    }

    /// A member's name and the colon after it.
    private mutating func key() throws(JSONError) {
        guard let byte = peek() else { throw truncated }
        if byte != UInt8(ascii: "\"") { throw unexpected(byte, "looking for beginning of object key string") }
        names.append(try string())
        guard let colon = peek() else { throw truncated }
        if colon != UInt8(ascii: ":") { throw unexpected(colon, "after object key") }
        at += 1
    }

    private mutating func word(_ word: StaticString) throws(JSONError) {
        for offset in 0..<word.utf8CodeUnitCount {
            let expected = word.utf8Start[offset]
            guard at < bytes.count else { throw truncated }
            if bytes[at] != expected {
                throw unexpected(bytes[at], "in literal \(word) (expecting \(GoQuote.character(expected)))")
            }
            at += 1
        }
    }

    // MARK: Numbers

    private mutating func digits(_ context: String) throws(JSONError) {
        guard at < bytes.count else { throw truncated }
        guard bytes[at] >= 0x30 && bytes[at] <= 0x39 else { throw unexpected(bytes[at], context) }
        while at < bytes.count, bytes[at] >= 0x30 && bytes[at] <= 0x39 { at += 1 }
    }

    private mutating func number() throws(JSONError) -> DynamicValue {
        let start = at
        if bytes[at] == UInt8(ascii: "-") { at += 1 }
        if at < bytes.count && bytes[at] == UInt8(ascii: "0") { at += 1 } else { try digits("in numeric literal") }
        var isInteger = true
        if at < bytes.count && bytes[at] == UInt8(ascii: ".") {
            isInteger = false
            at += 1
            try digits("after decimal point in numeric literal")
        }
        if at < bytes.count && bytes[at] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            at += 1
            if at < bytes.count && (bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-")) { at += 1 }
            try digits("in exponent of numeric literal")
        }
        if isInteger, let value = integer(start) { return value }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        guard let value = Double(text), value.isFinite else {
            let reason = "json: cannot unmarshal number \(text) into Go value of type float64"
            throw JSONError(reason: .syntax(reason), offset: start)
        }
        return .double(value)
    }

    /// nil if it does not fit 64 bits.
    private func integer(_ start: Int) -> DynamicValue? {
        let negative = bytes[start] == UInt8(ascii: "-")
        var value: UInt64 = 0
        for byte in bytes[(negative ? start + 1 : start)..<at] {
            let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow2) = scaled.addingReportingOverflow(UInt64(byte &- 0x30))
            if overflow || overflow2 { return nil }
            value = sum
        }
        if negative { return value <= 1 << 63 ? .int(Int64(truncatingIfNeeded: 0 &- value)) : nil }
        return value <= UInt64(Int64.max) ? .int(Int64(value)) : .uint(value)
    }

    // MARK: Strings

    private mutating func string() throws(JSONError) -> String {
        at += 1
        let start = at
        while at < bytes.count {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") {
                let text = String(repairing: bytes[start..<at])
                at += 1
                return text
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(start) }
            if byte < 0x20 { throw unexpected(byte, "in string literal") }
            at &+= 1
        }
        throw truncated
    }

    /// The string that began at `start` and has its first escape here.
    private mutating func escapedString(_ start: Int) throws(JSONError) -> String {
        var text = Array(bytes[start..<at])
        while at < bytes.count {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") {
                at += 1
                return String(repairing: text)
            }
            if byte == UInt8(ascii: "\\") {
                at += 1
                try escape(&text)
            } else if byte < 0x20 {
                throw unexpected(byte, "in string literal")
            } else {
                text.append(byte)
                at += 1
            }
        }
        throw truncated
    }

    private mutating func escape(_ text: inout [UInt8]) throws(JSONError) {
        guard at < bytes.count else { throw truncated }
        switch bytes[at] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(bytes[at])
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            at += 1
            var unit = try hexUnit()
            // A high surrogate needs its low one right behind; whatever else follows is read on its own.
            if unit >> 10 == 0x36, at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u") {
                let resume = at
                at += 2
                let low = try hexUnit()
                if low >> 10 == 0x37 { unit = 0x10000 + (unit & 0x3FF) << 10 + low & 0x3FF } else { at = resume }
            }
            text.append(text: String(Unicode.Scalar(unit) ?? "\u{FFFD}"))
            return
        default: throw unexpected(bytes[at], "in string escape code")
        }
        at += 1
    }

    private mutating func hexUnit() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard at < bytes.count else { throw truncated }
            guard let digit = hexValue(bytes[at]) else { throw unexpected(bytes[at], "in \\u hexadecimal character escape") }
            value = value << 4 | UInt32(digit)
            at += 1
        }
        return value
    }
}
