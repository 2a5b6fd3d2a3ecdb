import CSystem
import Core
import Glibc

/// Accepts DNS connections; all of them stay on the loop of the listener.
final class DNSListener: EventSource {
    private unowned let loop: IOLoop
    private let socket: ListeningSocket
    private var acceptor = Acceptor()
    private var key: EventLoop.Key?
    fileprivate(set) var connections = 0

    /// Over all clients; more are closed at once.
    static let connectionsMax = 1024

    init(_ socket: ListeningSocket, on loop: IOLoop) throws(SystemError) {
        self.socket = socket
        self.loop = loop
        key = try loop.events.add(socket.fd, events: .readable, self)
    }

    func ready(_ events: UInt32) {
        acceptor.accept(from: socket.fd) { accepted, address in
            if connections >= Self.connectionsMax || !DNSConnection.adopt(accepted, from: address?.host ?? "", by: loop, of: self) {
                close(accepted)
            }
        }
    }

    func shutDown() {
        if let key { loop.events.remove(key) }
        key = nil
        socket.close()
    }
}

/// A DNS conversation over TCP: each message is preceded by its length in two bytes (RFC 1035 §4.2.2).
final class DNSConnection: EventSource {
    private unowned let loop: IOLoop
    private let listener: DNSListener
    private let fd: Int32
    private let peer: String
    private var key: EventLoop.Key?
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    private var sent = 0
    private var waitingFor: RequestID?
    private var deadline: Instant
    private var questions = 0
    private var isEnding = false

    /// dns §1.
    static let firstTimeout = Duration.seconds(2)
    static let idleTimeout = Duration.seconds(8)
    static let questionsMax = 128
    /// While so many bytes are not sent, no further question is taken.
    static let outputMax = 64 << 10

    private init(_ fd: Int32, _ peer: String, _ loop: IOLoop, _ listener: DNSListener) {
        self.fd = fd
        self.peer = peer
        self.loop = loop
        self.listener = listener
        deadline = SystemClock.now() + Self.firstTimeout
    }

    /// False when the loop cannot watch it.
    static func adopt(_ fd: Int32, from peer: String, by loop: IOLoop, of listener: DNSListener) -> Bool {
        let connection = DNSConnection(fd, peer, loop, listener)
        let events: UInt32 = .readable | .writable | .peerClosed | .edgeTriggered
        guard let key = try? loop.events.add(fd, events: events, connection) else { return false }
        connection.key = key
        listener.connections += 1
        loop.timed[ObjectIdentifier(connection)] = connection
        return true
    }

    func ready(_ events: UInt32) {
        if events & .hungUp != 0 { return end() }
        flush()
        receive()
    }

    private func receive() {
        while key != nil, waitingFor == nil, output.isEmpty, !isEnding {
            // What came while an answer had to be sent first: no event tells of it again.
            if holdsQuestion {
                takeQuestions()
                continue
            }
            let count = retrying { recv(fd, loop.received.baseAddress, loop.received.count, 0) }
            if count < 0, errno == EAGAIN { return }
            guard count > 0 else { return end() }
            input.append(contentsOf: loop.received[..<count])
            takeQuestions()
        }
    }

    private var holdsQuestion: Bool { input.count >= 2 && input.count - 2 >= Int(input[0]) << 8 | Int(input[1]) }

    private func takeQuestions() {
        var at = 0
        while waitingFor == nil, !isEnding, output.count < Self.outputMax, input.count - at >= 2 {
            let length = Int(input[at]) << 8 | Int(input[at + 1])
            guard input.count - at - 2 >= length else { break }
            let question = Array(input[at + 2..<at + 2 + length])
            at += 2 + length
            take(question)
        }
        if at == input.count { input = [] } else { input.removeFirst(at) }
        flush()
    }

    private func take(_ question: [UInt8]) {
        let now = SystemClock.now()
        deadline = now + Self.idleTimeout
        questions += 1
        if questions == Self.questionsMax { isEnding = true }
        // Without a header there is nothing to answer.
        if question.count < 12 { return }
        guard let state = loop.state() else { return ask(question) }
        switch loop.frontEnd.answer(question: question, tcp: true, remote: peer, state: state, now: now) {
        case .reply(let answer):
            loop.measureAnswered(since: now)
            add(answer)
        case .drop: break
        case .handOver: ask(question)
        }
    }

    private func ask(_ question: [UInt8]) {
        let id = loop.makeID(for: key!)
        waitingFor = id
        loop.outgoing.append(.question(id, question, tcp: true, from: peer))
    }

    private func add(_ answer: [UInt8]) {
        guard answer.count <= 0xFFFF else { return isEnding = true }
        output.append(UInt8(answer.count >> 8))
        output.append(UInt8(answer.count & 255))
        output.append(contentsOf: answer)
    }

    func answer(_ bytes: [UInt8], to id: RequestID) {
        guard waitingFor == id, key != nil else { return }
        waitingFor = nil
        deadline = SystemClock.now() + Self.idleTimeout
        add(bytes)
        takeQuestions()
        receive()
    }

    private func flush() {
        while sent < output.count {
            let count = output.withUnsafeBytes { bytes in
                retrying { send(fd, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL)) }
            }
            if count < 0, errno == EAGAIN { return }
            guard count > 0 else { return end() }
            sent += count
        }
        output = []
        sent = 0
        if isEnding, waitingFor == nil { end() }
    }

    func sweep(at now: Instant) {
        if now >= deadline { end() }
    }

    func shutDown() { end() }

    private func end() {
        guard let key else { return }
        loop.events.remove(key)
        self.key = nil
        loop.timed[ObjectIdentifier(self)] = nil
        listener.connections -= 1
        close(fd)
        if let waitingFor { loop.outgoing.append(.cancelled(waitingFor)) }
        waitingFor = nil
    }
}
