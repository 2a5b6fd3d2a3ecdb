import Core
import Glibc

/// Gives unix sockets the owner and mode that the configuration names. Spec: config §7.2.
enum UnixSocketOwner {
    /// The text is the reference's.
    static func apply(_ config: UnixSocketConfig, to path: String) throws(ListeningSocket.Failure) {
        func failure(_ text: String) -> ListeningSocket.Failure {
            ListeningSocket.Failure(description: "Failed setting up socket: \(text)")
        }
        if !config.user.isEmpty || !config.group.isEmpty {
            guard let user = config.user.isEmpty ? getuid() : self.user(config.user) else {
                throw failure("failed to look up user \(config.user): user: unknown user \(config.user)")
            }
            guard let group = config.group.isEmpty ? getgid() : gid_t(config.group) else {
                throw failure("invalid group specified: \(config.group)")
            }
            guard chown(path, user, group) == 0 else {
                throw failure("failed setting ownership to \(user):\(group) on \"\(path)\": chown \(path): \(SystemError.current)")
            }
        }
        if config.mode.isEmpty { return }
        guard let mode = mode_t(config.mode, radix: 8) else { throw failure("invalid mode specified: \(config.mode)") }
        guard chmod(path, mode) == 0 else {
            throw failure("failed setting permissions to \(config.mode) on \"\(path)\": chmod \(path): \(SystemError.current)")
        }
    }

    /// The number of a user, who may be named by it; nil: there is none.
    private static func user(_ name: String) -> uid_t? {
        if let number = uid_t(name) { return number }
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16384)
        guard getpwnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
        return entry.pw_uid
    }
}
