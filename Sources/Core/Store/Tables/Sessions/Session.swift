public struct SessionServiceCheck: Hashable, Sendable {
    public var id = ""
    public var namespace = ""
    public init() {}
}

/// Spec: http-2 §3.
public struct Session: Hashable, Sendable {
    public var id = ""
    public var name = ""
    public var node = ""
    public var lockDelay: Duration = .zero
    /// `release` or `delete`.
    public var behavior = ""
    /// The text as the client gave it; empty for none.
    public var ttl = ""
    public var nodeChecks: [String]?
    public var serviceChecks: [SessionServiceCheck]?
    /// Deprecated, before 1.7.
    public var checks: [String]?
    public var index = RaftIndex()
    public init() {}
}
