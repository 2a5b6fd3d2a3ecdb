/// What the holder of a token may do. Every read and write path takes one.
///
/// Access control lists are not enforced yet: the only authorizer allows everything, as the reference does with ACLs off.
public struct Authorizer: Sendable {
    public static let allowAll = Authorizer()

    private init() {}

    /// nil when the write is allowed, else the error text (`Permission denied`).
    public func refusal(of request: borrowing WriteRequest) -> String? { nil }

    /// The rows of a result that the holder may see.
    public func filter(_ result: consuming QueryResult) -> QueryResult { result }
}
