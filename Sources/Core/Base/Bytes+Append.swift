extension [UInt8] {
    /// Appends up to `limit` bytes that `body` writes; it returns how many. One check of the capacity for all of them.
    @inline(__always)
    mutating func append(upTo limit: Int, _ body: (UnsafeMutablePointer<UInt8>) -> Int) {
        append(addingCapacity: limit) { span in
            span.withUnsafeMutableBufferPointer { bytes, count in
                guard let start = bytes.baseAddress else { return }
                count = body(start)
            }
        }
    }

    @inline(__always)
    mutating func append(raw bytes: UnsafeBufferPointer<UInt8>) {
        guard let start = bytes.baseAddress else { return }
        append(upTo: bytes.count) { out in
            out.initialize(from: start, count: bytes.count)
            return bytes.count
        }
    }

    /// Appends that part of `bytes`.
    @inline(__always)
    mutating func append(_ range: Range<Int>, of bytes: Span<UInt8>) {
        // The range is checked where the part is taken out.
        bytes.extracting(range).withUnsafeBufferPointer { append(raw: $0) }
    }

    /// Appends the text's UTF-8 without an intermediate copy.
    @inline(__always)
    public mutating func append(text: String) {
        let done: Void? = text.utf8.withContiguousStorageIfAvailable { append(raw: $0) }
        if done == nil { append(contentsOf: text.utf8) }
    }

    @inline(__always)
    public mutating func append(text: StaticString) {
        text.withUTF8Buffer { append(raw: $0) }
    }

    /// Appends the decimal digits of `value`.
    public mutating func append(decimal value: UInt64) {
        if value < 10 {
            append(UInt8(truncatingIfNeeded: value) &+ 0x30)
            return
        }
        var length = 2
        var power: UInt64 = 100
        while length < 20 && value >= power {
            length &+= 1
            power = power &* 10
        }
        append(upTo: 20) { out in
            var rest = value
            var at = length
            while at > 0 {
                at &-= 1
                let quotient = rest / 10
                out[at] = UInt8(truncatingIfNeeded: rest &- quotient &* 10) &+ 0x30
                rest = quotient
            }
            return length
        }
    }

    /// Appends the decimal digits of `value`, with a minus sign where it is negative.
    public mutating func append(decimal value: Int64) {
        if value < 0 { append(UInt8(ascii: "-")) }
        append(decimal: value.magnitude)
    }

    public mutating func append(decimal value: Int) { append(decimal: Int64(value)) }

    /// Appends the last two decimal digits of `value`.
    mutating func append(twoDigits value: Int) {
        append(UInt8(truncatingIfNeeded: 0x30 + value / 10 % 10))
        append(UInt8(truncatingIfNeeded: 0x30 + value % 10))
    }

    /// Appends `byte` as two lower-case hexadecimal digits.
    public mutating func append(hex byte: UInt8) {
        append(hexDigit(byte >> 4))
        append(hexDigit(byte & 15))
    }

    mutating func append(bigEndian value: UInt16) {
        append(UInt8(truncatingIfNeeded: value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }

    mutating func append(bigEndian value: UInt32) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    mutating func append(bigEndian value: UInt64) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    @inline(__always)
    mutating func append<T: FixedWidthInteger>(littleEndian value: T) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }
}
