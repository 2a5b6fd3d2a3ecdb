import CSystem
import Core
import Glibc

/// A connection between its acceptance and its adoption by a loop. Whoever receives it owns the descriptor.
struct AcceptedConnection {
    let fd: Int32
    /// The client's address without port.
    let client: String
}

/// Accepts connections and spreads them over the loops.
///
/// One socket for all loops: with one each (SO_REUSEPORT) the kernel spreads by a hash, unevenly, and a second agent could bind the
/// same port without an error.
final class HTTPListener: EventSource {
    private let socket: ListeningSocket
    private unowned let loop: IOLoop
    private let loops: [IOLoop]
    private var next = 0
    /// Given up for a moment when there are no descriptors left, so that the client can be told by closing its connection. Otherwise it
    /// would stay in the queue, and the listener ready, for ever.
    private var reserve = FileDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC))
    private var key: EventLoop.Key?

    /// Accepted in a row before other sources get their turn.
    static let acceptsMax = 64

    init(_ socket: ListeningSocket, on loop: IOLoop, spreadingOver loops: [IOLoop]) throws(SystemError) {
        self.socket = socket
        self.loop = loop
        self.loops = loops
        key = try loop.events.add(socket.fd, events: .readable, self)
    }

    func ready(_ events: UInt32) {
        for _ in 0..<Self.acceptsMax {
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let accepted = withUnsafeMutablePointer(to: &storage) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    csystem_accept4(socket.fd, $0, &length, Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue))
                }
            }
            if accepted < 0 {
                // A connection that is gone already says nothing about the next one.
                if errno == ECONNABORTED || errno == EINTR { continue }
                if errno == EMFILE || errno == ENFILE { refuse() }
                return
            }
            adopt(accepted, from: SocketAddress(&storage, length: length))
        }
    }

    private func adopt(_ accepted: Int32, from address: SocketAddress?) {
        let client = address.map { $0.isUnix ? "@" : $0.host } ?? ""
        guard address?.isUnix == true || loop.shared.clients.add(client) else {
            close(accepted)
            return
        }
        next = (next + 1) % loops.count
        let connection = AcceptedConnection(fd: accepted, client: client)
        if loops[next] === loop {
            HTTPConnection.adopt(connection, by: loop)
        } else {
            loops[next].post(.adopt(connection))
            _ = loops[next].deliver()
        }
    }

    private func refuse() {
        reserve.closeNow()
        let accepted = accept(socket.fd, nil, nil)
        if accepted >= 0 { close(accepted) }
        reserve = FileDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC))
    }

    func shutDown() {
        if let key { loop.events.remove(key) }
        key = nil
        socket.close()
    }
}
