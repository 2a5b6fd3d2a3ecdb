import CSystem
import Core
import Glibc

/// The socket under one connection, ours or another's: moves bytes between it and what Core makes of them.
final class PeerSocket: EventSource {
    private enum Side {
        /// The number that the pool has for it.
        case dialed(Int)
        case accepted(InboundConnection, number: UInt32, client: String)
    }

    private unowned(unsafe) let transport: ClusterTransport
    private let fd: Int32
    private let side: Side
    /// The other end, `ip:port`.
    private let remote: String
    /// What failures of dialing are told as: `127.0.0.1:0->127.0.0.1:8300`.
    private let route: String
    private var key: EventLoop.Key?
    private var isConnected: Bool
    private var isReadable = false
    private var isPeerDone = false
    /// The socket takes no more for now.
    private var isFull = false
    private var isResuming = false
    var isUnsent = false
    private var isClosed = false
    /// All is sent and our side closed; what still comes in is thrown away, so that the kernel does not answer it with a reset.
    private var lingerUntil: Instant?

    /// Others get their turn after so much.
    static let readsPerTurnMax = 16
    static let lingerTime = Duration.seconds(2)

    private init(_ fd: Int32, _ side: Side, remote: String, route: String, isConnected: Bool, of transport: ClusterTransport) {
        self.fd = fd
        self.side = side
        self.remote = remote
        self.route = route
        self.isConnected = isConnected
        self.transport = transport
    }

    private func attach() throws(SystemError) {
        key = try transport.events.add(fd, events: .readable | .writable | .peerClosed | .edgeTriggered, self)
    }

    // MARK: Beginning

    static func adopt(
        _ fd: Int32, from address: SocketAddress, _ connection: InboundConnection, _ number: UInt32, of transport: ClusterTransport
    ) -> PeerSocket? {
        let side = Side.accepted(connection, number: number, client: address.host)
        let socket = PeerSocket(fd, side, remote: address.description, route: "", isConnected: true, of: transport)
        do throws(SystemError) { try socket.attach() } catch {
            socket.close()
            return nil
        }
        return socket
    }

    /// The failure's text is Go's.
    static func dial(
        _ id: Int, _ target: SocketAddress?, _ text: Address, from origin: SocketAddress?, of transport: ClusterTransport
    ) -> Result<PeerSocket, ListeningSocket.Failure> {
        let route = origin.map { "\($0.with(port: 0))->\(text)" } ?? text
        func failure(_ text: String) -> Result<PeerSocket, ListeningSocket.Failure> {
            .failure(ListeningSocket.Failure(description: "dial tcp \(text)"))
        }
        guard let target else { return failure("\(route): invalid address") }
        if let origin, origin.family != target.family, !origin.isWildcard { return failure("\(route): no suitable address found") }
        let fd = socket(target.family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard fd >= 0 else { return failure("\(route): socket: \(SystemError.current)") }
        ListeningSocket.setStreamOptions(fd)
        let socket = PeerSocket(fd, .dialed(id), remote: text, route: route, isConnected: false, of: transport)
        if let origin, !origin.isWildcard, origin.with(port: 0).withSockaddr({ bind(fd, $0, $1) }) != 0 {
            defer { socket.close() }
            return failure("\(route): bind: \(SystemError.current)")
        }
        if target.withSockaddr({ connect(fd, $0, $1) }) != 0, errno != EINPROGRESS {
            defer { socket.close() }
            return failure("\(route): connect: \(SystemError.current)")
        }
        do throws(SystemError) { try socket.attach() } catch {
            socket.close()
            return failure("\(route): epoll: \(error)")
        }
        return .success(socket)
    }

    // MARK: Events

    func ready(_ events: UInt32) {
        guard isConnected else { return connectionMade(events) }
        if events & .writable != 0, isFull {
            isFull = false
            flush()
        }
        if events & .peerClosed != 0 { isPeerDone = true }
        if events & (.readable | .peerClosed | .hungUp) != 0 { isReadable = true }
        receive()
    }

    private func connectionMade(_ events: UInt32) {
        guard case .dialed(let id) = side else { return }
        if let error = pendingError(of: fd) {
            return transport.tellPool { pool, effects in
                pool.dialFailed(id, "dial tcp \(route): connect: \(error)", at: transport.now, into: &effects)
            }
        }
        guard events & .writable != 0 else { return }
        isConnected = true
        if events & (.readable | .peerClosed) != 0 { isReadable = true }
        let local = ListeningSocket.localAddress(of: fd)?.description ?? ""
        transport.tellPool { pool, effects in
            pool.connected(id, path: "\(local)->\(remote)", at: transport.now, into: &effects)
        }
        receive()
    }

    // MARK: Reading

    func receive() {
        isResuming = false
        var reads = 0
        while isReadable, key != nil {
            if lingerUntil == nil, case .accepted(let connection, _, _) = side, !connection.wantsInput { return }
            if reads == Self.readsPerTurnMax {
                if !isResuming { transport.resumeLater(self) }
                isResuming = true
                return
            }
            reads += 1
            let buffer = transport.received
            let count = retrying { recv(fd, buffer.baseAddress, buffer.count, 0) }
            if count > 0 {
                // Less than was asked for: nothing is left. If the peer is done, the end is, and no event will tell.
                if count < buffer.count, !isPeerDone { isReadable = false }
                received(UnsafeRawBufferPointer(rebasing: buffer[..<count]).assumingMemoryBound(to: UInt8.self))
            } else if count < 0, errno == EAGAIN {
                isReadable = false
            } else {
                return ended(count < 0 ? SystemError.current : nil)
            }
        }
    }

    private func received(_ input: UnsafeBufferPointer<UInt8>) {
        switch side {
        case .dialed(let id):
            transport.tellPool { pool, effects in pool.received(id, input.span, at: transport.now, into: &effects) }
        case .accepted(let connection, let number, _):
            if lingerUntil != nil { return }
            var calls: [InboundCall] = []
            connection.receive(input.span, at: transport.now, into: &calls)
            post(calls, number)
            settle(connection)
        }
    }

    private func post(_ calls: [InboundCall], _ number: UInt32) {
        for call in calls {
            let id = CallID(incoming: UInt64(number) << 32 | UInt64(call.serial))
            transport.outgoing.append(.call(id, from: remote, call.channel, call.bytes))
        }
    }

    private func ended(_ error: SystemError?) {
        isReadable = false
        switch side {
        case .dialed(let id):
            transport.tellPool { pool, effects in pool.closed(id, error?.description, at: transport.now, into: &effects) }
        case .accepted(let connection, let number, _):
            if lingerUntil != nil || error != nil { return drop() }
            var calls: [InboundCall] = []
            connection.receivedEnd(at: transport.now, into: &calls)
            post(calls, number)
            settle(connection)
        }
    }

    // MARK: Answers

    func reply(_ id: CallID, _ bytes: [UInt8]) {
        guard case .accepted(let connection, let number, _) = side else { return }
        var calls: [InboundCall] = []
        connection.reply(UInt32(truncatingIfNeeded: id.number), bytes, at: transport.now, into: &calls)
        post(calls, number)
        settle(connection)
        // It may have been held back.
        if isReadable, !isResuming {
            isResuming = true
            transport.resumeLater(self)
        }
    }

    func refuse(_ id: CallID) {
        guard case .accepted(let connection, _, _) = side else { return }
        connection.refuse(UInt32(truncatingIfNeeded: id.number))
        settle(connection)
    }

    /// Sends or closes, as the connection wants it.
    private func settle(_ connection: InboundConnection) {
        let abandoned = connection.takeAbandoned()
        if !abandoned.isEmpty, case .accepted(_, let number, _) = side { transport.abandoned(abandoned, of: number) }
        switch connection.end {
        case .open: if !connection.output.isEmpty { transport.sendLater(self) }
        case .afterOutput: transport.sendLater(self)
        case .now(let reason):
            if !reason.isEmpty { transport.logger.log(.error, "agent.server.rpc", "\(reason): conn=from=\(remote)") }
            drop()
        }
    }

    // MARK: Writing

    func flush() {
        isUnsent = false
        guard key != nil, isConnected else { return }
        switch side {
        case .dialed(let id):
            guard let connection = transport.pool.connection(id) else { return }
            transport.pool.willSend(id)
            while !isFull, let sent = connection.output.withFirst({ $0.withUnsafeBytes(send) }) {
                if sent < 0 {
                    // What had come before is to be had all the same.
                    isReadable = true
                    return receive()
                }
                if sent > 0 { transport.pool.wrote(id, sent) }
            }
            if connection.endsOutput, connection.output.isEmpty { shutdown(fd, Int32(SHUT_WR)) }
        case .accepted(let connection, _, _):
            while !isFull, let sent = connection.output.withFirst({ $0.withUnsafeBytes(send) }) {
                if sent < 0 { return drop() }
                if sent > 0 { connection.wrote(sent) }
            }
            if connection.output.isEmpty, connection.end == .afterOutput { linger() }
        }
    }

    /// How much the socket took; -1: it is broken.
    private func send(_ bytes: UnsafeRawBufferPointer) -> Int {
        let count = retrying { Glibc.send(fd, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
        if count < 0, errno == EAGAIN {
            isFull = true
            return 0
        }
        return count > 0 ? count : -1
    }

    // MARK: Ending

    private func linger() {
        if lingerUntil != nil { return }
        if isPeerDone { return drop() }
        shutdown(fd, Int32(SHUT_WR))
        lingerUntil = transport.now + Self.lingerTime
        isReadable = true
        if !isResuming {
            isResuming = true
            transport.resumeLater(self)
        }
    }

    /// Called every second for connections of others.
    func sweep() {
        guard case .accepted(let connection, _, _) = side else { return }
        if let lingerUntil {
            if transport.now >= lingerUntil { drop() }
            return
        }
        if !connection.output.isEmpty { connection.noteQueued(queued) }
        connection.tick(at: transport.now)
        settle(connection)
    }

    /// Called before the pool looks at its connections.
    func noteQueued() {
        guard case .dialed(let id) = side, isFull, let connection = transport.pool.connection(id) else { return }
        connection.noteQueued(queued)
    }

    /// What the kernel has of the bytes that were sent.
    private var queued: Int { max(0, Int(csystem_unacknowledged(fd))) }

    private func drop() {
        if case .accepted(_, let number, _) = side { transport.accepted[number] = nil }
        close()
    }

    func close() {
        if isClosed { return }
        isClosed = true
        if let key { transport.events.remove(key) }
        key = nil
        Glibc.close(fd)
        if case .accepted(let connection, let number, let client) = side { transport.released(connection, number, client) }
    }
}
