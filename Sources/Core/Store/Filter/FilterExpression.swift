/// What a filter says, as parsed. Spec: http-1 §2.1.
indirect enum FilterExpression: Sendable {
    case and([FilterExpression])
    case or([FilterExpression])
    case not(FilterExpression)
    case match(FilterMatch)
}

/// One comparison.
struct FilterMatch: Sendable {
    var selector: [String]
    var op: FilterOperator
    /// nil for `is empty` and `is not empty`.
    var value: String?
}

/// The raw values are the names in error texts.
enum FilterOperator: String, Sendable {
    case equal = "Equal"
    case notEqual = "Not Equal"
    case isIn = "In"
    case notIn = "Not In"
    case isEmpty = "Is Empty"
    case isNotEmpty = "Is Not Empty"
    case matches = "Matches"
    case notMatches = "Not Matches"
}

/// Why a filter cannot be used.
public struct FilterError: Error, Hashable, Sendable {
    /// Without the prefix.
    public var detail: String
    /// The text is no expression at all, whatever it would be applied to.
    public var isSyntax: Bool

    /// As the reference answers it, with status 500.
    public var text: String { "Failed to create boolean expression evaluator: " + detail }
}
