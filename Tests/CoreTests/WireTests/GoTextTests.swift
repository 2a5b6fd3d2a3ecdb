import Foundation
import Testing

@testable import Core

@Suite struct GoTextTests {
    private func failure<T>(_ body: () throws(TextError) -> T) -> String? {
        do {
            _ = try body()
            return nil
        } catch { return error.text }
    }

    @Test func `durations are parsed as in Go`() throws {
        let lengths: [(String, Int64)] = [
            ("0", 0), ("+0", 0), ("5s", 5_000_000_000), ("1.5h", 5_400_000_000_000), ("2h45m", 9_900_000_000_000), ("300ms", 300_000_000),
            ("-1.5s", -1_500_000_000), ("1us", 1_000), ("1µs", 1_000), ("1μs", 1_000), ("10ns", 10), (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("1m0.001s", 60_001_000_000), ("0.100000000000000000000h", 360_000_000_000), ("2562047h47m16.854775807s", Int64.max),
        ]
        for (text, length) in lengths { #expect(try GoDuration.parse(text) == .nanoseconds(length), "\(text)") }
        #expect(failure { () throws(TextError) in try GoDuration.parse("10") } == "time: missing unit in duration \"10\"")
        #expect(failure { () throws(TextError) in try GoDuration.parse("x") } == "time: invalid duration \"x\"")
        #expect(failure { () throws(TextError) in try GoDuration.parse("") } == "time: invalid duration \"\"")
        #expect(failure { () throws(TextError) in try GoDuration.parse("1d") } == "time: unknown unit \"d\" in duration \"1d\"")
        #expect(failure { () throws(TextError) in try GoDuration.parse("-") } == "time: invalid duration \"-\"")
        #expect(failure { () throws(TextError) in try GoDuration.parse(".s") } == "time: invalid duration \".s\"")
        #expect(failure { () throws(TextError) in try GoDuration.parse("9999999h") } == "time: invalid duration \"9999999h\"")
    }

    @Test func `durations are printed as in Go`() {
        let lengths: [(Duration, String)] = [
            (.zero, "0s"), (.seconds(10), "10s"), (.milliseconds(1500), "1.5s"), (.milliseconds(100), "100ms"), (.seconds(60), "1m0s"),
            (.milliseconds(259_380_500), "72h3m0.5s"), (.microseconds(1), "1µs"), (.nanoseconds(1), "1ns"), (.nanoseconds(1_100), "1.1µs"),
            (.nanoseconds(-1_000_000_001), "-1.000000001s"), (.seconds(3600), "1h0m0s"), (.seconds(315_360_000), "87600h0m0s"),
            (.nanoseconds(Int64.min), "-2562047h47m16.854775808s"),
        ]
        for (length, text) in lengths { #expect(GoDuration.format(length) == text) }
    }

    @Test func `durations survive printing and parsing`() throws {
        var random = Random(seed: 3)
        for round in 0..<2_000 {
            let length = Duration.nanoseconds(Int64(bitPattern: random.next()) >> Int64(round % 60) | 1)
            #expect(try GoDuration.parse(GoDuration.format(length)) == length)
        }
    }

    @Test func `numbers fail with the words of strconv`() throws {
        #expect(try GoNumber.parseUInt("18446744073709551615") == .max)
        #expect(try GoNumber.parseInt("-9223372036854775808") == .min)
        #expect(try GoNumber.parseInt("+5") == 5)
        #expect(failure { () throws(TextError) in try GoNumber.parseUInt("abc") } == "strconv.ParseUint: parsing \"abc\": invalid syntax")
        #expect(failure { () throws(TextError) in try GoNumber.parseUInt("") } == "strconv.ParseUint: parsing \"\": invalid syntax")
        #expect(failure { () throws(TextError) in try GoNumber.parseUInt("-1") } == "strconv.ParseUint: parsing \"-1\": invalid syntax")
        #expect(
            failure { () throws(TextError) in try GoNumber.parseUInt("18446744073709551616") }
                == "strconv.ParseUint: parsing \"18446744073709551616\": value out of range")
        #expect(failure { () throws(TextError) in try GoNumber.parseUInt("65536", bits: 16) }?.hasSuffix("value out of range") == true)
        #expect(failure { () throws(TextError) in try GoNumber.parseAtoi("x") } == "strconv.Atoi: parsing \"x\": invalid syntax")
        #expect(failure { () throws(TextError) in try GoNumber.parseInt("-129", bits: 8) }?.hasSuffix("value out of range") == true)
        #expect(failure { () throws(TextError) in try GoNumber.parseBool("yes") } == "strconv.ParseBool: parsing \"yes\": invalid syntax")
    }

    @Test func `quoting escapes what cannot be printed`() {
        #expect(GoQuote.quote("a\"b\\\n\u{1}é\u{200b}\u{7f}\u{e000}\u{10ffff}") == #""a\"b\\\n\x01é\u200b\x7f\ue000\U0010ffff""#)
    }

    @Test func `base64 is decoded with Go's offsets`() throws {
        #expect(try Base64.decode("aGVsbG8=") == Array("hello".utf8))
        #expect(try Base64.decode("YW\nJj\r\n") == Array("abc".utf8))
        #expect(try Base64.decode("") == [])
        let failures: [(String, Int, String)] = [
            ("!", 0, ""), ("abc", 0, ""), ("YWJj!", 4, "abc"), ("YWJjYQ", 4, "abc"), ("YQ=x", 2, ""), ("YQ=", 3, ""), ("YQ==x", 4, "a"),
            ("=", 0, ""), ("YWI=YWI=", 4, "ab"),
        ]
        for (source, offset, partial) in failures {
            let error = #expect(throws: Base64Error.self) { try Base64.decode(source) }
            #expect(error == Base64Error(offset: offset, partial: Array(partial.utf8)), "\(source)")
        }
        var random = Random(seed: 5)
        for _ in 0..<500 {
            let bytes = randomBytes(upTo: 50, &random)
            #expect(try Base64.decode(Base64.encode(bytes)) == bytes)
            _ = try? Base64.decode(mutated(Array(Base64.encode(bytes).utf8), &random))
        }
    }

    @Test func `UUIDs are read by their bytes`() throws {
        let id = "4B4A4c5d-0000-1111-2222-333344445555"
        #expect(try UUIDText.parse(id) == hex("4b4a4c5d00001111222233334444 5555"))
        #expect(failure { () throws(TextError) in try UUIDText.parse("x") } == "UUID must be 36 characters")
        #expect(
            failure { () throws(TextError) in try UUIDText.parse("4b4a4c5d-0000-1111-2222-3333444-5555") }
                == "UUID should have maximum of 4 \"-\"; got 5")
        #expect(
            failure { () throws(TextError) in try UUIDText.parse("4b4a4c5d-0000-1111-22222233334444555") }
                == "Input (without hyphens) must be even length")
        #expect(
            failure { () throws(TextError) in try UUIDText.parse("z b4a4c5d-000-1111-2222-333344445555") }?.hasPrefix("Invalid UUID: ")
                == true)
        #expect(
            failure { () throws(TextError) in try UUIDText.parse("zb4a4c5d-0000-1111-2222-333344445555") }
                == "Invalid UUID: encoding/hex: invalid byte: U+007A 'z'")
        #expect(UUIDText.invalidHex(0x0A) == "encoding/hex: invalid byte: U+000A")
    }

    @Test func `values in log lines are quoted for blanks only, without escapes`() {
        #expect(
            ["a", "", "a\"b=c", "a b", "a\nb", "a\tb", "a\rb", "say \"hi\""].map { LogText.value($0) } == [
                "a", "", "a\"b=c", "\"a b\"", "\"a\nb\"", "\"a\tb\"", "\"a\rb\"", "\"say \"hi\"\"",
            ])
        #expect(LogText.list(["a", "b c"]) == #"["a", "b c"]"#)
        #expect(LogText.list([]) == "[]")
    }

    @Test func `lists of errors keep their lines in the log, and nobody can forge a line`() {
        func shown(_ message: String) -> String {
            var out: [UInt8] = []
            LogText.append(message, to: &out)
            return String(decoding: out, as: UTF8.self)
        }
        let errors = "couldn't join: error=\"1 error occurred:\n\t* Failed to join\n\n\""
        #expect(shown(errors) == errors)
        #expect(shown("1 error occurred:\n\t* x\n\n") == "1 error occurred:\n\t* x\n\n")
        #expect(
            shown("node=\"a\n    2026-01-01T00:00:00.000Z [INFO]  agent: b\"") == "node=\"a     2026-01-01T00:00:00.000Z [INFO]  agent: b\""
        )
        #expect(shown("a\n\n2026") == "a  2026")
        #expect(shown("a\r\n2026\r") == "a  2026 ")
    }

    @Test func `what a terminal would obey is escaped in the log`() {
        func shown(_ message: String) -> String {
            var out: [UInt8] = []
            LogText.append(message, to: &out)
            return String(decoding: out, as: UTF8.self)
        }
        #expect(shown("service=\u{1B}]0;owned\u{07}") == #"service=\x1b]0;owned\a"#)
        #expect(shown("\u{0}\u{8}\u{B}\u{C}\u{7F}\u{9B}2J") == #"\x00\b\v\f\x7f\u009b2J"#)
        #expect(shown("a\u{202E}b\u{2028}c\u{E0001}") == #"a\u202eb\u2028c\U000e0001"#)
        #expect(shown("größe=\"é ☃ 日本\" \\x1b") == "größe=\"é ☃ 日本\" \\x1b")
        for value in UInt32(0)..<0xA0 where value != 0x09 && value != 0x0A {
            let bytes = Array(shown(String(Unicode.Scalar(value)!)).utf8)
            #expect(bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7F })
        }
    }

    @Test func `times are printed in RFC 3339 and for HTTP`() throws {
        let time = GoTime(unixSeconds: 1_795_237_336, nanoseconds: 500_000_000)
        #expect(time.rfc3339 == "2026-11-21T05:02:16.5Z")
        #expect(time.httpDate == "Sat, 21 Nov 2026 05:02:16 GMT")
        #expect(GoTime.zero.rfc3339 == "0001-01-01T00:00:00Z")
        #expect(GoTime(unixSeconds: time.unixSeconds, offsetMinutes: 90).rfc3339 == "2026-11-21T06:32:16+01:30")
        var random = Random(seed: 1)
        for _ in 0..<2_000 {
            let seconds = Int64.random(in: -62_135_596_800...253_402_300_799, using: &random)
            var civil = tm(), time = time_t(seconds)
            gmtime_r(&time, &civil)
            let date = [Int(civil.tm_year) + 1_900, Int(civil.tm_mon) + 1, Int(civil.tm_mday)]
            let day = [civil.tm_hour, civil.tm_min, civil.tm_sec].map { Int($0) }
            #expect(GoTime(unixSeconds: seconds).rfc3339 == String(format: "%04d-%02d-%02dT%02d:%02d:%02dZ", arguments: date + day))
        }
        #expect(GoTime(unixNanoseconds: -1) == GoTime(unixSeconds: -1, nanoseconds: 999_999_999))
    }
}
