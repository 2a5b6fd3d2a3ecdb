@testable import Core

/// Allows everything or nothing, and remembers what it was asked for. Used by one thread.
final class RecordingRules: PermissionRules, @unchecked Sendable {
    var denies = false
    private(set) var asked: [Permission] = []

    func allows(_ permission: Permission) -> Bool {
        asked.append(permission)
        return !denies
    }

    func forget() { asked = [] }

    func wasAsked(_ resource: Permission.Resource, _ level: Permission.Level) -> Bool {
        asked.contains { $0.subject.map { $0 == (resource, level) } ?? false }
    }

    var access: AccessControl { AccessControl(everybody: Authorizer(view: Authorizer.View(id: 1), rules: self)) }
}
