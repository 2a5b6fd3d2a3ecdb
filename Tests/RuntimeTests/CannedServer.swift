import CSystem
import Foundation

/// Accepts connections on loopback and answers each with fixed pieces, whatever is asked; remembers what was asked.
final class CannedServer: @unchecked Sendable {
    let port: Int
    private let listener: Int32
    private let lock = NSLock()
    private var asked: [String] = []
    private let handler: @Sendable (Int32) -> Void

    /// Each connection is read up to the end of a request head, then given `pieces`, then closed.
    convenience init(_ pieces: String...) {
        self.init { fd in
            for piece in pieces { _ = Array(piece.utf8).withUnsafeBytes { send(fd, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL)) } }
        }
    }

    init(_ handler: @escaping @Sendable (Int32) -> Void) {
        self.handler = handler
        let fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                precondition(bind(fd, $0, length) == 0)
                precondition(getsockname(fd, $0, &length) == 0)
            }
        }
        precondition(listen(fd, 100) == 0)
        listener = fd
        port = Int(UInt16(bigEndian: address.sin_port))
        Foundation.Thread.detachNewThread { self.serve() }
    }

    deinit { close(listener) }

    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    var requests: [String] { lock.withLock { asked } }

    private func serve() {
        while true {
            let fd = accept(listener, nil, nil)
            if fd < 0 { return }
            var head: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65536)
            while !String(decoding: head, as: UTF8.self).contains("\r\n\r\n") {
                let count = recv(fd, &buffer, buffer.count, 0)
                if count <= 0 { break }
                head += buffer[..<count]
            }
            lock.withLock { asked.append(String(decoding: head, as: UTF8.self)) }
            handler(fd)
            close(fd)
        }
    }
}

/// A port of loopback on which nobody listens.
func unusedPort() -> Int {
    let server = CannedServer("")
    server.stop()
    return server.port
}
