@testable import Core

/// Allows everything but what it is told to deny, and remembers what it was asked for. Used by one thread.
final class RecordingRules: PermissionRules, @unchecked Sendable {
    var isDenied: (Permission) -> Bool = { _ in false }
    /// Allows everything, or denies everything.
    var denies = false {
        didSet { isDenied = denies ? { _ in true } : { _ in false } }
    }
    private(set) var asked: [Permission] = []

    func allows(_ permission: Permission) -> Bool {
        asked.append(permission)
        return !isDenied(permission)
    }

    func forget() { asked = [] }

    func wasAsked(_ resource: Permission.Resource, _ level: Permission.Level) -> Bool {
        asked.contains { $0.subject.map { $0 == (resource, level) } ?? false }
    }

    var authorizer: Authorizer { Authorizer(view: Authorizer.View(id: 1), rules: self) }
    var access: AccessControl { AccessControl(everybody: authorizer) }
}
