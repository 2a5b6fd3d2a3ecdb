/// A regular expression in RE2's syntax, matched in time proportional to text times expression.
///
/// Covers what Go's `regexp` accepts but Unicode scripts (`\p{Greek}`; general categories are known). Only asks whether there is a
/// match: groups do not capture and non-greedy operators mean the same as greedy ones.
public struct RegularExpression: Sendable {
    public let pattern: String
    private let program: RegexProgram

    /// Throws the reference's text: "error parsing regexp: missing closing ]: `[`".
    public init(_ pattern: String) throws(RegexError) {
        self.pattern = pattern
        var parser = RegexParser(pattern)
        program = try RegexProgram(try parser.parse())
    }

    /// Whether any part of `text` matches.
    public func matches(_ text: String) -> Bool {
        var matcher = RegexMatcher(program)
        return matcher.matches(text)
    }
}

/// Why a pattern is no regular expression.
public struct RegexError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        case invalidCharRange = "invalid character class range"
        case invalidEscape = "invalid escape sequence"
        case invalidNamedCapture = "invalid named capture"
        case invalidPerlOperator = "invalid or unsupported Perl syntax"
        case invalidRepeatOperator = "invalid nested repetition operator"
        case invalidRepeatSize = "invalid repeat count"
        case missingBracket = "missing closing ]"
        case missingParenthesis = "missing closing )"
        case missingRepeatArgument = "missing argument to repetition operator"
        case trailingBackslash = "trailing backslash at end of expression"
        case unexpectedParenthesis = "unexpected )"
        case nestingDepth = "expression nests too deeply"
        case tooLarge = "expression too large"
    }

    public var code: Code
    /// The offending part of the pattern.
    public var part: String

    public var description: String { "error parsing regexp: \(code.rawValue): `\(part)`" }
}

/// The limits of an expression. The reference's are larger; these bound memory, stack and time.
enum RegexLimits {
    static let depth = 200
    static let instructions = 20_000
    /// The largest count of a repetition, and of nested ones multiplied.
    static let repetitions = 1000
}

/// The structure of an expression.
indirect enum RegexNode {
    enum Assertion: UInt8 {
        case beginLine, endLine, beginText, endText, wordBoundary, noWordBoundary
    }

    case empty
    case set(ScalarSet)
    case assertion(Assertion)
    case sequence([RegexNode])
    case alternatives([RegexNode])
    /// nil: without upper limit.
    case repetition(RegexNode, min: Int, max: Int?)

    /// Whether counted repetitions, multiplied along every path, stay below `limit`.
    func repeats(atMost limit: Int) -> Bool {
        switch self {
        case .empty, .set, .assertion: return true
        case .sequence(let parts), .alternatives(let parts): return parts.allSatisfy { $0.repeats(atMost: limit) }
        case .repetition(let part, let min, let max):
            let times = max ?? min
            if times > limit { return false }
            return part.repeats(atMost: times > 0 ? limit / times : limit)
        }
    }

    var depth: Int {
        switch self {
        case .empty, .set, .assertion: 1
        case .sequence(let parts), .alternatives(let parts): 1 + (parts.lazy.map(\.depth).max() ?? 0)
        case .repetition(let part, _, _): 1 + part.depth
        }
    }
}
