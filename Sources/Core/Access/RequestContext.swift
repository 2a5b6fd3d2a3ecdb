/// Who asks, and what that caller may do. Made where a request enters (HTTP, DNS, the server port, the agent's own work) and carried with
/// everything that the request leads to. Spec: acl §5.
public struct RequestContext: Sendable {
    public let authorizer: Authorizer
    /// The secret that the request named; empty: none. Goes along when another server carries out the request: that one resolves it again.
    public let token: String
    /// The address from which the request came, without port; empty for the agent's own work.
    public let source: String

    public init(authorizer: Authorizer, token: String, source: String) {
        self.authorizer = authorizer
        self.token = token
        self.source = source
    }

    /// Whether an answer to one may be given to the other.
    func sees(like other: RequestContext) -> Bool { authorizer.view == other.authorizer.view }

    /// What an agent does for itself, with no request of anybody behind it: the leader's duties, joining, reconciling.
    public static let ownWork = RequestContext(authorizer: .allowAll, token: "", source: "")
}

/// How tokens become authorizers.
public struct AccessControl: Sendable {
    /// ACLs are off: every token, and none, may do everything.
    public static let disabled = AccessControl(everybody: .allowAll)

    private let everybody: Authorizer

    /// Every token means `everybody`.
    public init(everybody: Authorizer) { self.everybody = everybody }

    public func context(token: String, source: String) -> RequestContext {
        RequestContext(authorizer: everybody, token: token, source: source)
    }
}
