/// Writes JSON straight into a byte buffer, as Go's `encoding/json` spells it (http-1 §1.5).
///
/// Commas, line ends and indentation come by themselves; the caller only keeps keys and values in turn inside objects:
///
///     var json = JSONWriter(pretty: false)
///     json.beginObject()
///     json.key("Node")
///     json.string(node.node)
///     json.endObject()
///     let body = json.finish()
///
/// Over 500 lines with the JSON of rows and answers, which extensions in other folders add.
public struct JSONWriter: Sendable {
    public private(set) var bytes: [UInt8]
    /// Indented by 4 spaces, with one line end at the end.
    public let pretty: Bool
    private var depth = 0
    private var place = Place.start

    private enum Place {
        /// Nothing is written yet at the top level.
        case start
        /// Right after `{` or `[`.
        case fresh
        case afterKey
        case afterValue
    }

    public init(pretty: Bool = false, reservingCapacity capacity: Int = 256) {
        self.pretty = pretty
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    /// The document, with the final line end in pretty mode.
    public consuming func finish() -> [UInt8] {
        endDocument()
        return bytes
    }

    mutating func endDocument() { if pretty { bytes.append(UInt8(ascii: "\n")) } }

    /// Goes on writing behind `other` and gives out what was written so far.
    mutating func exchangeBytes(with other: inout [UInt8]) { swap(&bytes, &other) }

    // MARK: Structure

    @inline(__always)
    private mutating func separate() {
        switch place {
        case .start, .afterKey: break
        case .afterValue:
            bytes.append(UInt8(ascii: ","))
            if pretty { newLine() }
        case .fresh: if pretty { newLine() }
        }
        place = .afterValue
    }

    private mutating func newLine() {
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 4 * depth))
    }

    @inline(__always) public mutating func beginObject() { begin(UInt8(ascii: "{")) }
    @inline(__always) public mutating func endObject() { end(UInt8(ascii: "}")) }
    @inline(__always) public mutating func beginArray() { begin(UInt8(ascii: "[")) }
    @inline(__always) public mutating func endArray() { end(UInt8(ascii: "]")) }

    @inline(__always)
    private mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        depth &+= 1
        place = .fresh
    }

    @inline(__always)
    private mutating func end(_ bracket: UInt8) {
        precondition(depth > 0, "every end of an object or array has a beginning")
        depth &-= 1
        if pretty && place != .fresh { newLine() }
        bytes.append(bracket)
        place = .afterValue
    }

    /// A name that needs no escapes: an ASCII literal.
    @inline(__always)
    public mutating func key(_ name: StaticString) {
        separate()
        name.withUTF8Buffer { appendPlain($0) }
        endKey()
    }

    public mutating func key(_ name: String) {
        separate()
        quote(name)
        endKey()
    }

    @inline(__always)
    private mutating func endKey() {
        bytes.append(UInt8(ascii: ":"))
        if pretty { bytes.append(UInt8(ascii: " ")) }
        place = .afterKey
    }

    // MARK: Values

    public mutating func null() {
        separate()
        bytes.append(text: "null")
    }

    public mutating func bool(_ value: Bool) {
        separate()
        bytes.append(text: value ? "true" : "false")
    }

    @inline(__always)
    public mutating func int(_ value: Int) { int64(Int64(value)) }

    public mutating func int64(_ value: Int64) {
        separate()
        bytes.append(decimal: value)
    }

    public mutating func uint(_ value: UInt64) {
        separate()
        bytes.append(decimal: value)
    }

    /// The value must be finite: JSON has no infinities.
    public mutating func double(_ value: Double) {
        precondition(value.isFinite, "JSON numbers are finite")
        separate()
        GoNumber.append(value, .json, to: &bytes)
    }

    public mutating func string(_ value: String) {
        separate()
        quote(value)
    }

    /// Bytes that are meant as text; those that are no UTF-8 come out as `\ufffd`.
    public mutating func string(_ value: ByteString) {
        separate()
        value.bytes.withUnsafeBufferPointer { quote($0, trusted: false) }
    }

    /// In standard base64.
    public mutating func base64(_ value: [UInt8]) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        Base64.append(value, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// In RFC 3339.
    public mutating func time(_ value: GoTime) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        value.appendRFC3339(to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// In Go's spelling, as text: `1m30s`.
    public mutating func duration(_ value: Duration) { string(GoDuration.format(value)) }

    /// nil is `null`.
    public mutating func strings(_ value: [String]?) {
        guard let value else { return null() }
        beginArray()
        for text in value { string(text) }
        endArray()
    }

    /// Sorted by name; nil is `null`.
    public mutating func stringMap(_ value: StringMap?) {
        guard let value else { return null() }
        beginObject()
        for (name, text) in value {
            key(name)
            string(text)
        }
        endObject()
    }

    /// A value of any shape. Maps are sorted by the bytes of their keys, the last of equal ones wins; infinities are `null`.
    public mutating func dynamic(_ value: DynamicValue) {
        switch value {
        case .null: null()
        case .bool(let value): bool(value)
        case .int(let value): int64(value)
        case .uint(let value): uint(value)
        case .double(let value): if value.isFinite { double(value) } else { null() }
        case .string(let value): string(value)
        case .bytes(let value): base64(value)
        case .array(let values):
            beginArray()
            for value in values { dynamic(value) }
            endArray()
        case .map(let members):
            beginObject()
            let order = members.indices.sorted { a, b in
                let left = ByteString(members[a].name), right = ByteString(members[b].name)
                return left == right ? a < b : left < right
            }
            for (at, index) in order.enumerated() {
                let member = members[index]
                if at + 1 < order.count && ByteString(members[order[at + 1]].name) == ByteString(member.name) { continue }
                key(member.name)
                dynamic(member.value)
            }
            endObject()
        }
    }

    // MARK: Text

    @inline(__always)
    private mutating func quote(_ value: String) {
        let done: Void? = value.utf8.withContiguousStorageIfAvailable { quote($0, trusted: true) }
        if done == nil { Array(value.utf8).withUnsafeBufferPointer { quote($0, trusted: true) } }
    }

    /// Text without anything to escape.
    @inline(__always)
    private mutating func appendPlain(_ text: UnsafeBufferPointer<UInt8>) {
        bytes.append(upTo: text.count &+ 2) { out in
            out[0] = UInt8(ascii: "\"")
            if let start = text.baseAddress { (out + 1).initialize(from: start, count: text.count) }
            out[text.count &+ 1] = UInt8(ascii: "\"")
            return text.count &+ 2
        }
    }

    /// `trusted`: known to be valid UTF-8.
    @inline(__always)
    private mutating func quote(_ text: UnsafeBufferPointer<UInt8>, trusted: Bool) {
        var at = 0
        while at < text.count, Self.isPlain(text[at]) || (trusted && text[at] >= 0x80 && text[at] != 0xE2) { at &+= 1 }
        if at == text.count { appendPlain(text) } else { quoteEscaping(text, trusted: trusted) }
    }

    private mutating func quoteEscaping(_ text: UnsafeBufferPointer<UInt8>, trusted: Bool) {
        bytes.append(UInt8(ascii: "\""))
        var start = 0, at = 0
        while at < text.count {
            let byte = text[at]
            if Self.isPlain(byte) || (trusted && byte >= 0x80 && byte != 0xE2) {
                at &+= 1
                continue
            }
            if byte < 0x80 {
                bytes.append(raw: UnsafeBufferPointer(rebasing: text[start..<at]))
                escape(byte)
                at &+= 1
            } else {
                let length = UTF8Text.sequenceLength(text.span, at: at)
                let separator = length == 3 && byte == 0xE2 && text[at + 1] == 0x80 && text[at + 2] & 0xFE == 0xA8
                if length > 0 && !separator {
                    at &+= length
                    continue
                }
                bytes.append(raw: UnsafeBufferPointer(rebasing: text[start..<at]))
                if separator {
                    bytes.append(text: text[at + 2] == 0xA8 ? "\\u2028" : "\\u2029")
                } else {
                    bytes.append(text: "\\ufffd")
                }
                at &+= max(1, length)
            }
            start = at
        }
        bytes.append(raw: UnsafeBufferPointer(rebasing: text[start...]))
        bytes.append(UInt8(ascii: "\""))
    }

    /// ASCII that stands for itself: all but control characters and `"` `\` `<` `>` `&`.
    @inline(__always)
    private static func isPlain(_ byte: UInt8) -> Bool {
        // One bit per character: below 64 all but 0...31, 0x22, 0x26, 0x3C, 0x3E; from 64 on all but 0x5C.
        let mask: UInt64 = byte < 64 ? 0xAFFF_FFBB_0000_0000 : 0xFFFF_FFFF_EFFF_FFFF
        return byte < 0x80 && mask >> UInt64(byte & 63) & 1 == 1
    }

    private mutating func escape(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        case UInt8(ascii: "\n"): bytes.append(UInt8(ascii: "n"))
        case UInt8(ascii: "\r"): bytes.append(UInt8(ascii: "r"))
        case UInt8(ascii: "\t"): bytes.append(UInt8(ascii: "t"))
        default:
            bytes.append(text: "u00")
            bytes.append(hex: byte)
        }
    }
}
