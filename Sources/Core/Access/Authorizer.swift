/// What decides for an `Authorizer`: the rules of one holder of rights, compiled.
public protocol PermissionRules: AnyObject, Sendable {
    /// Whether the holder has this right. Never asked for `openToEverybody`.
    func allows(_ permission: Permission) -> Bool
}

/// What the holder of a token may do. Every read, write and operation passes one (`RequestContext`).
///
/// Access control lists are not enforced yet: the only authorizer of an agent allows everything, as the reference does with ACLs off.
public struct Authorizer: Sendable {
    /// What the holder sees of the state. Answers may be shared among holders of equal views, and among no others.
    public struct View: Hashable, Sendable {
        public let id: UInt64
        public init(id: UInt64) { self.id = id }
        public static let everything = View(id: 0)
    }

    public static let allowAll = Authorizer(view: .everything, rules: nil)

    public let view: View
    /// nil: everything is allowed.
    private let rules: (any PermissionRules)?

    private init(view: View, rules: (any PermissionRules)?) {
        self.view = view
        self.rules = rules
    }

    /// `view` is that of no other rules.
    public init(view: View, rules: any PermissionRules) {
        precondition(view != .everything, "only who may do everything sees everything")
        self.view = view
        self.rules = rules
    }

    public func allows(_ permission: Permission) -> Bool {
        guard let rules else { return true }
        return permission == .openToEverybody || rules.allows(permission)
    }

    public func require(_ permission: Permission) throws(Denied) {
        if !allows(permission) { throw Denied() }
    }

    /// Takes away the rows that the holder must not see. O(1) for who may do everything.
    func filter<Element>(_ rows: inout [Element], _ isVisible: (Element) -> Bool) {
        if rules == nil { return }
        rows.removeAll { !isVisible($0) }
    }
}
