/// The header fields of a message, kept as the bytes that came in: names in lower case, values without surrounding blanks.
///
/// One buffer for all of them; a text is made only of a field that someone asks for. Looking one up is O(number of fields).
public struct HTTPHeaders: Sendable {
    /// Per field: length of the name (2 bytes) and of the value (4 bytes), then both.
    private var packed: [UInt8] = []
    public private(set) var count = 0

    public init() {}

    public init(_ pairs: [(name: String, value: String)]) {
        for (name, value) in pairs { append(name: name, value: value) }
    }

    public mutating func append(name: String, value: String) {
        append(name: name.utf8.span, value: value.utf8.span)
    }

    /// Names are cut at 65,535 bytes, which is far beyond what a name can have.
    mutating func append(name: Span<UInt8>, value: Span<UInt8>) {
        let nameLength = min(name.count, 0xFFFF)
        packed.append(bigEndian: UInt16(truncatingIfNeeded: nameLength))
        packed.append(bigEndian: UInt32(truncatingIfNeeded: value.count))
        for at in 0..<nameLength { packed.append(ASCII.lowercased(name[at])) }
        packed.append(0..<value.count, of: value)
        count += 1
    }

    mutating func reserve(_ bytes: Int) { packed.reserveCapacity(bytes) }

    /// Where a field stands in `packed`.
    struct Field {
        let name: Range<Int>
        let value: Range<Int>
        var end: Int { value.upperBound }

        @inline(__always)
        init(_ packed: [UInt8], _ at: Int) {
            let nameLength = Int(packed[at]) << 8 | Int(packed[at + 1])
            let valueLength = Int(packed[at + 2]) << 24 | Int(packed[at + 3]) << 16 | Int(packed[at + 4]) << 8 | Int(packed[at + 5])
            name = (at + 6)..<(at + 6 + nameLength)
            value = name.upperBound..<(name.upperBound + valueLength)
        }
    }

    /// The first value of that lower-case name.
    public func first(_ name: String) -> String? {
        guard let value = firstBytes(name) else { return nil }
        return String(repairing: value)
    }

    /// The first value of that lower-case name as it was sent.
    public func firstBytes(_ name: String) -> ArraySlice<UInt8>? {
        if count == 0 { return nil }
        var name = name
        return name.withUTF8 { name in
            var at = 0
            while at < packed.count {
                let field = Field(packed, at)
                if field.name.count == name.count && packed[field.name].elementsEqual(name) { return packed[field.value] }
                at = field.end
            }
            return nil
        }
    }

    /// All fields as text, in the order of the message.
    public var pairs: [(name: String, value: String)] {
        var pairs: [(name: String, value: String)] = []
        pairs.reserveCapacity(count)
        forEach { name, value in pairs.append((UTF8Text.repaired(name), UTF8Text.repaired(value))) }
        return pairs
    }

    /// Every field as bytes, in the order of the message.
    @inline(__always)
    func forEach(_ body: (_ name: Span<UInt8>, _ value: Span<UInt8>) -> Void) {
        let bytes = packed.span
        var at = 0
        while at < bytes.count {
            let field = Field(packed, at)
            body(bytes.extracting(field.name), bytes.extracting(field.value))
            at = field.end
        }
    }
}

/// Bytes as ASCII characters.
enum ASCII {
    @inline(__always)
    static func lowercased(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }

    /// What header names and methods consist of (RFC 7230 §3.2.6, `tchar`).
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        // One bit per character: !#$%&'*+-. and digits below 64; letters and ^_`|~ from 64 on.
        let mask: UInt64 = byte < 64 ? 0x03FF_6CFA_0000_0000 : 0x57FF_FFFF_C7FF_FFFE
        return byte < 0x80 && mask >> UInt64(byte & 63) & 1 == 1
    }

    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// Whether `bytes` spell `word`, which is in lower case, in any case.
    @inline(__always)
    static func equal(_ bytes: Span<UInt8>, _ word: StaticString) -> Bool {
        word.withUTF8Buffer { word in
            if bytes.count != word.count { return false }
            for at in 0..<word.count where lowercased(bytes[at]) != word[at] { return false }
            return true
        }
    }

    /// The part of `range` without blanks at its ends.
    static func trimmed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        var low = range.lowerBound, high = range.upperBound
        while low < high && isBlank(bytes[low]) { low += 1 }
        while high > low && isBlank(bytes[high - 1]) { high -= 1 }
        return low..<high
    }

    /// The element at `at` of a list that ends at `end`, which may be empty; moves `at` behind the separator. nil after the last one.
    static func element(_ bytes: Span<UInt8>, _ at: inout Int, before end: Int, separator: UInt8) -> Range<Int>? {
        if at > end { return nil }
        let element = at..<(bytes.firstIndex(of: separator, in: at..<end) ?? end)
        at = element.upperBound + 1
        return element
    }

    /// Whether `word`, in lower case, is among the elements that commas separate.
    static func list(_ bytes: Span<UInt8>, contains word: StaticString) -> Bool {
        var at = 0
        while let element = element(bytes, &at, before: bytes.count, separator: UInt8(ascii: ",")) {
            if equal(bytes.extracting(trimmed(bytes, element)), word) { return true }
        }
        return false
    }

    /// A decimal number without sign that fits `Int`.
    static func decimal(_ bytes: Span<UInt8>) -> Int? {
        var value = 0
        for at in 0..<bytes.count {
            let byte = bytes[at]
            guard byte >= 0x30 && byte <= 0x39 else { return nil }
            let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow2) = scaled.addingReportingOverflow(Int(byte &- 0x30))
            if overflow || overflow2 { return nil }
            value = sum
        }
        return bytes.isEmpty ? nil : value
    }
}
