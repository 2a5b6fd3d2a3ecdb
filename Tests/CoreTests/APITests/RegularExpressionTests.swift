import Testing

@testable import Core

@Suite struct RegularExpressionTests {
    private func matches(_ pattern: String, _ text: String) throws -> Bool { try RegularExpression(pattern).matches(text) }

    @Test(arguments: [
        ("", ""), ("a", "bab"), ("^a", "ab"), ("b$", "ab"), ("^$", ""), ("a.c", "abc"), ("a|b", "b"), ("^(a|bc)+$", "abca"),
        ("a*", ""), ("^a+$", "aaa"), ("^ab?c$", "ac"), ("^a{2}$", "aa"), ("^a{2,}$", "aaaa"), ("^a{1,3}$", "aa"), ("^x*?y$", "xxy"),
        ("[a-c]+", "xxb"), ("[^a-c]", "d"), ("^[]a]$", "]"), ("^[a-]$", "-"), (#"^\d{3}$"#, "123"), (#"\bfoo\b"#, "a foo b"),
        (#"\Bo\B"#, "foot"), ("(?i)web", "WeB"), ("(?i)^[a-z]+$", "ABC"), ("(?i:A)b", "ab"), ("(?s)a.b", "a\nb"), ("(?m)^b$", "a\nb\nc"),
        ("(?P<n>x)y", "xy"), ("(?:ab)+", "abab"), (#"\x41\x{1F600}\101"#, "A\u{1F600}A"), (#"\Qa.b\E+"#, "a.bb"), (#"^\pL+$"#, "größe"),
        (#"^\p{Lu}\P{Lu}$"#, "Aa"), ("^[[:alpha:][:digit:]]+$", "a1"), ("^[[:^alpha:]]$", "1"), (#"^[\w.]+$"#, "a.b_c"), ("é", "caf\u{E9}"),
        (#"\Aab\z"#, "ab"), ("a{,2}", "a{,2}"), ("x{a}", "x{a}"), ("(a*)*b", "aaab"), ("(|a)+", "a"), ("(?i)\u{212A}", "k"),
        (#"[^\d]"#, "x"),
    ])
    func `a pattern that matches is found`(pattern: String, text: String) throws {
        #expect(try matches(pattern, text))
    }

    @Test(arguments: [
        ("a", "b"), ("^a", "ba"), ("a.c", "a\nc"), ("^a{2}$", "aaa"), ("[^a-c]", "abc"), (#"\bfoo\b"#, "afoob"), ("(?-i)a", "A"),
        ("^b$", "a\nb"), ("(?i)[^k]", "\u{212A}"), (#"\d"#, "x"), ("^[[:^alpha:]]$", "a"), ("(?i:a)B", "ab"),
    ])
    func `a pattern that does not match is not found`(pattern: String, text: String) throws {
        #expect(try !matches(pattern, text))
    }

    @Test(arguments: [
        ("[", "missing closing ]: `[`"), ("[a", "missing closing ]: `[a`"), ("(", "missing closing ): `(`"), ("a)", "unexpected ): `a)`"),
        ("*", "missing argument to repetition operator: `*`"), ("a|*", "missing argument to repetition operator: `*`"),
        ("a**", "invalid nested repetition operator: `**`"), ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("a{1001}", "invalid repeat count: `{1001}`"), ("a{3,2}", "invalid repeat count: `{3,2}`"),
        ("(a{100}){100}", "invalid repeat count: `{100}`"), ("[b-a]", "invalid character class range: `b-a`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"), (#"\p{Foo}"#, #"invalid character class range: `\p{Foo}`"#),
        (#"\y"#, #"invalid escape sequence: `\y`"#), (#"\8"#, #"invalid escape sequence: `\8`"#),
        (#"\"#, "trailing backslash at end of expression: ``"),
        ("(?z)", "invalid or unsupported Perl syntax: `(?z`"), ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?P<a b>x)", "invalid named capture: `(?P<a b>`"), ("(?P<n>a)(?P<n>b)", "invalid named capture: `(?P<n>`"),
    ])
    func `errors are in the words of RE2`(pattern: String, expected: String) {
        #expect { try RegularExpression(pattern) } throws: { ($0 as? RegexError)?.description == "error parsing regexp: " + expected }
    }

    @Test func `matching takes linear time`() throws {
        let text = String(repeating: "a", count: 5000)
        #expect(try !matches("^(a?){30}(a*)*b$", text))
        #expect(try !matches("(a|aa)*c", text))
    }

    @Test func `deep and large expressions are refused`() {
        #expect(throws: RegexError.self) { try RegularExpression(String(repeating: "(", count: 100_000)) }
        #expect(throws: RegexError.self) { try RegularExpression(String(repeating: "(abcdefghijabcdefghij){1000}", count: 2)) }
    }
}
