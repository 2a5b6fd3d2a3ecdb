/// One end of a yamux session: bytes of the connection in, events of its streams out, and the reverse (rpc-raft-wire §1.4).
///
/// Pull what came in:
///
///     var at = 0
///     while let event = try session.next(input, &at) { … }
///
/// and send `output` afterwards, also when `next` has thrown: that may hold the reason for the peer. Then the session is over.
///
/// Over 15 stored variables: the streams, the frame under way, and the timers of the connection, all of which one frame may touch.
public struct YamuxSession: Sendable {
    /// Who dialed is the client; its streams have odd numbers.
    public enum Role: Sendable {
        case client, server
    }

    public enum Event: Hashable, Sendable {
        /// The peer opened a stream.
        case opened(UInt32)
        /// This part of the input belongs to the stream. Its window opens again by `consumed`.
        case data(UInt32, Range<Int>)
        /// The peer sends no more on this stream.
        case ended(UInt32)
        /// The stream is gone at once.
        case reset(UInt32)
    }

    struct Stream: Sendable {
        var isAcknowledged: Bool
        var sendWindow = Yamux.window
        var receiveWindow = Yamux.window
        /// Received, or announced by a frame that is under way, but not consumed.
        var buffered = 0
        /// What the peer's window has no room for, from `sent` on.
        var pending: [UInt8] = []
        var sent = 0
        /// Our end is closed, or will be once `pending` is sent.
        var isClosing = false
        var hasSentFinish = false
        var isPeerDone = false
    }

    private let role: Role
    private let streamsMax: Int
    private var streams = LookupTable<UInt32, Stream>()
    private var nextStream: UInt32
    private var unacknowledged = 0
    private var isPeerGoingAway = false
    /// The beginning of a header whose end has not come.
    private var partialHeader: [UInt8] = []
    /// The data frame under way.
    private var payloadStream: UInt32 = 0
    private var payloadLeft = 0
    /// The frame under way ends its stream.
    private var endsAfterPayload = false
    /// What the last frame told besides the event that was returned.
    private var followUp: Event?
    private var pingAt: Instant
    private var pingID: UInt32 = 0
    /// A ping is not answered yet; until when it must be.
    private var pongBy: Instant?
    /// Until when the peer must open the windows of the streams that wait for that.
    private var windowsBy = DeadlineQueue<UInt32>()
    private let windowTimeout: Duration
    /// Of the last tick.
    private var now: Instant
    public private(set) var isOver = false
    /// Frames for the peer.
    public var output = OutputQueue()

    public init(_ role: Role, streamsMax: Int = 16_384, windowTimeout: Duration = .seconds(60), at now: Instant) {
        self.role = role
        self.streamsMax = streamsMax
        self.windowTimeout = windowTimeout
        self.now = now
        nextStream = role == .client ? 1 : 2
        pingAt = now + Yamux.keepAliveInterval
    }

    public var streamCount: Int { streams.count }
    /// What the windows of the peer have no room for, all streams together.
    public private(set) var pendingSize = 0

    // MARK: Receiving

    /// The next thing that the input from `at` on tells; nil when all of it is read.
    public mutating func next(_ input: Span<UInt8>, _ at: inout Int) throws(YamuxError) -> Event? {
        while !isOver {
            if let event = followUp {
                followUp = nil
                return event
            }
            if payloadLeft > 0 {
                if at == input.count { return nil }
                let range = at..<min(input.count, at + payloadLeft)
                payloadLeft -= range.count
                at = range.upperBound
                if streams.contains(payloadStream) { return .data(payloadStream, range) }
                continue
            }
            do throws(YamuxError) {
                if endsAfterPayload {
                    endsAfterPayload = false
                    if let event = try end(payloadStream) { return event }
                }
                guard let header = try readHeader(input, &at) else { return nil }
                if let event = try receive(header) { return event }
            } catch {
                throw fail(error)
            }
        }
        return nil
    }

    private mutating func readHeader(_ input: Span<UInt8>, _ at: inout Int) throws(YamuxError) -> Yamux.Header? {
        let available = input.count - at
        if partialHeader.isEmpty, available >= Yamux.headerSize {
            defer { at += Yamux.headerSize }
            return try Yamux.Header(input.extracting(at..<at + Yamux.headerSize))
        }
        let count = min(available, Yamux.headerSize - partialHeader.count)
        partialHeader.append(at..<at + count, of: input)
        at += count
        if partialHeader.count < Yamux.headerSize { return nil }
        let whole = partialHeader
        partialHeader.removeAll(keepingCapacity: true)
        return try Yamux.Header(whole.span)
    }

    private mutating func fail(_ error: YamuxError) -> YamuxError {
        isOver = true
        if error.isTold { write(Yamux.Header(.goAway, length: Yamux.GoAwayCode.protocolError.rawValue)) }
        return error
    }

    private mutating func receive(_ header: Yamux.Header) throws(YamuxError) -> Event? {
        switch header.kind {
        case .ping: receivePing(header)
        case .goAway:
            guard header.length == Yamux.GoAwayCode.normal.rawValue else { throw .goneAway(header.length) }
            isPeerGoingAway = true
        case .windowUpdate, .data:
            let isNew = header.flags.contains(.synchronize) ? try open(header.stream) : false
            let event = header.kind == .data ? try receiveData(header) : try receiveUpdate(header)
            guard isNew else { return event }
            followUp = event
            return .opened(header.stream)
        }
        return nil
    }

    private mutating func receivePing(_ header: Yamux.Header) {
        if header.flags.contains(.synchronize) {
            write(Yamux.Header(.ping, .acknowledge, length: header.length))
        } else if header.flags.contains(.acknowledge), header.length == pingID &- 1 {
            pongBy = nil
        }
    }

    /// False when it was refused.
    private mutating func open(_ id: UInt32) throws(YamuxError) -> Bool {
        if streams.contains(id) { throw .duplicateStream }
        guard role == .server, streams.count < streamsMax else {
            write(Yamux.Header(.windowUpdate, .reset, stream: id))
            return false
        }
        streams[id] = Stream(isAcknowledged: true)
        write(Yamux.Header(.windowUpdate, .acknowledge, stream: id))
        return true
    }

    private mutating func receiveUpdate(_ header: Yamux.Header) throws(YamuxError) -> Event? {
        guard streams.contains(header.stream) else { return nil }
        if let event = receiveFlags(header) { return event }
        if header.length > 0 {
            let room = Int(UInt32.max) - (streams[header.stream]?.sendWindow ?? 0)
            streams[header.stream]?.sendWindow += min(Int(header.length), room)
            sendPending(header.stream)
        }
        return header.flags.contains(.finish) ? try end(header.stream) : nil
    }

    private mutating func receiveData(_ header: Yamux.Header) throws(YamuxError) -> Event? {
        payloadStream = header.stream
        payloadLeft = Int(header.length)
        guard let stream = streams[header.stream] else { return nil }
        if let event = receiveFlags(header) { return event }
        if payloadLeft > stream.receiveWindow { throw .windowExceeded }
        if stream.isPeerDone, payloadLeft > 0 { throw .unexpectedFlag }
        streams[header.stream]?.receiveWindow -= payloadLeft
        streams[header.stream]?.buffered += payloadLeft
        endsAfterPayload = header.flags.contains(.finish)
        return nil
    }

    /// Acknowledgement and reset.
    private mutating func receiveFlags(_ header: Yamux.Header) -> Event? {
        if header.flags.contains(.acknowledge), streams[header.stream]?.isAcknowledged == false {
            streams[header.stream]?.isAcknowledged = true
            unacknowledged -= 1
        }
        guard header.flags.contains(.reset) else { return nil }
        forget(header.stream)
        return .reset(header.stream)
    }

    private mutating func end(_ id: UInt32) throws(YamuxError) -> Event? {
        guard let stream = streams[id] else { return nil }
        if stream.isPeerDone { throw .unexpectedFlag }
        streams[id]?.isPeerDone = true
        if stream.hasSentFinish { forget(id) }
        return .ended(id)
    }

    private mutating func forget(_ id: UInt32) {
        guard let stream = streams.removeValue(forKey: id) else { return }
        if !stream.isAcknowledged { unacknowledged -= 1 }
        guard !stream.pending.isEmpty else { return }
        pendingSize -= stream.pending.count - stream.sent
        windowsBy[id] = nil
    }

    /// So many bytes of the stream need no room any more.
    public mutating func consumed(_ id: UInt32, _ count: Int) {
        guard var stream = streams[id] else { return }
        precondition(count <= stream.buffered, "no more is consumed than came")
        stream.buffered -= count
        let growth = Yamux.window - stream.buffered - stream.receiveWindow
        if growth >= Yamux.windowUpdateMin, !stream.isPeerDone {
            stream.receiveWindow += growth
            write(Yamux.Header(.windowUpdate, stream: id, length: UInt32(growth)))
        }
        streams[id] = stream
    }

    // MARK: Sending

    /// A stream may be opened now: the peer accepts new ones, and has acknowledged enough of those that there are.
    public var canOpen: Bool { isUsable && unacknowledged < Yamux.unacknowledgedMax }

    /// A stream may be opened now or later.
    public var isUsable: Bool { !isOver && !isPeerGoingAway && nextStream < UInt32.max - 2 }

    public mutating func open() -> UInt32 {
        precondition(canOpen, "streams are opened while the session can")
        let id = nextStream
        nextStream += 2
        streams[id] = Stream(isAcknowledged: false)
        unacknowledged += 1
        write(Yamux.Header(.windowUpdate, .synchronize, stream: id))
        return id
    }

    /// Without effect on a stream that is gone or closed.
    public mutating func send(_ id: UInt32, _ bytes: [UInt8]) {
        guard let stream = streams[id], !stream.isClosing, !bytes.isEmpty else { return }
        guard stream.pending.isEmpty else {
            streams[id]?.pending.append(contentsOf: bytes)
            pendingSize += bytes.count
            return
        }
        let count = min(bytes.count, stream.sendWindow)
        writeData(id, bytes.span.extracting(first: count))
        streams[id]?.sendWindow -= count
        if count < bytes.count {
            streams[id]?.pending = bytes
            streams[id]?.sent = count
            pendingSize += bytes.count - count
            windowsBy[id] = now + windowTimeout
        }
    }

    /// What a stream has for the peer and may not send yet.
    public func pendingCount(_ id: UInt32) -> Int { streams[id].map { $0.pending.count - $0.sent } ?? 0 }

    private mutating func sendPending(_ id: UInt32) {
        guard var stream = streams[id], !stream.pending.isEmpty, stream.sendWindow > 0 else { return }
        let count = min(stream.pending.count - stream.sent, stream.sendWindow)
        writeData(id, stream.pending.span.extracting(stream.sent..<stream.sent + count))
        stream.sent += count
        stream.sendWindow -= count
        pendingSize -= count
        if stream.sent == stream.pending.count {
            (stream.pending, stream.sent) = ([], 0)
            windowsBy[id] = nil
        } else {
            windowsBy[id] = now + windowTimeout
        }
        streams[id] = stream
        if stream.isClosing { finish(id) }
    }

    private mutating func writeData(_ id: UInt32, _ bytes: Span<UInt8>) {
        var at = 0
        while at < bytes.count {
            let end = min(bytes.count, at + Yamux.payloadMax)
            output.write(end - at + Yamux.headerSize) { out in
                Yamux.Header(.data, stream: id, length: UInt32(end - at)).append(to: &out)
                out.append(at..<end, of: bytes)
            }
            at = end
        }
    }

    private mutating func write(_ header: Yamux.Header) {
        output.write(Yamux.headerSize) { header.append(to: &$0) }
    }

    /// Nothing more is sent on the stream, after what is pending.
    public mutating func close(_ id: UInt32) {
        guard streams[id]?.isClosing == false else { return }
        streams[id]?.isClosing = true
        finish(id)
    }

    private mutating func finish(_ id: UInt32) {
        guard let stream = streams[id], stream.pending.isEmpty, !stream.hasSentFinish else { return }
        write(Yamux.Header(.windowUpdate, .finish, stream: id))
        streams[id]?.hasSentFinish = true
        if stream.isPeerDone { forget(id) }
    }

    /// Ends the stream at once, in both directions.
    public mutating func reset(_ id: UInt32) {
        guard streams.contains(id) else { return }
        write(Yamux.Header(.windowUpdate, .reset, stream: id))
        forget(id)
    }

    /// Ends the session in our turn; the peer is told that the fault is not its.
    public mutating func goAway() {
        if isOver { return }
        isOver = true
        write(Yamux.Header(.goAway, length: Yamux.GoAwayCode.internalError.rawValue))
    }

    // MARK: Time

    /// When `tick` wants to be called.
    public var deadline: Instant { min(pingAt, pongBy ?? .distantFuture) }

    /// A stream whose window the peer has not opened in time, each once: to be reset.
    public mutating func stalledStream(at now: Instant) -> UInt32? { windowsBy.popExpired(at: now) }

    /// Sends pings, and notices when they are not answered.
    public mutating func tick(at now: Instant) throws(YamuxError) {
        if isOver { return }
        self.now = max(self.now, now)
        if let pongBy, now >= pongBy { throw fail(.keepAliveTimeout) }
        guard now >= pingAt else { return }
        pingAt = now + Yamux.keepAliveInterval
        guard pongBy == nil else { return }
        write(Yamux.Header(.ping, .synchronize, length: pingID))
        pingID &+= 1
        pongBy = now + Yamux.keepAliveTimeout
    }
}
