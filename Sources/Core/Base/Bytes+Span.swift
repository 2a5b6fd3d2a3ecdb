extension Span<UInt8> {
    /// The first place of `byte` in that part, eight bytes a step.
    func firstIndex(of byte: UInt8, in range: Range<Int>) -> Int? {
        let words = self.bytes
        let pattern = 0x0101_0101_0101_0101 &* UInt64(byte)
        var at = range.lowerBound
        while range.upperBound - at >= 8 {
            // The load is named for types that not every sequence of bits is a value of; its bounds are checked.
            let word = UInt64(littleEndian: words.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self)) ^ pattern
            // The lowest bit that is set belongs to the first byte that is zero.
            let zeros = (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080
            if zeros != 0 { return at + zeros.trailingZeroBitCount / 8 }
            at += 8
        }
        while at < range.upperBound {
            if self[at] == byte { return at }
            at += 1
        }
        return nil
    }
}

extension [UInt8] {
    init(copying bytes: RawSpan) { self = bytes.withUnsafeBytes { Array($0) } }
}
