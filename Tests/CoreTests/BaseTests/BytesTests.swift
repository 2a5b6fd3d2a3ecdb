import Testing

@testable import Core

@Suite struct BytesTests {
    @Test func `the first of equal bytes is found wherever it stands, and none outside of the range`() {
        var random = Random(seed: 7)
        for count in 0...40 {
            for _ in 0..<100 {
                // Bytes beside those that are looked for: 0x80, 0x0B and 0x09 differ from 0x00 and 0x0A in one bit.
                let bytes = (0..<count).map { _ in [0x00, 0x0A, 0x0B, 0x09, 0x80, 0xFF, 0x01][Int(random.next() % 7)] as UInt8 }
                let low = Int(random.next() % UInt64(count + 1)), high = low + Int(random.next() % UInt64(count - low + 1))
                for byte in [0x00, 0x0A, 0xFF] as [UInt8] {
                    #expect(bytes.span.firstIndex(of: byte, in: low..<high) == bytes[low..<high].firstIndex(of: byte))
                }
            }
        }
    }
}
