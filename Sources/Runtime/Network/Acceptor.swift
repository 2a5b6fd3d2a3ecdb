import CSystem
import Core
import Glibc

/// Takes connections off a listening socket.
struct Acceptor: ~Copyable {
    /// Given up for a moment when there are no descriptors left, so that the client can be told by closing its connection. Otherwise it
    /// would stay in the queue, and the listener ready, for ever.
    private var reserve = FileDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC))

    /// Accepted in a row before other sources get their turn.
    static let acceptsMax = 64

    init() {}

    /// Whoever is given a descriptor owns it; the address is nil where the system tells none.
    mutating func accept(from listener: Int32, _ body: (Int32, SocketAddress?) -> Void) {
        for _ in 0..<Self.acceptsMax {
            var storage = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let accepted = withUnsafeMutablePointer(to: &storage) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    csystem_accept4(listener, $0, &length, Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue))
                }
            }
            if accepted < 0 {
                // A connection that is gone already says nothing about the next one.
                if errno == ECONNABORTED || errno == EINTR { continue }
                if errno == EMFILE || errno == ENFILE { refuse(listener) }
                return
            }
            body(accepted, SocketAddress(&storage, length: length))
        }
    }

    private mutating func refuse(_ listener: Int32) {
        reserve.closeNow()
        let accepted = Glibc.accept(listener, nil, nil)
        if accepted >= 0 { close(accepted) }
        reserve = FileDescriptor(open("/dev/null", O_RDONLY | O_CLOEXEC))
    }
}
