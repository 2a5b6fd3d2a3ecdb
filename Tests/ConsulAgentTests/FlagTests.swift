import Core
import Testing

@testable import ConsulAgent

@Suite struct FlagTests {
    private let flags = FlagSet(flags: [
        Flag("keys", .bool, "Names only."), Flag("stale", .looseBool, "Any server."), Flag("name", .string, "The name.", initial: "x"),
        Flag("count", .uint, "A number.", initial: "0"), Flag("port", .number, "A port."), Flag("addr", .value, "The `address` of it."),
        Flag("meta", .pairs, "Pairs."), Flag("list", .list, "Many."),
    ])

    private func parse(_ words: String...) throws -> Arguments { try flags.parse(words) }

    private func error(_ words: String...) -> String {
        do {
            _ = try flags.parse(words)
            return ""
        } catch {
            return error.text
        }
    }

    @Test func `values follow the name or an equals sign, with one dash or two`() throws {
        let arguments = try parse("-name", "a", "--addr=b=c", "-keys", "-count=0x10", "pos", "-keys=false")
        #expect(arguments.string("name") == "a" && arguments.string("addr") == "b=c" && arguments.isSet("keys"))
        #expect(arguments.number("count") == 16)
        #expect(arguments.positional == ["pos", "-keys=false"])
    }

    @Test func `flags end at two dashes, at one dash and at the first argument`() throws {
        #expect(try parse("--", "-keys").positional == ["-keys"])
        #expect(try parse("-", "-keys").positional == ["-", "-keys"])
    }

    @Test func `the last value of a flag counts, lists grow`() throws {
        let arguments = try parse("-keys", "-keys=F", "-list", "a", "-list=b", "-meta", "k=1", "-meta=k=2")
        #expect(!arguments.isSet("keys") && arguments.list("list") == ["a", "b"])
        #expect(arguments.pairs("meta").map(\.value) == ["2"])
    }

    @Test func `mistakes are named in Go's words`() {
        #expect(error("-bad") == "flag provided but not defined: -bad")
        #expect(error("-name") == "flag needs an argument: -name")
        #expect(error("---x") == "bad flag syntax: ---x")
        #expect(error("-keys=maybe") == "invalid boolean value \"maybe\" for -keys: parse error")
        #expect(error("-stale=zz") == "invalid boolean value \"zz\" for -stale: strconv.ParseBool: parsing \"zz\": invalid syntax")
        #expect(error("-count=-1") == "invalid value \"-1\" for flag -count: parse error")
        #expect(error("-count=99999999999999999999") == "invalid value \"99999999999999999999\" for flag -count: value out of range")
        #expect(error("-port=abc") == "invalid value \"abc\" for flag -port: strconv.Atoi: parsing \"abc\": invalid syntax")
        #expect(
            error("-port=99999999999999999999")
                == "invalid value \"99999999999999999999\" for flag -port: strconv.Atoi: parsing \"99999999999999999999\": value out of range"
        )
        #expect(error("-meta=foo") == "invalid value \"foo\" for flag -meta: Missing \"=\" value in argument: foo")
    }

    @Test func `numbers in all of Go's spellings`() {
        for (text, value) in [("017", 15), ("0o17", 15), ("0b11", 3), ("1_000", 1000), ("0x_f", 15), ("0", 0), ("+5", 5)]
            as [(String, UInt64)]
        {
            #expect(GoInteger.parse(text) == .value(magnitude: value, isNegative: false))
        }
        for text in ["", "_1", "1_", "1__0", "08", "0x", "abc", "1.5"] { #expect(GoInteger.parse(text) == .invalid) }
    }

    @Test func `the list of flags is sorted and shows defaults`() {
        let lines = flags.usage.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[0...2] == ["Usage:", "  -addr address", "    \tThe address of it."])
        #expect(flags.usage.contains("  -count uint\n    \tA number.\n"))
        #expect(flags.usage.contains("  -keys\n    \tNames only.\n"))
        #expect(flags.usage.contains("  -name string\n    \tThe name. (default \"x\")\n"))
    }
}
