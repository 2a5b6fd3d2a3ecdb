import CSystem
import Core
import Glibc

/// Where a socket listens or connects to: an IP address and port, or the path of a unix socket.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    private enum Kind: Hashable {
        case v4(UInt32, UInt16)
        case v6([UInt8], UInt16, scope: UInt32)
        case unix(String)
    }
    private var kind: Kind

    /// The path must fit the system's 107 bytes.
    public init?(unixPath path: String) {
        guard !path.isEmpty, path.utf8.count < 108 else { return nil }
        kind = .unix(path)
    }

    /// `ip` without brackets and zone; no names.
    public init?(ip: String, port: Int) {
        guard let port = UInt16(exactly: port) else { return nil }
        var v4 = in_addr()
        if inet_pton(AF_INET, ip, &v4) == 1 {
            kind = .v4(v4.s_addr, port)
            return
        }
        var v6 = in6_addr()
        guard inet_pton(AF_INET6, ip, &v6) == 1 else { return nil }
        kind = .v6(withUnsafeBytes(of: &v6) { Array($0) }, port, scope: 0)
    }

    /// `10.0.0.1:8300`, `[::1]:8300`; no names.
    public init?(text: String) {
        guard let (host, port) = try? HostPort.split(text), let port = Int(port) else { return nil }
        self.init(ip: host, port: port)
    }

    /// Reads what the system filled in; nil for families that nobody here asks for.
    init?(_ storage: UnsafePointer<sockaddr_storage>, length: socklen_t) {
        switch Int32(storage.pointee.ss_family) {
        case AF_INET:
            kind = storage.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                .v4($0.pointee.sin_addr.s_addr, UInt16(bigEndian: $0.pointee.sin_port))
            }
        case AF_INET6:
            kind = storage.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
                var bytes = address.pointee.sin6_addr
                return .v6(
                    withUnsafeBytes(of: &bytes) { Array($0) }, UInt16(bigEndian: address.pointee.sin6_port),
                    scope: address.pointee.sin6_scope_id)
            }
        case AF_UNIX: kind = .unix("")
        default: return nil
        }
    }

    /// All addresses of a name, in the resolver's order; an IP address resolves to itself. Blocks.
    public static func resolve(host: String, port: Int) -> [SocketAddress] {
        if let address = SocketAddress(ip: host, port: port) { return [address] }
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var next = list
        while let info = next {
            var storage = sockaddr_storage()
            memcpy(&storage, info.pointee.ai_addr, min(Int(info.pointee.ai_addrlen), MemoryLayout<sockaddr_storage>.size))
            if let address = SocketAddress(&storage, length: info.pointee.ai_addrlen), !found.contains(address) { found.append(address) }
            next = info.pointee.ai_next
        }
        return found
    }

    var family: Int32 {
        switch kind {
        case .v4: AF_INET
        case .v6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    public var isUnix: Bool { family == AF_UNIX }

    public var port: Int {
        switch kind {
        case .v4(_, let port), .v6(_, let port, _): Int(port)
        case .unix: 0
        }
    }

    /// The address without port; the path of a unix socket.
    public var host: String {
        switch kind {
        case .v4(var address, _):
            var text = [CChar](repeating: 0, count: 16)
            inet_ntop(AF_INET, &address, &text, 16)
            return Self.string(text)
        case .v6(let bytes, _, _):
            // An IPv4 client of an IPv6 socket is shown, and counted, as what it is.
            if bytes.prefix(10).allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF {
                return bytes[12...].map { String($0) }.joined(separator: ".")
            }
            var text = [CChar](repeating: 0, count: 46)
            _ = bytes.withUnsafeBytes { inet_ntop(AF_INET6, $0.baseAddress!, &text, 46) }
            return Self.string(text)
        case .unix(let path): return path
        }
    }

    private static func string(_ text: [CChar]) -> String {
        String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// `127.0.0.1:8500`, `[::1]:8500`, `/run/consul.sock`.
    public var description: String {
        switch kind {
        case .v4, .v6: HostPort.join(host, port)
        case .unix(let path): path
        }
    }

    /// `0.0.0.0` or `::`: every address of this machine.
    var isWildcard: Bool {
        switch kind {
        case .v4(let address, _): address == 0
        case .v6(let bytes, _, _): bytes.allSatisfy { $0 == 0 }
        case .unix: false
        }
    }

    /// As a socket of IPv6 names it: an IPv4 address becomes `::ffff:1.2.3.4`.
    var mappedToV6: SocketAddress {
        guard case .v4(let address, let port) = kind else { return self }
        var copy = self
        copy.kind = .v6([UInt8](repeating: 0, count: 10) + [0xFF, 0xFF] + withUnsafeBytes(of: address) { Array($0) }, port, scope: 0)
        return copy
    }

    func with(port: Int) -> SocketAddress {
        var copy = self
        switch kind {
        case .v4(let address, _): copy.kind = .v4(address, UInt16(clamping: port))
        case .v6(let bytes, _, let scope): copy.kind = .v6(bytes, UInt16(clamping: port), scope: scope)
        case .unix: break
        }
        return copy
    }

    /// Go's name of the network: `tcp` or `unix`.
    public var network: String { isUnix ? "unix" : "tcp" }

    func withSockaddr<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        switch kind {
        case .v4(let address, let port):
            var raw = sockaddr_in()
            raw.sin_family = sa_family_t(AF_INET)
            raw.sin_addr.s_addr = address
            raw.sin_port = port.bigEndian
            return withBytes(of: &raw, body)
        case .v6(let bytes, let port, let scope):
            var raw = sockaddr_in6()
            raw.sin6_family = sa_family_t(AF_INET6)
            raw.sin6_port = port.bigEndian
            raw.sin6_scope_id = scope
            withUnsafeMutableBytes(of: &raw.sin6_addr) { $0.copyBytes(from: bytes) }
            return withBytes(of: &raw, body)
        case .unix(let path):
            var raw = sockaddr_un()
            raw.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &raw.sun_path) { $0.copyBytes(from: path.utf8) }
            return withBytes(of: &raw, body)
        }
    }

    private func withBytes<T, R>(of raw: inout T, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        withUnsafePointer(to: &raw) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<T>.size)) }
        }
    }
}
