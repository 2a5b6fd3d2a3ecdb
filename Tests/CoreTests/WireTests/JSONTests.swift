import Foundation
import Testing

@testable import Core

@Suite struct JSONTests {
    private func written(pretty: Bool = false, _ body: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter(pretty: pretty)
        body(&writer)
        return text(writer.finish())
    }

    private func error(_ source: String) -> String? {
        do {
            _ = try JSON.parse(source)
            return nil
        } catch {
            return error.text
        }
    }

    @Test func `compact and pretty forms are Go's`() {
        func document(_ json: inout JSONWriter) {
            json.beginObject()
            json.key("Empty" as StaticString)
            json.beginArray()
            json.endArray()
            json.key("Map" as StaticString)
            json.stringMap([:])
            json.key("List" as StaticString)
            json.strings(["a", "b"])
            json.key("N" as StaticString)
            json.int(-5)
            json.key("Null" as StaticString)
            json.strings(nil)
            json.endObject()
        }
        #expect(written(document) == #"{"Empty":[],"Map":{},"List":["a","b"],"N":-5,"Null":null}"#)
        let pretty = """
            {
                "Empty": [],
                "Map": {},
                "List": [
                    "a",
                    "b"
                ],
                "N": -5,
                "Null": null
            }

            """
        #expect(written(pretty: true, document) == pretty)
        #expect(written(pretty: true) { $0.bool(true) } == "true\n")
        #expect(
            written(pretty: true) {
                $0.beginArray()
                $0.endArray()
            } == "[]\n")
    }

    @Test func `text is escaped as Go escapes it`() {
        #expect(written { $0.string("a<b>&c") } == #""a\u003cb\u003e\u0026c""#)
        #expect(
            written { $0.string("\"\\/\n\r\t\u{8}\u{c}\u{0}\u{1f}\u{7f}") } == "\"\\\"\\\\/\\n\\r\\t\\u0008\\u000c\\u0000\\u001f\u{7f}\"")
        #expect(written { $0.string("é\u{2028}\u{2029}\u{202a}😀") } == "\"é\\u2028\\u2029\u{202a}😀\"")
        #expect(written { $0.string(ByteString([0x61, 0xFF, 0xC3, 0xA9, 0xE2, 0x80])) } == "\"a\\ufffdé\\ufffd\\ufffd\"")
        #expect(written { $0.string(ByteString([0xE2, 0x80, 0xA8, 0xED, 0xA0, 0x80])) } == "\"\\u2028\\ufffd\\ufffd\\ufffd\"")
        let key = written {
            $0.beginObject()
            $0.key("<k>" as String)
            $0.int(1)
            $0.endObject()
        }
        #expect(key == #"{"\u003ck\u003e":1}"#)
        for byte in UInt8(0)..<128 {
            let one = String(Unicode.Scalar(byte))
            #expect(try! JSON.parse(written { $0.string(one) }) == .string(one))
        }
    }

    @Test func `numbers are Go's`() {
        let doubles: [(Double, String)] = [
            (0, "0"), (1, "1"), (-1.5, "-1.5"), (0.1, "0.1"), (0.00001, "0.00001"), (0.000001, "0.000001"), (1e-7, "1e-7"),
            (1.5e-10, "1.5e-10"),
            (1e20, "100000000000000000000"), (1e21, "1e+21"), (1.7976931348623157e308, "1.7976931348623157e+308"),
            (Double.leastNonzeroMagnitude, "5e-324"),
            (123456.789, "123456.789"), (100, "100"), (65536, "65536"), (12345678901234568, "12345678901234568"),
        ]
        for (value, expected) in doubles { #expect(written { $0.double(value) } == expected) }
        #expect(written { $0.uint(.max) } == "18446744073709551615")
        #expect(written { $0.int64(.min) } == "-9223372036854775808")
        #expect(GoNumber.format(1_000_000) == "1e+06")
        #expect(GoNumber.format(123_456) == "123456")
        #expect(GoNumber.format(0.0001) == "0.0001")
        #expect(GoNumber.format(0.00001) == "1e-05")
    }

    @Test func `bytes are base64 and absent ones null`() {
        #expect(written { $0.base64([]) } == "\"\"")
        #expect(written { $0.base64(Array("a".utf8)) } == "\"YQ==\"")
        #expect(written { $0.base64(Array("abcd".utf8)) } == "\"YWJjZA==\"")
        #expect(written { $0.base64([0xFB, 0xFF, 0xFE]) } == "\"+//+\"")
    }

    @Test func `maps of any shape are sorted`() {
        let value = DynamicValue.map([DynamicMember("b", .int(1)), DynamicMember("a", .null), DynamicMember("b", .array([]))])
        #expect(written { $0.dynamic(value) } == #"{"a":null,"b":[]}"#)
    }

    @Test func `values of every kind are parsed`() throws {
        #expect(
            try JSON.parse(" {\"a\": [1, -2, 18446744073709551615, 1.0, 1e2, true, false, null, \"x\"], \"b\" : {}} trailing")
                == .map([
                    DynamicMember(
                        "a",
                        .array([.int(1), .int(-2), .uint(.max), .double(1), .double(100), .bool(true), .bool(false), .null, .string("x")])),
                    DynamicMember("b", .map([])),
                ]))
        #expect(try JSON.parse("-9223372036854775808") == .int(.min))
        #expect(try JSON.parse("18446744073709551616") == .double(18446744073709551616))
        #expect(try JSON.parse("-0") == .int(0))
        #expect(try JSON.parse(#""\ud83d\ude00\u00e9\/\b\ud800x\ud800\u0041\n""#) == .string("😀é/\u{8}\u{FFFD}x\u{FFFD}A\n"))
        #expect(try JSON.parse([0x22, 0xFF, 0xE2, 0x80, 0x22]) == .string("\u{FFFD}\u{FFFD}\u{FFFD}"))
        let prefix = try JSON.parsePrefix(Array("[1] 2".utf8))
        #expect(prefix.end == 3)
    }

    @Test func `errors have Go's words`() {
        #expect(error("") == "EOF")
        #expect(error(" \n") == "EOF")
        #expect(error("{") == "unexpected EOF")
        #expect(error("{\"a\"") == "unexpected EOF")
        #expect(error("[1,") == "unexpected EOF")
        #expect(error("\"abc") == "unexpected EOF")
        #expect(error("tru") == "unexpected EOF")
        #expect(error("zebra") == "invalid character 'z' looking for beginning of value")
        #expect(error("[1,]") == "invalid character ']' looking for beginning of value")
        #expect(error("{a}") == "invalid character 'a' looking for beginning of object key string")
        #expect(error("{\"a\":1,}") == "invalid character '}' looking for beginning of object key string")
        #expect(error("{\"a\" 1}") == "invalid character '1' after object key")
        #expect(error("{\"a\":1 \"b\"}") == "invalid character '\"' after object key:value pair")
        #expect(error("[1 2]") == "invalid character '2' after array element")
        #expect(error("tree") == "invalid character 'e' in literal true (expecting 'u')")
        #expect(error("nil") == "invalid character 'i' in literal null (expecting 'u')")
        #expect(error("-x") == "invalid character 'x' in numeric literal")
        #expect(error("1.x") == "invalid character 'x' after decimal point in numeric literal")
        #expect(error("1ex") == "invalid character 'x' in exponent of numeric literal")
        #expect(error("\"\\x\"") == "invalid character 'x' in string escape code")
        #expect(error("\"\\u12g4\"") == "invalid character 'g' in \\u hexadecimal character escape")
        #expect(error("\"a\nb\"") == "invalid character '\\n' in string literal")
        #expect(error("'a'") == "invalid character '\\'' looking for beginning of value")
        #expect(error("é") == "invalid character 'Ã' looking for beginning of value")
        #expect(error("1e999") == "json: cannot unmarshal number 1e999 into Go value of type float64")
        #expect(error(String(repeating: "[", count: 20_000)) == "exceeded max depth")
        #expect(throws: JSONError.self) { try JSON.parseDocument(Array("{} x".utf8)) }
    }

    @Test func `the deepest value that is accepted can be used and released on a small stack`() {
        let done = DispatchSemaphore(value: 0)
        let thread = Thread {
            let source = String(repeating: "[", count: JSON.depthLimit) + String(repeating: "]", count: JSON.depthLimit)
            do {
                let value = try JSON.parse(source)
                var writer = MessagePackWriter()
                writer.dynamic(value)
                var reader = MessagePackReader(writer.bytes)
                let again = try reader.dynamic()
                var json = JSONWriter()
                json.dynamic(again)
                precondition(text(json.finish()) == source)
            } catch {
                preconditionFailure("\(error)")
            }
            done.signal()
        }
        thread.stackSize = 4 << 20
        thread.start()
        done.wait()
    }

    @Test func `damaged input never traps and what is accepted is written as valid JSON`() throws {
        var random = Random(seed: 11)
        let seeds = [
            #"{"Name":"web","Tags":["a","b\u00e9\ud83d\ude00"],"Port":80,"Meta":{"k":"v<>&"},"W":1.5e-3,"N":null,"T":true}"#,
            #"[[[]],{},"",0,-1.25e+10,{"a":{"b":[false]}}]"#,
        ].map { Array($0.utf8) }
        for round in 0..<20_000 {
            let bytes = round % 8 == 0 ? randomBytes(upTo: 40, &random) : mutated(seeds[round % 2], &random)
            guard let value = try? JSON.parse(bytes) else { continue }
            var writer = JSONWriter(pretty: round % 2 == 0)
            writer.dynamic(value)
            let out = writer.finish()
            _ = try JSON.parseDocument(out)
            _ = try JSONSerialization.jsonObject(with: Data(out), options: [.fragmentsAllowed])
        }
    }
}
