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
    private var acceptor = Acceptor()
    private var key: EventLoop.Key?

    init(_ socket: ListeningSocket, on loop: IOLoop, spreadingOver loops: [IOLoop]) throws(SystemError) {
        self.socket = socket
        self.loop = loop
        self.loops = loops
        key = try loop.events.add(socket.fd, events: .readable, self)
    }

    func ready(_ events: UInt32) {
        acceptor.accept(from: socket.fd) { adopt($0, from: $1) }
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

    func shutDown() {
        if let key { loop.events.remove(key) }
        key = nil
        socket.close()
    }
}
