import Testing

@testable import Core

@Suite struct HCLTests {
    private func parse(_ text: String) throws -> DynamicValue { try HCL.parse(Array(text.utf8)) }

    private func error(_ text: String) -> String {
        do {
            return "no error: \(try parse(text))"
        } catch let error as HCLError {
            return error.description
        } catch {
            return "\(error)"
        }
    }

    private func map(_ members: (String, DynamicValue)...) -> DynamicValue { .map(members.map { DynamicMember($0.0, $0.1) }) }

    @Test func `attributes become members`() throws {
        let tree = try parse("a = 1\nb=\"x\" c = true # comment\n\"quoted key\" = -2.5 // more\n/* and\n more */ d.e-f = false")
        #expect(
            tree == map(("a", .int(1)), ("b", .string("x")), ("c", .bool(true)), ("quoted key", .double(-2.5)), ("d.e-f", .bool(false))))
    }

    @Test func `numbers may be hexadecimal, octal, negative or floating`() throws {
        let tree = try parse("a = 0x1F b = 017 c = -5 d = 1.5e3 e = 1e2 f = .5 g = -0x10 h = 0")
        #expect(
            tree
                == map(
                    ("a", .int(31)), ("b", .int(15)), ("c", .int(-5)), ("d", .double(1500)), ("e", .double(100)), ("f", .double(0.5)),
                    ("g", .int(-16)), ("h", .int(0))))
        #expect(error("a = 99999999999999999999") == "At 1:5: strconv.ParseInt: parsing \"99999999999999999999\": value out of range")
    }

    @Test func `blocks become lists of maps in the order of the text`() throws {
        let expected = map(("ports", .array([map(("http", .int(1))), map(("dns", .int(2)))])), ("x", .int(1)))
        #expect(try parse("ports { http = 1 }\nx = 1\nports = { dns = 2 }") == expected)
    }

    @Test func `labels become objects around the block`() throws {
        let tree = try parse("at \"10s\" { kill = \"leader\" }\nat \"14s\" { heal = true }")
        let first = map(("10s", .array([map(("kill", .string("leader")))])))
        let second = map(("14s", .array([map(("heal", .bool(true)))])))
        #expect(tree == map(("at", .array([first, second]))))
        #expect(try parse("a \"b\" c { }") == map(("a", .array([map(("b", .array([map(("c", .array([map()])))])))]))))
    }

    @Test func `objects in lists are plain maps`() throws {
        let tree = try parse("a = [{ x = 1, y { z = 2 } }, [1, 2,], \"s\",]")
        let object = map(("x", .int(1)), ("y", .array([map(("z", .int(2)))])))
        #expect(tree == map(("a", .array([object, .array([.int(1), .int(2)]), .string("s")]))))
    }

    @Test func `the last of several single values wins and lists are concatenated`() throws {
        #expect(try parse("a = 1 a = \"x\" b = [1] b = [2]") == map(("a", .string("x")), ("b", .array([.int(1), .int(2)]))))
        #expect(error("a = [1]\na = 2") == "At 2:1: key 'a' is both a list and a single value")
    }

    @Test func `strings have escapes and interpolations`() throws {
        #expect(try parse(#"a = "q\"\\\n\t\x41\101\u00e9\U0001F600""#) == map(("a", .string("q\"\\\n\tAA\u{e9}\u{1F600}"))))
        #expect(try parse(#"a = "x ${f("y", "{}")} z""#) == map(("a", .string(#"x ${f("y", "{}")} z"#))))
    }

    @Test func `heredocs keep their lines`() throws {
        #expect(try parse("a = <<EOT\nfirst\n  second \"x\"\nEOT\nb = 1") == map(("a", .string("first\n  second \"x\"\n")), ("b", .int(1))))
        #expect(try parse("a = <<-EOT\n    first\n      second\n    EOT\n") == map(("a", .string("first\n  second\n"))))
        #expect(try parse("a = <<-EOT\n    first\n  second\n    EOT\n") == map(("a", .string("    first\n  second\n"))))
        #expect(try parse("a = <<EOT\r\nx\r\nEOT\r\n") == map(("a", .string("x\n"))))
        #expect(try parse("a = <<EOT\nEOT") == map(("a", .string(""))))
    }

    @Test func `a text that begins with a brace is JSON`() throws {
        #expect(try parse(" \n{\"a\": {\"b\": [1, 2.5]}}") == map(("a", map(("b", .array([.int(1), .double(2.5)]))))))
        #expect(error("{\"a\":") == "unexpected end of JSON input")
    }

    @Test func `errors name line and column`() {
        #expect(error("x y z") == "At 1:7: key 'x y z' expected start of object ('{') or assignment ('=')")
        #expect(error("a = = 1") == "At 1:5: Unknown token: 1:5 ASSIGN =")
        #expect(error("service { name = \n") == "At 2:2: object expected closing RBRACE got: EOF")
        #expect(error("foo bar = 1") == "At 1:9: nested object expected: LBRACE got: ASSIGN")
        #expect(error("= 1") == "At 1:1: no object keys found!")
        #expect(error("{{}}") == "invalid character '{' looking for beginning of object key string")
        #expect(error("a = 1\n{ }") == "At 2:1: expected: IDENT | STRING got: LBRACE")
        #expect(error("a = \"x\ny") == "At 1:7: literal not terminated")
        #expect(error("a = [1 2]") == "At 1:8: error parsing list, expected comma or list end, got: NUMBER")
        #expect(error("a = [=]") == "At 1:6: unexpected token while parsing list: ASSIGN")
        #expect(
            error("a = [{ x = 1 ]")
                == "At 1:6: error while trying to parse object within list: At 1:14: expected: IDENT | STRING | ASSIGN | LBRACE got: RBRACK"
        )
        #expect(error("a = x") == "At 1:5: Unknown token: 1:5 IDENT x")
        #expect(error("/* open") == "At 1:8: comment not terminated")
        #expect(error("a = <<EOT\nx\n") == "At 3:1: heredoc not terminated")
        #expect(error("a { b }") == "At 1:7: key 'b' expected start of object ('{') or assignment ('=')")
        #expect(error("a = ?") == "At 1:5: illegal character")
        #expect(error("a = 1\u{0}") == "At 1:6: unexpected null character (0x00)")
    }

    @Test func `a text may end after the assignment sign, as in the reference`() throws {
        #expect(try parse("data_dir = \n") == map())
        #expect(try parse("") == map())
        #expect(try parse("# nothing\n") == map())
    }

    @Test func `nesting is bounded`() {
        let deep = String(repeating: "a {", count: 5000) + String(repeating: "}", count: 5000)
        #expect(error(deep).hasSuffix("nested more than 100 levels deep"))
        #expect(error("a = " + String(repeating: "[", count: 5000)).hasSuffix("nested more than 100 levels deep"))
        #expect(error(String(repeating: "a ", count: 5000) + "{}").hasSuffix("more than 100 labels"))
    }

    @Test func `random and damaged texts are refused or read, never trapped on`() {
        var random = Random(seed: 7)
        let seeds = [
            "a = 1 b { c = [1, 2, { d = \"x${y}\" }] }\nh = <<-EOT\n  x\n  EOT\n", "x \"y\" \"z\" { q = 0x1F }\n# c\n/* d */ e = .5e-3",
            "{\"a\": [1, {\"b\": null}], \"c\": \"\\u00e9\"}",
        ].map { Array($0.utf8) }
        let alphabet = Array("ab\"\\{}[]=,<-\n#/*$x0189.eE \r\u{e9}".utf8)
        for round in 0..<6000 {
            var text: [UInt8]
            if round % 3 == 0 {
                text = (0..<Int.random(in: 0..<60, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
            } else {
                text = seeds.randomElement(using: &random)!
                for _ in 0..<Int.random(in: 1..<5, using: &random) {
                    let at = Int.random(in: 0..<text.count, using: &random)
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0: text[at] = UInt8.random(in: 0...255, using: &random)
                    case 1: text.insert(alphabet.randomElement(using: &random)!, at: at)
                    default: if text.count > 1 { text.remove(at: at) }
                    }
                }
            }
            _ = try? HCL.parse(text)
        }
    }
}
