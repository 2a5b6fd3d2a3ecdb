import CSystem
import Core
import Glibc
import Synchronization

/// What a loop is told by other threads.
enum LoopMessage {
    case respond(RequestID, HTTPResponse)
    case answer(RequestID, [UInt8])
    case respondInPieces(RequestID, HTTPResponse)
    case piece(RequestID, [UInt8])
    /// A connection that the listener accepted and this loop shall own.
    case adopt(AcceptedConnection)
    /// A connection whose answer is held for too long while memory is short.
    case close(EventLoop.Key)
    indirect case configure(Reloadable)
    /// Close the listeners and everything that waits for nothing.
    case shutDown
}

/// Where events for the machine go: `CoreLoop`, without its type parameter.
protocol EventQueue: AnyObject, Sendable {
    func post(_ events: inout [AgentEvent])
    func post(_ event: AgentEvent)
    /// The time that was armed has come; a `run` must follow.
    func deadlineHasCome()
    /// Returns true when it must be called again soon.
    func run() -> Bool
}

/// Connections and sockets that one thread at a time serves.
///
/// Everything in it is guarded by `lock`. The thread that polls takes it after each `epoll_wait`; a thread that has answers for its
/// connections (having just run the machine) takes it if it is free and writes them to the sockets itself, which saves waking the
/// poller. Whoever has held the lock, for whatever reason, looks into the inbox after letting it go: a thread that finds it taken leaves
/// its messages to the holder.
final class IOLoop: ServedLoop, @unchecked Sendable {
    // Unchecked: `inbox` is guarded by `inboxLock`, the rest by `lock`.
    private let lock = Lock()
    private let inboxLock = Lock()
    private var inbox: [LoopMessage] = []
    private var messages: [LoopMessage] = []
    private let waker: Waker

    let index: Int
    let events: EventLoop
    let shared: SharedState
    var frontEnd: any RequestFrontEnd
    private(set) var reader = Published.Reader()
    /// Events for the machine, posted at the end of a turn.
    var outgoing: [AgentEvent] = []
    /// What the requests of this loop are called.
    private var lastSerial: UInt32 = 0
    /// Bytes just received, and bytes about to be sent: shared by all connections, which keep only what is left over.
    let received: UnsafeMutableRawBufferPointer
    var toSend: [UInt8] = []
    var date = DateHeader()
    var gzip = GzipEncoder()
    /// Connections that get nothing but time: swept every so often while there are any.
    var timed: [ObjectIdentifier: any EventSource] = [:]
    private var nextSweep = Instant.distantFuture
    /// There may be measures to tell of.
    private var isMeasuring = false
    /// Nanoseconds that answering has taken in this turn.
    private var answeringTime: Int64 = 0
    /// What `nextSweep` was at the end of the last turn: the poller's own, needing no lock.
    private var pollUntil = Instant.distantFuture
    /// Connections with more to do after their share of a turn, in the order in which they get the next.
    private var unfinished: [HTTPConnection] = []

    static let receiveSize = 64 << 10
    /// More messages than this are left to the poller, so that several loops can write at the same time.
    static let inlineMessagesMax = 64
    static let sweepInterval = Duration.seconds(1)
    /// How long shares are given out in a turn: what is new waits for no more than this, and the share that is under way, of what is large.
    static let sharesTimeMax = Duration.milliseconds(2)
    /// How long requests are answered as they come; after that the connections wait for shares, in the order of their requests.
    static let answeringTimeMax = Duration.milliseconds(4)

    init(index: Int, shared: SharedState, frontEnd: any RequestFrontEnd) throws(SystemError) {
        self.index = index
        self.shared = shared
        self.frontEnd = frontEnd
        events = try EventLoop()
        waker = try Waker()
        received = .allocate(byteCount: Self.receiveSize, alignment: 64)
        try waker.attach(to: events)
    }

    deinit { received.deallocate() }

    // MARK: Polling

    /// Waits for something to happen and sees to it; true when it must not sleep before the next turn.
    func turn(sleeping: Bool) -> Bool {
        let count = events.wait(milliseconds: sleeping ? timeout() : 0)
        lock.lock()
        answeringTime = 0
        if count > 0 { events.dispatch(count) }
        takeInbox()
        resumeUnfinished()
        if nextSweep != .distantFuture { sweep() }
        finish()
        pollUntil = nextSweep
        lock.unlock()
        var isMore = false
        repeat { isMore = shared.core.run() } while deliver()
        return isMore
    }

    /// Must not take the lock: whoever takes it has to look into the inbox afterwards.
    private func timeout() -> Int32 {
        if pollUntil == .distantFuture { return -1 }
        return Int32(clamping: max(0, (pollUntil - SystemClock.now()).nanoseconds / 1_000_000 + 1))
    }

    /// Calls the connection's `resume` in the next turn, which will not wait.
    func resumeLater(_ connection: HTTPConnection) { unfinished.append(connection) }

    /// Whether this turn has answered for so long that others must have theirs.
    var isOverTime: Bool { answeringTime > Self.answeringTimeMax.nanoseconds }

    private func resumeUnfinished() {
        if unfinished.isEmpty { return }
        var connections = unfinished
        unfinished = []
        let end = SystemClock.now() + Self.sharesTimeMax
        var given = 0
        repeat {
            connections[given].resume()
            given += 1
        } while given < connections.count && SystemClock.now() < end
        connections.removeFirst(given)
        unfinished.insert(contentsOf: connections, at: 0)
    }

    /// Closes the connection for the sake of others.
    func close(_ key: EventLoop.Key) { (events.source(key) as? HTTPConnection)?.drop() }

    private func sweep() {
        let now = SystemClock.now()
        if now < nextSweep { return }
        for source in timed.values { source.sweep(at: now) }
        tellMeasures()
        nextSweep = timed.isEmpty ? .distantFuture : now + Self.sweepInterval
    }

    /// Hands over what was measured, about once a second and before somebody looks.
    func tellMeasures() {
        isMeasuring = false
        if let measures = frontEnd.takeMeasures() { outgoing.append(.measured(measures)) }
    }

    /// The front end has answered what was there at that time.
    @inline(__always)
    func measureAnswered(since start: Instant) { measureAnswered(from: start, to: SystemClock.now()) }

    @inline(__always)
    func measureAnswered(from start: Instant, to end: Instant) {
        let time = end.nanoseconds &- start.nanoseconds
        frontEnd.measureAnswered(nanoseconds: time)
        answeringTime &+= time
        isMeasuring = true
    }

    /// The machine has answered.
    func measure(_ subject: MeasuredSubject, since start: Instant) {
        frontEnd.measure(subject, nanoseconds: SystemClock.now().nanoseconds &- start.nanoseconds)
        isMeasuring = true
    }

    /// The end of every stretch with the lock held.
    private func finish() {
        shared.core.post(&outgoing)
        reader.forget()
        if nextSweep == .distantFuture, isMeasuring || !timed.isEmpty {
            nextSweep = SystemClock.now() + Self.sweepInterval
            // The poller may be asleep already, without a timeout.
            waker.wake()
        }
        if !unfinished.isEmpty { waker.wake() }
        if toSend.capacity > 256 << 10 { toSend = [] }
    }

    // MARK: Messages

    func post(_ new: inout [LoopMessage]) {
        if new.isEmpty { return }
        inboxLock.holding {
            if inbox.isEmpty {
                swap(&inbox, &new)
            } else {
                inbox.append(contentsOf: new)
            }
        }
        new.removeAll(keepingCapacity: true)
    }

    func post(_ message: LoopMessage) { inboxLock.holding { inbox.append(message) } }

    /// Sees to the messages here and now if they are few and nobody holds the loop; true when that led to events for the machine.
    func deliver() -> Bool {
        var isPosted = false
        while true {
            let count = inboxLock.holding { inbox.count }
            if count == 0 { return isPosted }
            if count > Self.inlineMessagesMax {
                waker.wake()
                return isPosted
            }
            guard lock.tryLock() else { return isPosted }
            takeInbox()
            isPosted = isPosted || !outgoing.isEmpty
            finish()
            lock.unlock()
        }
    }

    func wake() { waker.wake() }

    private func takeInbox() {
        inboxLock.holding { swap(&inbox, &messages) }
        if messages.isEmpty { return }
        for message in messages {
            switch message {
            case .respond(let id, let response):
                events.source(at: id.place)?.respond(response, to: id)
            case .answer(let id, let bytes):
                events.source(at: id.place)?.answer(bytes, to: id)
            case .respondInPieces(let id, let response): events.source(at: id.place)?.respondInPieces(response, to: id)
            case .piece(let id, let bytes): events.source(at: id.place)?.piece(bytes, of: id)
            case .adopt(let accepted): HTTPConnection.adopt(accepted, by: self)
            case .close(let key): close(key)
            case .configure(let new): frontEnd.reload(new)
            case .shutDown: for source in events.sources { source.shutDown() }
            }
        }
        messages.removeAll(keepingCapacity: messages.count <= 1024)
    }

    // MARK: Requests

    /// The state to answer from; nil before there is any.
    @inline(__always)
    func state() -> PublishedState? { reader.current(of: shared.published) }

    /// A new name for a request of the source at `key`.
    func makeID(for key: EventLoop.Key) -> RequestID {
        lastSerial &+= 1
        if lastSerial == 0 { lastSerial = 1 }
        return RequestID(loop: index, place: Int(key.place), serial: lastSerial)
    }
}

/// The parts of a request's name: which loop, which of its places, and a number that tells it from earlier requests of the place.
extension RequestID {
    init(loop: Int, place: Int, serial: UInt32) {
        precondition(place < 1 << 24, "a loop has fewer sources than the number of a place can tell")
        self.init(UInt64(loop) << 56 | UInt64(place) << 32 | UInt64(serial))
    }

    var loop: Int { Int(raw >> 56) }
    var place: Int { Int(raw >> 32) & 0xFF_FFFF }
}
