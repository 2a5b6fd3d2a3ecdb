/// UTF-8 as Go's `unicode/utf8` reads it: every byte that is no part of a valid sequence counts as one error.
enum UTF8Text {
    /// Length in bytes of the valid sequence at `at`, or 0 if there is none.
    @inline(__always)
    static func sequenceLength(_ bytes: Span<UInt8>, at: Int) -> Int {
        let first = bytes[at]
        if first < 0x80 { return 1 }
        if first < 0xC2 || first > 0xF4 { return 0 }
        let left = bytes.count - at
        if left < 2 { return 0 }
        let second = bytes[at + 1]
        let low: UInt8 = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80
        let high: UInt8 = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF
        if second < low || second > high { return 0 }
        if first < 0xE0 { return 2 }
        if left < 3 || bytes[at + 2] & 0xC0 != 0x80 { return 0 }
        if first < 0xF0 { return 3 }
        if left < 4 || bytes[at + 3] & 0xC0 != 0x80 { return 0 }
        return 4
    }

    static func isValid(_ bytes: Span<UInt8>) -> Bool {
        var at = 0
        while at < bytes.count {
            if bytes[at] < 0x80 {
                at &+= 1
                continue
            }
            let length = sequenceLength(bytes, at: at)
            if length == 0 { return false }
            at &+= length
        }
        return true
    }

    /// The bytes as text; every invalid byte becomes one U+FFFD.
    static func repaired(_ bytes: Span<UInt8>) -> String {
        if isValid(bytes) { return String(copying: UTF8Span(unchecked: bytes)) }
        var repaired: [UInt8] = []
        repaired.reserveCapacity(bytes.count + 16)
        var at = 0
        while at < bytes.count {
            let length = sequenceLength(bytes, at: at)
            if length == 0 {
                repaired.append(text: "\u{FFFD}")
                at += 1
            } else {
                repaired.append(at..<at + length, of: bytes)
                at += length
            }
        }
        return String(decoding: repaired, as: UTF8.self)
    }
}

extension String {
    /// Text from bytes of unknown origin; every invalid byte becomes one U+FFFD, as in Go.
    public init(repairing bytes: some Sequence<UInt8>) {
        let text = bytes.withContiguousStorageIfAvailable { UTF8Text.repaired($0.span) }
        self = text ?? UTF8Text.repaired(Array(bytes).span)
    }
}
