import Foundation
import Testing

@testable import Core

@Suite struct MessagePackScannerTests {
    /// Where the first `values` values end, fed in pieces of those sizes; nil when they do not.
    private func end(_ bytes: [UInt8], values: Int = 1, sizeMax: Int = 1 << 30, pieces: (Int) -> Int) throws -> Int? {
        var scanner = MessagePackScanner(values: values)
        var from = 0
        while from < bytes.count {
            let count = min(bytes.count - from, max(1, pieces(bytes.count - from)))
            var at = 0
            let piece = Array(bytes[from..<from + count])
            if try scanner.scan(piece.span, &at, sizeMax: sizeMax - from) { return from + at }
            #expect(at == count, "all of a piece is read when nothing has ended in it")
            from += count
        }
        return nil
    }

    private static func samples() throws -> [[UInt8]] {
        let object = try JSONSerialization.jsonObject(with: vectorFile("rpc-raft.json"))
        var samples: [[UInt8]] = []
        func collect(_ object: Any, _ key: String) {
            if let map = object as? [String: Any] {
                for name in map.keys.sorted() { collect(map[name]!, name) }
            } else if let list = object as? [Any] {
                for element in list { collect(element, key) }
            } else if let text = object as? String, ["request_header_hex", "request_body_hex", "response_body_hex"].contains(key) {
                samples.append(hex(text))
            }
        }
        collect(object, "")
        return samples
    }

    @Test func `the end of a value is found wherever it is cut`() throws {
        var random = Random(seed: 1)
        let samples = try Self.samples()
        #expect(samples.count > 40)
        for sample in samples {
            let bytes = sample + [0xC0, 0x80, 1]
            #expect(try end(bytes) { $0 } == sample.count)
            #expect(try end(bytes) { _ in 1 } == sample.count)
            for _ in 0..<10 { #expect(try end(bytes) { _ in Int.random(in: 1...40, using: &random) } == sample.count) }
            #expect(try end(bytes, values: 2) { _ in 3 } == sample.count + 1)
            #expect(try end(Array(sample.dropLast())) { _ in 7 } == nil)
        }
    }

    @Test func `every form is passed over`() throws {
        let forms = [
            "00", "7f", "e0", "c0", "c2", "ca00000000", "cb0000000000000000", "cc01", "cd0102", "ce01020304", "cf0102030405060708",
            "d001", "d10102", "d201020304", "d30102030405060708", "a3616263", "d903616263", "da0003616263", "db00000003616263",
            "c403616263",
            "c50003616263", "c600000003616263", "d40501", "d5050102", "d60501020304", "d7050102030405060708",
            "d805" + String(repeating: "00", count: 16), "c7020501ff", "c800020501ff", "c9000000020501ff", "93010203", "dc0003010203",
            "dd00000003010203", "8201020304", "de000201020304", "df0000000201020304", "90", "80", "a0", "92939192819201020304c0c0c0",
        ]
        for form in forms {
            #expect(try end(hex(form) + [0xFF]) { $0 } == hex(form).count, "\(form)")
            #expect(try end(hex(form) + [0xFF]) { _ in 1 } == hex(form).count, "\(form)")
        }
    }

    @Test func `what promises more than may come is refused at once`() {
        for form in ["db7fffffff", "ddffffffff", "dfffffffff", "c9ffffffff00"] {
            #expect(throws: MessagePackError.invalid("message is too large")) { try end(hex(form), sizeMax: 1 << 20) { $0 } }
        }
        #expect(throws: MessagePackError.self) { try end(hex("c1")) { $0 } }
    }

    @Test func `the scanner ends where the reader ends, also in random bytes`() throws {
        var random = Random(seed: 3)
        let samples = try Self.samples()
        for _ in 0..<4_000 {
            let bytes = mutated(samples[Int.random(in: 0..<samples.count, using: &random)], &random)
            var reader = MessagePackReader(bytes)
            let expected = (try? reader.skip()).map { reader.position }
            let found = try? end(bytes, sizeMax: bytes.count) { _ in Int.random(in: 1...20, using: &random) }
            if let expected { #expect(found == expected) } else { #expect(found == nil) }
        }
    }
}
