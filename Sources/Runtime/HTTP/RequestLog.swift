import CSystem
import Core
import Glibc

/// What the log says of the requests of clients (http-1 §1.2).
struct RequestLog {
    private let logger: Logger

    static let module = "agent.http"

    init(_ logger: Logger) { self.logger = logger }

    /// Whether anybody wants to know of requests that went well.
    var wantsAll: Bool { logger.wants(.debug) }

    /// An answered request of the client at the socket `fd`; `error` is the answer's text if it was one.
    func answered(_ method: String, _ target: [UInt8], error: String?, by fd: Int32, since start: Instant) {
        let request = "method=\(Self.value(method)) url=\(Self.value(HTTPRequest.logged(target: target))) from=\(Self.client(of: fd))"
        if let error { logger.log(.error, Self.module, "Request error: \(request) error=\(Self.value(error))") }
        if wantsAll {
            let latency = GoDuration.format(SystemClock.now() - start)
            logger.log(.debug, Self.module, "Request finished: \(request) latency=\(latency)")
        }
    }

    /// In quotes where the value's end could not be told otherwise.
    private static func value(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=") && $0 != 0x7F }
        return isPlain && !text.isEmpty ? text : GoQuote.quote(text)
    }

    /// Address and port; empty for a client that is gone, `@` on a unix socket.
    private static func client(of fd: Int32) -> String {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(fd, $0, &length) }
        }
        guard result == 0, let address = SocketAddress(&storage, length: length) else { return "" }
        return address.isUnix ? "@" : address.description
    }
}
