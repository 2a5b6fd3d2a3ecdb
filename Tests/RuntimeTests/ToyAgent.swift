import CSystem
import Core
import Foundation
import Testing

@testable import Runtime

/// A machine that understands a few requests, and remembers what happened to it:
/// `PUT /log` appends the body to a file and answers `true` when that is durable, `GET /wait?index=1` is answered by the next
/// `PUT /wake`, `GET /big?size=N` by N bytes, `GET /long?size=N` by as many that are made while they are sent, `GET /core` by `core`; to `GET /follow`, the body of each `PUT /tell` is a piece.
final class ToyAgent: AgentMachine, @unchecked Sendable {
    // Unchecked: the driver runs one thread at a time in it; what tests read is behind the lock.
    private let lock = NSLock()
    private var seen: [String] = []
    private var outcomes: [UInt64: CheckOutcome] = [:]
    private var waiting: [RequestID] = []
    private var followers: [RequestID] = []
    private var logged: [RequestID] = []
    private var bytes: [UInt8] = []
    private var offset = 0
    private var token: UInt64 = 0
    private var syncing: [UInt64: [RequestID]] = [:]
    private var failure: DiskError?
    private var asked: [AgentEffect] = []
    private var isPublished = false
    private var longAnswers = 0
    /// The latest body of `/big`.
    private var big: [UInt8] = []
    var deadline: Instant?
    let publishes: Bool

    /// One that does not publish leaves everything to be answered by itself.
    init(publishes: Bool = true) { self.publishes = publishes }

    func handle(_ event: AgentEvent, at now: Instant, into effects: inout [AgentEffect]) {
        lock.withLock {
            switch event {
            case .request(let id, let request): take(request, id, &effects)
            case .question(let id, let question, let tcp, _):
                seen.append(tcp ? "tcp question" : "udp question")
                effects.append(.answer(id, ToyFrontEnd.answer(question)))
            case .cancelled(let id):
                waiting.removeAll { $0 == id }
                followers.removeAll { $0 == id }
                seen.append("cancelled")
            case .disk(let completion): take(completion, &effects)
            case .probed(let id, let outcome): outcomes[id] = outcome
            case .wake:
                deadline = nil
                seen.append("wake")
            case .callFailed(_, let text): seen.append(text)
            case .leave:
                seen.append("leave")
                effects.append(.exit(nil))
            case .shutDown:
                effects.append(
                    .disk(DiskBatch(of: .raft, token: 0, operations: [.write(file: "last", offset: 0, bytes: [7]), .sync(file: "last")])))
            case .logged(let level, let module, let text): seen.append("\(level.name) \(module) \(text)")
            case .measured: seen.append("measured")
            case .dumpMetrics: effects.append(.report("measured\n"))
            case .hostExamined(_, let facts): seen.append("examined \(facts.kernel?.hostName ?? "")")
            case .routed, .call, .callersGone, .answered, .packet, .resolved, .reload, .reloadFailed, .wallClock: seen.append("\(event)")
            }
        }
    }

    private func take(_ request: HTTPRequest, _ id: RequestID, _ effects: inout [AgentEffect]) {
        let target = String(decoding: request.target, as: UTF8.self)
        switch (request.method, target.split(separator: "?").first) {
        case ("PUT", "/log"):
            logged.append(id)
            bytes += request.body
        case ("PUT", "/wake"):
            for id in waiting { effects.append(.respond(id, Self.text("woken"))) }
            waiting = []
            effects.append(.respond(id, Self.text("true")))
        case ("GET", "/follow"):
            followers.append(id)
            effects.append(.respondInPieces(id, HTTPResponse(status: 200, headers: [("X-A", "b")])))
        case ("PUT", "/tell"):
            for follower in followers { effects.append(.piece(follower, request.body)) }
            effects.append(.respond(id, Self.text("\(followers.count)")))
        case ("PUT", "/ask"):
            effects += asked
            asked = []
            effects.append(.respond(id, Self.text("true")))
        case ("GET", "/wait"):
            waiting.append(id)
            seen.append("waiting")
        case ("GET", "/big"):
            let size = Int(target.split(separator: "=").last ?? "") ?? 0
            var response = Self.text("")
            if big.count != size { big = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) } }
            response.body = big
            effects.append(.respond(id, response))
        case ("GET", "/long"):
            var response = Self.text("")
            response.rest = BodyRest(LongBody(left: Int(target.split(separator: "=").last ?? "") ?? 0))
            longAnswers += 1
            effects.append(.respond(id, response))
        case ("GET", "/broken"):
            effects.append(.respond(id, HTTPResponse(status: 500, body: Array("No cluster leader".utf8))))
        default: effects.append(.respond(id, Self.text("core \(request.method) \(target) \(request.body.count)")))
        }
    }

    private func take(_ completion: DiskCompletion, _ effects: inout [AgentEffect]) {
        for id in syncing.removeValue(forKey: completion.token) ?? [] {
            switch completion.result {
            case .success: effects.append(.respond(id, Self.text("true")))
            case .failure(let error): effects.append(.respond(id, Self.text("\(error)")))
            }
        }
    }

    func flush(at now: Instant, into effects: inout [AgentEffect]) {
        lock.withLock {
            if publishes, !isPublished {
                isPublished = true
                effects.append(.publish(Self.state))
            }
            if logged.isEmpty { return }
            token += 1
            syncing[token] = logged
            effects.append(
                .disk(
                    DiskBatch(
                        of: .raft, token: token,
                        operations: [.write(file: "raft/log/1", offset: offset, bytes: bytes), .sync(file: "raft/log/1")])))
            offset += bytes.count
            logged = []
            bytes = []
        }
    }

    static let state = PublishedState(
        store: Store(), isLeader: true, leaseExpiry: .distantFuture, isSoleVoter: true, knowsLeader: true, lastLeaderContact: nil)

    static func text(_ text: String) -> HTTPResponse {
        HTTPResponse(status: 200, headers: [("Content-Type", "text/plain"), ("Vary", "Accept-Encoding")], body: Array(text.utf8))
    }

    // MARK: For tests

    /// What the next `PUT /ask` makes the machine ask for.
    func willAsk(_ effects: [AgentEffect]) { lock.withLock { asked = effects } }
    var history: [String] { lock.withLock { seen } }
    var waitingCount: Int { lock.withLock { waiting.count } }
    func outcome(_ id: UInt64) -> CheckOutcome? { lock.withLock { outcomes[id] } }
    /// How many requests for long answers have come so far.
    var longAnswerCount: Int { lock.withLock { longAnswers } }
    var outcomeCount: Int { lock.withLock { outcomes.count } }
}

/// So many bytes, made as they are asked for.
struct LongBody: BodySource {
    var left: Int

    mutating func append(_ size: Int, to out: inout [UInt8]) -> Bool {
        let count = min(left, size)
        for place in (left - count)..<left { out.append(UInt8(truncatingIfNeeded: place &* 31 &+ place >> 8)) }
        left -= count
        return left > 0
    }
}

/// Answers `GET /here` in place, and every DNS question with what it asked.
struct ToyFrontEnd: RequestFrontEnd {
    private var name = ""

    mutating func reload(_ new: Reloadable) { name = " " + new.dns.domain }

    mutating func answer(
        _ request: borrowing HTTPRequest, framing: HTTPFraming, state: PublishedState, now: Instant, date: [UInt8], into out: inout [UInt8]
    ) -> RequestAnswer {
        guard request.method == "GET", request.target.elementsEqual("/here".utf8) else { return .handOver }
        HTTPSerializer.append(ToyAgent.text("here" + name), framing: framing, date: date, to: &out)
        return .written
    }

    mutating func answer(question: [UInt8], tcp: Bool, remote: String, state: PublishedState, now: Instant) -> QuestionAnswer {
        question.count > 12 && question[12] == 0xFF ? .drop : .reply(Self.answer(question))
    }

    static func answer(_ question: [UInt8]) -> [UInt8] { question.reversed() }
}

/// A driver that runs on a thread of its own until the test lets it go.
final class RunningDriver: @unchecked Sendable {
    // Unchecked: what changes is behind the semaphore.
    let agent: ToyAgent
    let driver: Driver<ToyAgent>
    let port: Int
    let dnsPort: Int
    private let done = DispatchSemaphore(value: 0)
    private var code: Int32 = -1
    private var hasEnded = false

    init(
        _ agent: ToyAgent = ToyAgent(), disk: (any BatchDisk)? = nil, peers: any PeerTransport = NoPeers(),
        logger: Logger = Logger(level: .error, fd: open("/dev/null", O_WRONLY)), change: (inout DriverConfiguration) -> Void = { _ in }
    ) throws {
        self.agent = agent
        var configuration = DriverConfiguration()
        let loopback = SocketAddress(ip: "127.0.0.1", port: 0)!
        configuration.httpAddresses = [loopback]
        configuration.dnsAddresses = [loopback]
        configuration.handlesSignals = false
        configuration.loops = 2
        change(&configuration)
        driver = try Driver(
            machine: agent, frontEnd: { ToyFrontEnd() }, disk: disk ?? MemoryDisk(), configuration: configuration, peers: peers,
            logger: logger)
        port = driver.httpAddresses.first?.port ?? 0
        dnsPort = driver.dnsAddresses.first?.port ?? 0
        Foundation.Thread.detachNewThread { [self] in
            code = driver.run()
            done.signal()
        }
    }

    /// Waits for `run` to return; its result.
    @discardableResult
    func wait() -> Int32 {
        if !hasEnded { done.wait() }
        hasEnded = true
        return code
    }

    func stop() {
        driver.stop()
        wait()
    }

    /// Waits for something to become true.
    func until(_ condition: () -> Bool, at place: SourceLocation = #_sourceLocation) {
        let end = SystemClock.now() + .seconds(120)
        while !condition() {
            if SystemClock.now() > end {
                Issue.record("what is waited for does not come", sourceLocation: place)
                return
            }
            usleep(1000)
        }
    }
}

/// A client's connection, in the hands of a test.
final class RawClient {
    let fd: Int32
    private var left: [UInt8] = []
    private var at = 0

    init(port: Int, receiveBuffer: Int32? = nil) {
        fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var receiveBuffer { setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<Int32>.size)) }
        let address = SocketAddress(ip: "127.0.0.1", port: port)!
        precondition(address.withSockaddr { connect(fd, $0, $1) } == 0, "\(SystemError.current)")
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(fd) }

    func write(_ text: String) { write(Array(text.utf8)) }

    func write(_ bytes: [UInt8]) {
        var at = 0
        while at < bytes.count {
            let count = bytes.withUnsafeBytes { send(fd, $0.baseAddress! + at, $0.count - at, Int32(MSG_NOSIGNAL)) }
            if count <= 0 { return }
            at += count
        }
    }

    /// Sends no more.
    func finish() { shutdown(fd, Int32(SHUT_WR)) }

    /// The next `count` bytes, fewer if the connection ends.
    func read(_ count: Int) -> [UInt8] {
        while left.count - at < count, receive() {}
        let end = min(left.count, count > left.count - at ? left.count : at + count)
        defer { at = end }
        return Array(left[at..<end])
    }

    private func receive() -> Bool {
        if at > 1 << 20 {
            left.removeFirst(at)
            at = 0
        }
        var buffer = [UInt8](repeating: 0, count: 65536)
        let got = recv(fd, &buffer, buffer.count, 0)
        if got > 0 { left += buffer[..<got] }
        return got > 0
    }

    /// Everything up to the end of the connection.
    func readAll() -> String { String(decoding: read(.max), as: UTF8.self) }

    struct Answer {
        var status: Int
        var head: String
        var body: [UInt8]
        var text: String { String(decoding: body, as: UTF8.self) }
    }

    /// The next whole answer; nil when the connection ended before.
    func answer() -> Answer? {
        var parser = HTTPResponseParser(bodyLimit: 1 << 30)
        parser.expect(method: "GET")
        // As it came, for who looks at the spelling of names.
        var head: [UInt8] = []
        while true {
            if at == left.count, !receive() { return nil }
            let input = Array(left[at...])
            if parser.head == nil { head += input }
            var taken = 0
            let event = parser.parse(input, at: &taken)
            at += taken
            if case .failed = event { return nil }
            guard case .response(let response) = event else { continue }
            let text = String(decoding: head, as: UTF8.self)
            let end = text.range(of: "\r\n\r\n")?.lowerBound ?? text.endIndex
            return Answer(status: response.status, head: String(text[..<end]), body: response.body)
        }
    }

    func get(_ target: String, headers: String = "") -> Answer? {
        write("GET \(target) HTTP/1.1\r\nHost: x\r\n\(headers)\r\n")
        return answer()
    }

    func put(_ target: String, _ body: String = "") -> Answer? {
        write("PUT \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        return answer()
    }
}
