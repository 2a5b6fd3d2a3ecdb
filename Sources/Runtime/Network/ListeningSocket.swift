import CSystem
import Core
import Glibc

/// A socket that is bound and, for streams, listening.
final class ListeningSocket {
    private(set) var fd: Int32
    /// Where it is bound: has the port that the system chose for port 0.
    let address: SocketAddress

    private init(_ fd: consuming FileDescriptor, _ address: SocketAddress) {
        self.fd = fd.release()
        self.address = Self.localAddress(of: self.fd).map { $0.isUnix ? address : $0 } ?? address
    }

    deinit { close() }

    func close() {
        if fd >= 0 { Glibc.close(fd) }
        fd = -1
    }

    /// The text is the reference's: `listen tcp 127.0.0.1:8500: bind: address already in use`.
    struct Failure: Error, Hashable, CustomStringConvertible {
        let description: String
    }

    /// Connections that wait to be accepted; the system's own limit applies as well.
    static let backlog: Int32 = 4096

    static func stream(_ address: SocketAddress) throws(Failure) -> ListeningSocket {
        let fd = try bound(address, type: SOCK_STREAM, network: address.network)
        guard listen(fd.raw, backlog) == 0 else {
            throw Failure(description: "listen \(address.network) \(address): listen: \(SystemError.current)")
        }
        return ListeningSocket(fd, address)
    }

    static func datagram(_ address: SocketAddress) throws(Failure) -> ListeningSocket {
        ListeningSocket(try bound(address, type: SOCK_DGRAM, network: "udp"), address)
    }

    private static func bound(_ address: SocketAddress, type: __socket_type, network: String) throws(Failure) -> FileDescriptor {
        func failure(_ call: String) -> Failure { Failure(description: "listen \(network) \(address): \(call): \(SystemError.current)") }
        let flags = Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let fd = FileDescriptor(socket(address.family, Int32(type.rawValue) | flags, 0))
        guard fd.isOpen else { throw failure("socket") }
        if type == SOCK_STREAM, !address.isUnix {
            // Accepted sockets inherit these.
            set(fd.raw, SOL_SOCKET, SO_REUSEADDR, 1)
            setStreamOptions(fd.raw)
        }
        if address.family == AF_INET6 { set(fd.raw, Int32(IPPROTO_IPV6), IPV6_V6ONLY, address.host == "::" ? 0 : 1) }
        // A socket file that a former process left behind would be in the way.
        if address.isUnix { unlink(address.host) }
        guard address.withSockaddr({ bind(fd.raw, $0, $1) }) == 0 else { throw failure("bind") }
        return fd
    }

    /// Keep-alive is the reference's: 30 seconds.
    static func setStreamOptions(_ fd: Int32) {
        set(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
        set(fd, Int32(IPPROTO_TCP), TCP_KEEPIDLE, 30)
        set(fd, Int32(IPPROTO_TCP), TCP_KEEPINTVL, 30)
        set(fd, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    private static func set(_ fd: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(fd, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    static func localAddress(of fd: Int32) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let code = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(fd, $0, &length) }
        }
        return code == 0 ? SocketAddress(&storage, length: length) : nil
    }
}
