import Foundation
import Testing

@testable import Core

@Suite struct MessagePackTests {
    @Test func `a request that announces more elements than any has is refused before they are there`() {
        // A byte each, and hundreds in memory.
        let body: [UInt8] = [0x81, 0xA3] + Array("Ops".utf8) + [0xDD, 0, 8, 0, 0] + [UInt8](repeating: 0x80, count: 1 << 19)
        #expect(throws: MessagePackError.invalid("codec.decoder: too many elements")) {
            try WriteRequest.decodeRequest(method: "Txn.Apply", body: body[...])
        }
        let nested: [UInt8] = [0x92] + [0xDC, 0xFF, 0xFF] + [UInt8](repeating: 0xC0, count: 65_535)
        var reader = MessagePackReader((nested + nested.dropFirst())[...], elementsMax: 100_000)
        #expect(throws: MessagePackError.invalid("codec.decoder: too many elements")) {
            _ = try reader.array { (reader: inout MessagePackReader) throws(MessagePackError) in try reader.strings() }
        }
    }

    @Test func `a map of many names takes time in proportion, in whatever order they come`() throws {
        var writer = MessagePackWriter()
        writer.mapHeader(200_000)
        for number in (0..<100_000).reversed() {
            for _ in 0..<2 {
                writer.string("name-\(number)")
                writer.string("value-\(number)")
            }
        }
        var reader = MessagePackReader(writer.bytes)
        let map = try #require(try reader.stringMap())
        #expect(map.count == 100_000 && map["name-77"] == "value-77")
    }

    private func written(_ body: (inout MessagePackWriter) -> Void) -> String {
        var writer = MessagePackWriter()
        body(&writer)
        return hexText(writer.bytes)
    }

    @Test func `integers take the smallest form`() {
        #expect(written { $0.int(Int64(0)) } == "00")
        #expect(written { $0.int(Int64(127)) } == "7f")
        #expect(written { $0.int(Int64(128)) } == "cc80")
        #expect(written { $0.int(Int64(200)) } == "ccc8")
        #expect(written { $0.uint(256) } == "cd0100")
        #expect(written { $0.uint(65536) } == "ce00010000")
        #expect(written { $0.duration(.seconds(10)) } == "cf00000002540be400")
        #expect(written { $0.int(Int64(-1)) } == "ff")
        #expect(written { $0.int(Int64(-32)) } == "e0")
        #expect(written { $0.int(Int64(-33)) } == "d0df")
        #expect(written { $0.int(Int64(-129)) } == "d1ff7f")
        #expect(written { $0.int(Int64(-32769)) } == "d2ffff7fff")
        #expect(written { $0.int(Int64.min) } == "d38000000000000000")
    }

    @Test func `text and bytes are old raws without str8 and bin`() {
        #expect(written { $0.string("") } == "a0")
        #expect(written { $0.string(String(repeating: "x", count: 31)) }.hasPrefix("bf7878"))
        #expect(written { $0.string(String(repeating: "x", count: 36)) }.hasPrefix("da002478"))
        #expect(written { $0.raw([UInt8](repeating: 1, count: 70_000)) }.hasPrefix("db0001117001"))
    }

    @Test func `nil differs from empty containers`() {
        #expect(written { $0.strings(nil) } == "c0")
        #expect(written { $0.strings([]) } == "90")
        #expect(written { $0.stringMap(nil) } == "c0")
        #expect(written { $0.stringMap([:]) } == "80")
        #expect(written { $0.field("A", ["x": "y"] as StringMap) } == "a14181a178a179")
    }

    @Test func `times have fifteen bytes`() throws {
        let bytes = hex("af 01 0000000ee2931dda 12bec12c ffff")
        var reader = MessagePackReader(bytes)
        let time = try #require(try reader.time())
        #expect(time.nanoseconds == 0x12be_c12c)
        #expect(time.offsetMinutes == nil)
        #expect(written { $0.time(time) } == hexText(bytes))
        #expect(written { $0.time(.zero) } == "af01000000000000000000000000ffff")
    }

    @Test func `every captured value survives decoding and encoding`() throws {
        let object = try JSONSerialization.jsonObject(with: vectorFile("rpc-raft.json"))
        var values: [[UInt8]] = []
        func collect(_ object: Any, _ key: String) {
            if let map = object as? [String: Any] {
                for (name, value) in map { collect(value, name) }
            } else if let list = object as? [Any] {
                for value in list { collect(value, key) }
            } else if let text = object as? String, key.hasSuffix("body_hex") || key.hasSuffix("header_hex") {
                values.append(hex(text))
            } else if let text = object as? String, key == "data_hex" || key == "request_hex_including_type_byte" {
                values.append(Array(hex(text).dropFirst()))
            }
        }
        collect(object, "")
        var compared = 0
        for bytes in values {
            var reader = MessagePackReader(bytes)
            guard let value = try? reader.dynamic(), reader.isAtEnd else { continue }
            var writer = MessagePackWriter()
            writer.dynamic(value)
            #expect(writer.bytes == bytes)
            var skipping = MessagePackReader(bytes)
            try skipping.skip()
            #expect(skipping.isAtEnd)
            compared += 1
        }
        #expect(compared > 150)
    }

    @Test func `a struct reads its fields in any order and skips unknown ones`() throws {
        var writer = MessagePackWriter()
        writer.mapHeader(3)
        writer.field("Unknown", DynamicValue.array([.map([DynamicMember("x", .int(1))]), .null]))
        writer.field("Port", 80)
        writer.field("Node", "n1")
        var reader = MessagePackReader(writer.bytes)
        var node = "", port = 0
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Node": node = try reader.string()
            case "Port": port = try reader.int()
            default: try reader.skip()
            }
        }
        #expect(node == "n1" && port == 80 && reader.isAtEnd)
    }

    @Test func `decoding is lenient`() throws {
        func read<T>(_ text: String, _ body: (inout MessagePackReader) throws -> T) rethrows -> T {
            var reader = MessagePackReader(hex(text))
            return try body(&reader)
        }
        #expect(try read("c0") { try $0.string() } == "")
        #expect(try read("c0") { try $0.int64() } == 0)
        #expect(try read("c0") { try $0.bool() } == false)
        #expect(try read("01") { try $0.bool() } == true)
        #expect(try read("d3ffffffffffffffff") { try $0.int64() } == -1)
        #expect(try read("cf0000000000000005") { try $0.int64() } == 5)
        #expect(try read("05") { try $0.double() } == 5)
        #expect(try read("ca3fc00000") { try $0.double() } == 1.5)
        #expect(try read("d90161") { try $0.string() } == "a")
        #expect(try read("c40161") { try $0.bytes() } == [0x61])
        #expect(try read("c0") { try $0.arrayHeader() } == nil)
        #expect(throws: MessagePackError.outOfRange) { try read("ff") { try $0.uint64() } }
        #expect(throws: MessagePackError.outOfRange) { try read("cfffffffffffffffff") { try $0.int64() } }
        #expect(throws: MessagePackError.truncated) { try read("ddffffffff") { try $0.arrayHeader() } }
        #expect(throws: MessagePackError.truncated) { try read("dbffffffff00") { try $0.bytes() } }
        #expect(throws: MessagePackError.truncated) { try read("") { try $0.bool() } }
    }

    @Test func `what is no map says so in the reference's words`() {
        var reader = MessagePackReader(hex("a178"))
        let error = #expect(throws: MessagePackError.self) { try reader.structHeader() }
        #expect(error?.text == "codec.decoder: Only encoded map or array can be decoded into a struct. (valueType: 6)")
    }

    @Test func `nesting is bounded`() {
        var deep = MessagePackReader([UInt8](repeating: 0x91, count: 5_000) + [0xC0])
        #expect(throws: MessagePackError.tooDeep) { try deep.dynamic() }
        var skipped = MessagePackReader([UInt8](repeating: 0x91, count: 5_000) + [0xC0])
        #expect(throws: Never.self) { try skipped.skip() }
    }

    @Test func `damaged input never traps`() throws {
        var random = Random(seed: 7)
        var writer = MessagePackWriter()
        writer.dynamic(
            .map([
                DynamicMember("List", .array([.int(-5), .uint(.max), .double(0.5), .bytes([0xFF, 0]), .null, .bool(true)])),
                DynamicMember("Text", .string(String(repeating: "é", count: 40))), DynamicMember("Map", .map([])),
            ]))
        for round in 0..<20_000 {
            let bytes = round % 4 == 0 ? randomBytes(upTo: 64, &random) : mutated(writer.bytes, &random)
            var reader = MessagePackReader(bytes)
            if let value = try? reader.dynamic() {
                var again = MessagePackWriter()
                again.dynamic(value)
                var second = MessagePackReader(again.bytes)
                _ = try second.dynamic()
                #expect(second.isAtEnd)
            }
            var skipping = MessagePackReader(bytes)
            try? skipping.skip()
            var typed = MessagePackReader(bytes)
            _ = try? typed.stringMap()
            _ = try? typed.time()
            _ = try? typed.strings()
            _ = try? typed.uint64()
        }
    }
}
