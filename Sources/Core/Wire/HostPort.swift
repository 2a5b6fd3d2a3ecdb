/// `host:port` in the spelling of Go's `net` package.
public enum HostPort {
    /// `net.SplitHostPort`: the host comes without brackets.
    public static func split(_ text: String) throws(TextError) -> (host: String, port: String) {
        func failure(_ reason: String) -> TextError { TextError("address \(text): \(reason)") }
        let bytes = Array(text.utf8)
        let open = UInt8(ascii: "["), close = UInt8(ascii: "]"), mark = UInt8(ascii: ":")
        guard let colon = bytes.lastIndex(of: mark) else { throw failure("missing port in address") }
        var host = bytes[..<colon]
        var afterHost = 0
        if bytes[0] == open {
            guard let end = bytes.firstIndex(of: close) else { throw failure("missing ']' in address") }
            if end + 1 == bytes.count { throw failure("missing port in address") }
            if end + 1 != colon { throw failure(bytes[end + 1] == mark ? "too many colons in address" : "missing port in address") }
            host = bytes[1..<end]
            afterHost = end + 1
        } else if host.contains(mark) {
            throw failure("too many colons in address")
        }
        if bytes[(afterHost == 0 ? 0 : 1)...].contains(open) { throw failure("unexpected '[' in address") }
        if bytes[afterHost...].contains(close) { throw failure("unexpected ']' in address") }
        return (String(decoding: host, as: UTF8.self), String(decoding: bytes[(colon + 1)...], as: UTF8.self))
    }

    /// `net.JoinHostPort`: brackets around hosts with a colon or a zone.
    public static func join(_ host: String, _ port: Int) -> String { join(host, String(port)) }

    public static func join(_ host: String, _ port: String) -> String {
        host.utf8.contains { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "%") } ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
