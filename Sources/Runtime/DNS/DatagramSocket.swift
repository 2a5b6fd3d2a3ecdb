import CSystem
import Core
import Glibc

/// A UDP socket that answers DNS questions, many per system call.
final class DatagramSocket: EventSource {
    private unowned let loop: IOLoop
    private let socket: ListeningSocket
    private var key: EventLoop.Key?
    private let buffers: DatagramBuffers
    /// Questions that the machine has, by the low bits of their serial: the oldest make room.
    private var waiting: [(id: RequestID, peer: sockaddr_storage, length: socklen_t)?] = []
    /// The address of the last client, as text: clients come in runs.
    private var lastPeer: (raw: SocketAddress, text: String)?

    /// When the last question of this batch was answered.
    private var lastTime: Instant?

    static let waitingMax = 4096

    init(_ socket: ListeningSocket, on loop: IOLoop) throws(SystemError) {
        self.socket = socket
        self.loop = loop
        buffers = DatagramBuffers()
        var size: Int32 = 4 << 20
        setsockopt(socket.fd, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        key = try loop.events.add(socket.fd, events: .readable, self)
    }

    func ready(_ events: UInt32) {
        // Other sources get their turn after a few rounds; what is left makes the socket ready again.
        for _ in 0..<8 {
            let count = buffers.receive(socket.fd)
            if count <= 0 { return }
            for index in 0..<count { take(index) }
            lastTime = nil
            buffers.send(socket.fd)
            if count < DatagramBuffers.count { return }
        }
    }

    private func take(_ index: Int) {
        // Without a header there is nothing to answer (dns §1).
        if buffers.view(index).count < 12 { return }
        // One question begins when the one before it is answered.
        let now = lastTime ?? SystemClock.now()
        if let state = loop.state(),
            let length = loop.frontEnd.answer(datagram: buffers.view(index), state: state, now: now, into: buffers.room)
        {
            let end = SystemClock.now()
            loop.measureAnswered(from: now, to: end)
            lastTime = end
            return buffers.addWritten(length, to: index)
        }
        lastTime = nil
        let question = buffers.message(index)
        let peer = text(of: buffers.peer(index))
        guard let state = loop.state() else {
            ask(question, peer, index)
            return
        }
        switch loop.frontEnd.answer(question: question, tcp: false, remote: peer, state: state, now: now) {
        case .reply(let answer):
            loop.measureAnswered(since: now)
            buffers.add(answer, to: index)
        case .drop: break
        case .handOver: ask(question, peer, index)
        }
    }

    private func ask(_ question: [UInt8], _ peer: String, _ index: Int) {
        guard let key else { return }
        let id = loop.makeID(for: key)
        if waiting.isEmpty { waiting = Array(repeating: nil, count: Self.waitingMax) }
        let (storage, length) = buffers.rawPeer(index)
        waiting[Int(id.raw % UInt64(Self.waitingMax))] = (id, storage, length)
        loop.outgoing.append(.question(id, question, tcp: false, from: peer))
    }

    func answer(_ bytes: [UInt8], to id: RequestID) {
        let place = Int(id.raw % UInt64(Self.waitingMax))
        guard place < waiting.count, var entry = waiting[place], entry.id == id else { return }
        waiting[place] = nil
        withUnsafePointer(to: &entry.peer) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { peer in
                _ = bytes.withUnsafeBytes { sendto(socket.fd, $0.baseAddress, $0.count, 0, peer, entry.length) }
            }
        }
    }

    private func text(of peer: SocketAddress?) -> String {
        guard let peer else { return "" }
        if let lastPeer, lastPeer.raw == peer { return lastPeer.text }
        let text = peer.host
        lastPeer = (peer, text)
        return text
    }

    func shutDown() {
        if let key { loop.events.remove(key) }
        key = nil
        socket.close()
    }
}
