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
            buffers.send(socket.fd)
            if count < DatagramBuffers.count { return }
        }
    }

    private func take(_ index: Int) {
        let question = buffers.message(index)
        // Without a header there is nothing to answer (dns §1).
        if question.count < 12 { return }
        let peer = text(of: buffers.peer(index))
        guard let state = loop.state() else {
            ask(question, peer, index)
            return
        }
        switch loop.frontEnd.answer(question: question, tcp: false, remote: peer, state: state, now: SystemClock.now()) {
        case .reply(let answer): buffers.add(answer, to: index)
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

/// The memory that `recvmmsg` and `sendmmsg` work on. Most of it is never touched, and so takes up no room.
final class DatagramBuffers {
    /// Messages per system call.
    static let count = 32
    /// Questions of every size are accepted (dns §1).
    static let size = 65536

    private let bytes: UnsafeMutableRawBufferPointer
    private let headers: UnsafeMutablePointer<csystem_mmsghdr>
    private let vectors: UnsafeMutablePointer<iovec>
    private let peers: UnsafeMutablePointer<sockaddr_storage>
    private var answers: [(answer: [UInt8], index: Int)] = []

    init() {
        bytes = .allocate(byteCount: Self.count * Self.size, alignment: 4096)
        headers = .allocate(capacity: Self.count)
        vectors = .allocate(capacity: Self.count)
        peers = .allocate(capacity: Self.count)
        headers.initialize(repeating: csystem_mmsghdr(), count: Self.count)
        vectors.initialize(repeating: iovec(), count: Self.count)
        peers.initialize(repeating: sockaddr_storage(), count: Self.count)
    }

    deinit {
        bytes.deallocate()
        headers.deallocate()
        vectors.deallocate()
        peers.deallocate()
    }

    func receive(_ fd: Int32) -> Int {
        for index in 0..<Self.count {
            vectors[index] = iovec(iov_base: bytes.baseAddress! + index * Self.size, iov_len: Self.size)
            set(index, vector: index)
            headers[index].header.msg_namelen = socklen_t(MemoryLayout<sockaddr_storage>.size)
        }
        return Int(csystem_recvmmsg(fd, headers, UInt32(Self.count), Int32(MSG_DONTWAIT)))
    }

    private func set(_ index: Int, vector: Int) {
        headers[index].header.msg_name = UnsafeMutableRawPointer(peers + vector)
        headers[index].header.msg_iov = vectors + vector
        headers[index].header.msg_iovlen = 1
    }

    func message(_ index: Int) -> [UInt8] {
        let start = index * Self.size
        return Array(bytes[start..<start + Int(headers[index].length)])
    }

    func peer(_ index: Int) -> SocketAddress? { SocketAddress(peers + index, length: headers[index].header.msg_namelen) }
    func rawPeer(_ index: Int) -> (sockaddr_storage, socklen_t) { (peers[index], headers[index].header.msg_namelen) }

    /// Notes the answer to message `index`, for the next `send`.
    func add(_ answer: [UInt8], to index: Int) { answers.append((answer, index)) }

    /// Sends the answers. What the socket has no room for is lost, as datagrams are.
    func send(_ fd: Int32) {
        if answers.isEmpty { return }
        for (place, entry) in answers.enumerated() {
            // The question of this place or an earlier one is done with: its memory takes the answer.
            let length = min(entry.answer.count, Self.size)
            let target = UnsafeMutableRawBufferPointer(rebasing: bytes[place * Self.size..<place * Self.size + length])
            target.copyBytes(from: entry.answer.prefix(length))
            vectors[place] = iovec(iov_base: target.baseAddress, iov_len: length)
            let nameLength = headers[entry.index].header.msg_namelen
            headers[place].header.msg_name = UnsafeMutableRawPointer(peers + entry.index)
            headers[place].header.msg_namelen = nameLength
            headers[place].header.msg_iov = vectors + place
            headers[place].header.msg_iovlen = 1
        }
        var sent = 0
        while sent < answers.count {
            let count = csystem_sendmmsg(fd, headers + sent, UInt32(answers.count - sent), Int32(MSG_DONTWAIT))
            // The first one failed (an unreachable client, a full buffer): the others may not.
            sent += count > 0 ? Int(count) : 1
        }
        answers.removeAll(keepingCapacity: true)
    }
}
