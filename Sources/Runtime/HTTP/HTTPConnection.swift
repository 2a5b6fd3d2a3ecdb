import CSystem
import Core
import Glibc

/// One client's connection: reads requests, answers them from the published state or has the machine answer, in order.
///
/// It holds one request at a time: while the machine has one, or an answer is not sent yet, nothing more is taken, so a client that sends
/// ahead is held back by the kernel's buffers. Long answers are made slice by slice as the client reads, in turns with the other
/// connections of the loop. Descriptors are watched edge-triggered and registered once; an idle connection owns no buffers and no timer.
final class HTTPConnection: EventSource {
    /// Unsafe because the check of a safe reference would cost two atomic operations at each use. The loop owns its connections, and is
    /// kept until the process ends.
    private unowned(unsafe) let loop: IOLoop
    private let fd: Int32
    private let client: String
    private var key: EventLoop.Key?
    private var parser: HTTPParser
    private var output: AnswerOutput
    /// The parser may hold whole requests.
    private var holdsRequests = false
    /// Requests taken in this turn.
    private var share = 0
    /// The loop will call `resume`.
    private var isQueued = false
    /// Bytes have come or gone since the deadline was set.
    private var hasProgressed = false
    /// The request that the machine has, and how to frame its answer.
    private var pending: RequestID?
    private var pendingIsBlocking = false
    /// Its answer has begun and goes on until the client leaves.
    private var pendingIsStreamed = false
    private var framing = HTTPFraming()
    /// What its time is measured under, and since when.
    private var subject = MeasuredSubject.none
    private var since = Instant.zero
    /// For the log.
    private var asked: (method: String, target: [UInt8])?
    /// There may be something to read.
    private var isReadable = false
    /// The client sends no more (it may still be reading).
    private var isPeerDone = false
    private var end = End.open
    /// When to drop a client that does not go on; in the loop's sweep if not nil.
    private var deadline: Instant?

    private enum End {
        case open
        /// The last answer is being sent.
        case afterOutput
        /// All is sent and the sending side closed; what still comes in is thrown away, so that the kernel does not answer it with a
        /// reset, which would make the client lose the answer.
        case lingering
    }

    /// How long a client may go on sending what nobody reads.
    static let lingerTime = Duration.seconds(2)
    /// A client that is so many bytes behind misses pieces of an answer without end.
    static let backlogMax = 256 << 10
    /// A client that has sent so much lets others have their turn.
    static let readsPerTurnMax = 16
    static let requestsPerTurnMax = 64
    /// Answers collected before they are sent.
    static let collectedMax = 64 << 10

    private init(_ accepted: AcceptedConnection, _ loop: IOLoop) {
        self.loop = loop
        fd = accepted.fd
        client = accepted.client
        output = AnswerOutput(loop.shared.answers)
        parser = HTTPParser(
            remoteAddress: accepted.client, bodyLimit: loop.shared.limits.bodySizeMax,
            archiveLimit: loop.shared.limits.archiveSizeMax)
    }

    static func adopt(_ accepted: AcceptedConnection, by loop: IOLoop) {
        let connection = HTTPConnection(accepted, loop)
        let events: UInt32 = .readable | .writable | .peerClosed | .edgeTriggered
        guard let key = try? loop.events.add(accepted.fd, events: events, connection) else {
            loop.shared.clients.remove(accepted.client)
            close(accepted.fd)
            return
        }
        connection.key = key
        connection.output.holder = AnswerBudget.Holder(loop: loop.index, key: key)
    }

    // MARK: Events

    func ready(_ events: UInt32) {
        if events & .hungUp != 0 { return drop() }
        if events & .peerClosed != 0 {
            isPeerDone = true
            // Whoever waits for a change and closes its side has gone away. Everybody else gets the answer: `printf 'PUT ...' | nc` closes
            // its side as well.
            if pending != nil, pendingIsBlocking { return drop() }
        }
        if events & (.readable | .peerClosed) != 0 { isReadable = true }
        share = 0
        if events & .writable != 0, output.backlog > 0 { flush() }
        if loop.isOverTime, canTakeRequests { queue() } else { receive() }
    }

    /// The next turn of a connection that let others have theirs.
    func resume() {
        isQueued = false
        guard key != nil else { return }
        share = 0
        if output.isReady { made(output.sendSlice(&loop.toSend, to: fd)) }
        receive()
    }

    private func queue() {
        if isQueued { return }
        isQueued = true
        loop.resumeLater(self)
    }

    func respond(_ response: HTTPResponse, to id: RequestID) {
        guard pending == id else { return }
        pending = nil
        share = 0
        loop.measure(subject, since: since)
        if let (method, target) = asked {
            asked = nil
            let error = response.status >= 400 ? response.loggedError : nil
            if error != nil || loop.shared.requestLog.wantsAll {
                loop.shared.requestLog.answered(method, target, error: error, by: fd, since: since)
            }
        }
        let (isOpen, rest) = HTTPSerializer.begin(
            response, framing: framing, date: loop.date.current(), to: &loop.toSend, compressor: &loop.gzip)
        if !isOpen { end = .afterOutput }
        if let rest { output.begin(rest) }
        // Requests that came with this one; not before the answers before them have left.
        if holdsRequests, output.isEmpty { parse(UnsafeBufferPointer(start: nil, count: 0)) }
        send()
        receive()
    }

    func respondInPieces(_ response: HTTPResponse, to id: RequestID) {
        guard pending == id else { return }
        if isPeerDone { return drop() }
        pendingIsBlocking = true
        pendingIsStreamed = true
        HTTPSerializer.appendStreamHead(response, framing: framing, date: loop.date.current(), to: &loop.toSend)
        send()
        noteProgress()
    }

    func piece(_ bytes: [UInt8], of id: RequestID) {
        guard pending == id, pendingIsStreamed, output.backlog < Self.backlogMax else { return }
        if framing.isHTTP10 {
            loop.toSend.append(contentsOf: bytes)
        } else {
            HTTPSerializer.appendChunk(bytes, to: &loop.toSend)
        }
        send()
        noteProgress()
    }

    func sweep(at now: Instant) {
        output.noteTaken(from: fd)
        if output.consumeProgress() {
            hasProgressed = true
            noteProgress()
        }
        if let deadline, now >= deadline { drop() }
    }

    func shutDown() {
        if output.isEmpty, pending == nil || pendingIsStreamed { drop() } else { end = .afterOutput }
    }

    // MARK: Reading

    private var canTakeRequests: Bool { key != nil && pending == nil && output.isEmpty && end == .open }

    private func receive() {
        var reads = 0
        while canTakeRequests || (end == .lingering && key != nil) {
            if !holdsRequests && !isReadable { break }
            if reads == Self.readsPerTurnMax || share >= Self.requestsPerTurnMax || (share > 0 && loop.isOverTime) {
                queue()
                break
            }
            if holdsRequests, end == .open {
                parse(UnsafeBufferPointer(start: nil, count: 0))
                send()
                continue
            }
            reads += 1
            let count = retrying { recv(fd, loop.received.baseAddress, loop.received.count, 0) }
            if count > 0 {
                hasProgressed = true
                // Less than was asked for: nothing is left. If the client is done, the end is, and no event will tell.
                if count < loop.received.count, !isPeerDone { isReadable = false }
                if end == .open {
                    parse(UnsafeRawBufferPointer(rebasing: loop.received[..<count]).assumingMemoryBound(to: UInt8.self))
                    send()
                }
            } else if count < 0, errno == EAGAIN {
                isReadable = false
            } else {
                return drop()
            }
        }
        noteProgress()
    }

    private func parse(_ input: UnsafeBufferPointer<UInt8>) {
        var at = 0
        holdsRequests = false
        while end == .open, pending == nil, !output.hasAnswer, loop.toSend.count < Self.collectedMax, share < Self.requestsPerTurnMax {
            switch parser.parse(input.span, at: &at) {
            case .needsMore: return
            case .expectsContinue: loop.toSend.append(contentsOf: HTTPParser.continueResponse)
            case .failed(let failure):
                loop.toSend.append(contentsOf: failure.bytes)
                end = .afterOutput
            case .request(let request, let framing):
                share += 1
                take(request, framing)
            }
        }
        guard end == .open else { return }
        if at < input.count { parser.keep(input.span.extracting(at..<input.count)) }
        holdsRequests = parser.hasInput
    }

    private func take(_ request: HTTPRequest, _ framing: HTTPFraming) {
        let now = SystemClock.now()
        let start = loop.toSend.count
        var answer = RequestAnswer.handOver
        if let state = loop.state() {
            answer = loop.frontEnd.answer(request, framing: framing, state: state, now: now, date: loop.date.current(), into: &loop.toSend)
        }
        switch answer {
        case .written, .begun:
            loop.measureAnswered(since: now)
            logWritten(request, from: start, since: now)
            if !framing.keepAlive { end = .afterOutput }
            if case .begun(let rest, let isOpen) = answer {
                output.begin(rest)
                if !isOpen { end = .afterOutput }
            }
            return
        case .handOver, .routed: break
        }
        guard let key else { return }
        let id = loop.makeID(for: key)
        pending = id
        pendingIsBlocking = Self.isBlocking(request)
        self.framing = framing
        asked = (request.method, request.target)
        (subject, since) = (loop.frontEnd.subject(of: request), now)
        // Whoever looks at measures wants the latest.
        if request.target.starts(with: "/v1/agent/metrics".utf8) { loop.tellMeasures() }
        if case .routed(let call) = answer {
            loop.outgoing.append(.routed(id, call))
        } else {
            loop.outgoing.append(.request(id, request))
        }
    }

    /// The front end has written an answer behind `start`: `HTTP/1.1 500 ...`.
    @inline(__always)
    private func logWritten(_ request: HTTPRequest, from start: Int, since now: Instant) {
        let isError = start + 9 < loop.toSend.count && loop.toSend[start + 9] >= UInt8(ascii: "4")
        guard isError || loop.shared.requestLog.wantsAll else { return }
        let error = isError ? loop.frontEnd.takeError() : nil
        if error == nil, !loop.shared.requestLog.wantsAll { return }
        loop.shared.requestLog.answered(request.method, request.target, error: error, by: fd, since: now)
    }

    /// Whether the request waits for a change: a GET with `index` or `hash`.
    private static func isBlocking(_ request: HTTPRequest) -> Bool {
        guard request.method == "GET", let mark = request.target.firstIndex(of: UInt8(ascii: "?")) else { return false }
        let parameters = request.target[(mark + 1)...].split(separator: UInt8(ascii: "&"))
        return parameters.contains { $0.starts(with: "index=".utf8) || $0.starts(with: "hash=".utf8) }
    }

    // MARK: Writing

    /// Sends what the loop's buffer holds; all of it is this connection's.
    private func send() {
        guard key != nil else { return loop.toSend.removeAll(keepingCapacity: true) }
        if loop.toSend.isEmpty && !output.isReady { return }
        made(output.isReady ? output.sendSlice(&loop.toSend, to: fd) : output.send(&loop.toSend, to: fd))
    }

    /// Goes on with what the socket had no room for.
    private func flush() { made(output.flush(to: fd)) }

    private func made(_ progress: AnswerOutput.Progress) {
        if output.consumeProgress() { hasProgressed = true }
        switch progress {
        case .failed: drop()
        case .ready: queue()
        case .full: break
        case .done: if end == .afterOutput { linger() }
        }
        if output.exceedsBudget { loop.shared.relieve(on: loop) }
    }

    // MARK: Ending

    private func linger() {
        if isPeerDone { return drop() }
        end = .lingering
        holdsRequests = false
        shutdown(fd, Int32(SHUT_WR))
        isReadable = true
        deadline = SystemClock.now() + Self.lingerTime
        loop.timed[ObjectIdentifier(self)] = self
    }

    /// Puts the connection under the sweep's eye while the client owes something, and out of it otherwise.
    private func noteProgress() {
        if key == nil || end == .lingering { return }
        if isPeerDone, pending != nil, pendingIsBlocking {
            // It closed its side before the request was even read. If there is an answer at once, it may still be reading.
            deadline = SystemClock.now() + Self.lingerTime
            loop.timed[ObjectIdentifier(self)] = self
            return
        }
        let owes = !output.isEmpty || (pending == nil && parser.isInsideRequest)
        if owes {
            if deadline == nil { loop.timed[ObjectIdentifier(self)] = self }
            if deadline == nil || hasProgressed { deadline = SystemClock.now() + loop.shared.limits.stallTimeout }
            hasProgressed = false
        } else if deadline != nil {
            deadline = nil
            loop.timed[ObjectIdentifier(self)] = nil
        }
    }

    func drop() {
        guard let key else { return }
        loop.events.remove(key)
        self.key = nil
        if deadline != nil { loop.timed[ObjectIdentifier(self)] = nil }
        close(fd)
        loop.shared.clients.remove(client)
        if let pending { loop.outgoing.append(.cancelled(pending)) }
        pending = nil
        asked = nil
        output.drop()
    }
}
