import CSystem
import Core
import Glibc

/// The datagrams of one gossip pool. All are sent from the bound socket, so that they come from the pool's port (gossip §2).
final class GossipSocket: EventSource {
    private unowned(unsafe) let transport: ClusterTransport
    private let socket: ListeningSocket
    private let pool: GossipPool
    private let buffers = DatagramBuffers()
    private var key: EventLoop.Key?
    private var packets: [(bytes: [UInt8], target: SocketAddress)] = []

    /// What is asked of the system, halved until it accepts.
    static let receiveBufferSize: Int32 = 2 << 20
    /// Packets that wait for the end of a turn; more are lost, as datagrams are.
    static let packetsMax = 16_384

    init(_ socket: ListeningSocket, _ pool: GossipPool, of transport: ClusterTransport) throws(SystemError) {
        self.socket = socket
        self.pool = pool
        self.transport = transport
        var size = Self.receiveBufferSize
        while size > 4096, setsockopt(socket.fd, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size)) != 0 { size /= 2 }
        key = try transport.events.add(socket.fd, events: .readable, self)
    }

    func ready(_ events: UInt32) {
        // Other sources get their turn after a few rounds; what is left makes the socket ready again.
        for _ in 0..<8 {
            let count = buffers.receive(socket.fd)
            if count <= 0 { return }
            for index in 0..<count {
                guard let peer = buffers.peer(index) else { continue }
                transport.outgoing.append(.packet(pool, from: transport.addresses.text(of: peer), buffers.message(index)))
            }
            if count < DatagramBuffers.count { return }
        }
    }

    func add(_ bytes: [UInt8], to target: SocketAddress) {
        if packets.count >= Self.packetsMax { return }
        packets.append((bytes, socket.address.family == AF_INET6 ? target.mappedToV6 : target))
    }

    func flush() {
        if packets.isEmpty || key == nil { return }
        var rest = packets[...]
        while !rest.isEmpty { rest = rest.dropFirst(buffers.send(socket.fd, rest)) }
        packets.removeAll(keepingCapacity: packets.count <= 256)
    }

    func shutDown() {
        if let key { transport.events.remove(key) }
        key = nil
        socket.close()
    }
}

/// Accepts connections of the server port or of a gossip pool.
final class PeerListener: EventSource {
    private unowned(unsafe) let transport: ClusterTransport
    private let socket: ListeningSocket
    private let port: InboundConnection.Port
    private var acceptor = Acceptor()
    private var key: EventLoop.Key?

    init(_ socket: ListeningSocket, _ port: InboundConnection.Port, of transport: ClusterTransport) throws(SystemError) {
        self.socket = socket
        self.port = port
        self.transport = transport
        key = try transport.events.add(socket.fd, events: .readable, self)
    }

    func ready(_ events: UInt32) {
        acceptor.accept(from: socket.fd) { fd, address in
            guard let address else {
                close(fd)
                return
            }
            transport.adopt(fd, from: address, port)
        }
    }

    func shutDown() {
        if let key { transport.events.remove(key) }
        key = nil
        socket.close()
    }
}

/// Addresses as text and as the system wants them, both ways; what was asked for lately is remembered.
struct AddressTable {
    private var texts: [SocketAddress: String] = [:]
    private var parsed: [Address: SocketAddress] = [:]

    /// Pools are seldom larger.
    static let countMax = 8_192

    mutating func text(of address: SocketAddress) -> String {
        if let text = texts[address] { return text }
        if texts.count >= Self.countMax { texts.removeAll(keepingCapacity: true) }
        let text = address.description
        texts[address] = text
        return text
    }

    /// nil for what is no `ip:port`.
    mutating func parse(_ text: Address) -> SocketAddress? {
        if let address = parsed[text] { return address }
        guard let address = SocketAddress(text: text) else { return nil }
        if parsed.count >= Self.countMax { parsed.removeAll(keepingCapacity: true) }
        parsed[text] = address
        return address
    }
}
