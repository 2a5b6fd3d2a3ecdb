import CSystem
import Core
import Glibc

/// The machine's own log, which gets every line at the priority NOTICE under the tag `consul`. Spec: config §23.
///
/// Used by the log's thread only, after `init`.
public final class Syslog {
    private let fd: Int32
    private let priority: Int32
    private let tag: String

    private static let notice: Int32 = 5
    private static let facilities: [String] = [
        "KERN", "USER", "MAIL", "DAEMON", "AUTH", "SYSLOG", "LPR", "NEWS", "UUCP", "CRON", "AUTHPRIV", "FTP",
    ]
    private static let sockets = ["/dev/log", "/var/run/syslog", "/var/run/log"]

    /// Throws where nobody listens, or for a facility that does not exist.
    public init(facility: String) throws(LogFailure) {
        guard let number = Self.number(of: facility) else { throw LogFailure("invalid syslog facility: \(facility)") }
        guard let fd = Self.connected() else { throw LogFailure("Unix syslog delivery error") }
        self.fd = fd
        priority = number << 3 | Self.notice
        tag = "consul[\(getpid())]: "
    }

    deinit { close(fd) }

    private static func number(of facility: String) -> Int32? {
        let name = facility.uppercased()
        if let at = facilities.firstIndex(of: name) { return Int32(at) }
        guard name.hasPrefix("LOCAL"), let number = Int32(name.dropFirst(5)), 0...7 ~= number else { return nil }
        return 16 + number
    }

    private static func connected() -> Int32? {
        for path in sockets {
            guard let address = SocketAddress(unixPath: path) else { continue }
            let fd = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            if fd < 0 { return nil }
            if address.withSockaddr({ connect(fd, $0, $1) }) == 0 { return fd }
            close(fd)
        }
        return nil
    }

    /// Sends one line; its end is not part of it. What the daemon does not take is lost.
    func write(_ line: Slice<UnsafeRawBufferPointer>) {
        var message = Array("<\(priority)>\(Self.timeStamp) \(tag)".utf8)
        message.append(contentsOf: line)
        _ = message.withUnsafeBytes { send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    /// `Jan  2 15:04:05`
    private static var timeStamp: String {
        var now = time(nil)
        var parts = tm()
        localtime_r(&now, &parts)
        var buffer = [CChar](repeating: 0, count: 32)
        let count = strftime(&buffer, buffer.count, "%b %e %H:%M:%S", &parts)
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
