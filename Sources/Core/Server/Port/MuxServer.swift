/// RPC over many streams of one connection. A stream has one call at a time; what comes behind it stays in the stream's window
/// (rpc-raft-wire §1.4, §2.1).
///
/// Whatever goes over a limit of a stream or of the connection costs the stream: it is reset.
final class MuxServer {
    var session: YamuxSession
    private let limits: PortLimits
    private let source: CallSource
    private var streams = LookupTable<UInt32, Stream>()
    /// The calls that are not answered, with those of streams that are gone.
    private var asked = AskedCalls()
    /// Of those, the ones whose streams were reset since the last `takeAbandoned`.
    private var abandoned: [UInt32] = []
    /// Bytes of unfinished messages, of what follows calls that are not answered, and of those calls; all streams together.
    private var assemblySize = 0
    private var backlogSize = 0
    private var askedSize = 0
    /// When the unfinished messages must have come to their ends.
    private var messagesBy = DeadlineQueue<UInt32>()

    private struct Stream {
        var assembler: MessageAssembler
        var call: UInt32?
        var backlog: [UInt8] = []
        var hasBegun = false
        var isPeerDone = false
        /// When the message under way began to come.
        var since = Instant.zero
    }

    init(_ limits: PortLimits, _ source: CallSource, at now: Instant) {
        self.limits = limits
        self.source = source
        session = YamuxSession(.server, streamsMax: limits.streamsMax, windowTimeout: limits.windowTimeout, at: now)
    }

    /// What counts for the budget, beside the output.
    var heldSize: Int { assemblySize + backlogSize + askedSize + session.pendingSize + streams.count * Yamux.streamOverhead }
    var unanswered: [UInt32] { asked.serials }

    /// Calls that nobody waits for any more. They count until they are answered.
    func takeAbandoned() -> [UInt32] {
        if abandoned.isEmpty { return [] }
        defer { abandoned = [] }
        return abandoned
    }

    func receive(_ input: Span<UInt8>, _ at: inout Int, at now: Instant, into calls: inout [InboundCall]) throws(TextError) {
        do throws(YamuxError) {
            while let event = try session.next(input, &at) {
                switch event {
                case .opened(let id): streams[id] = Stream(assembler: MessageAssembler(.rpc, limits))
                case .data(let id, let range): receiveData(input.extracting(range), of: id, at: now, into: &calls)
                case .ended(let id): ended(id)
                case .reset(let id): forget(id)
                }
            }
        } catch {
            throw TextError(error.text)
        }
    }

    private func receiveData(_ input: Span<UInt8>, of id: UInt32, at now: Instant, into calls: inout [InboundCall]) {
        guard var stream = streams.removeValue(forKey: id) else { return session.consumed(id, input.count) }
        // Six would be the first byte of an area's gossip (§1.1).
        if !stream.hasBegun, input[0] == 6 {
            session.consumed(id, input.count)
            return session.close(id)
        }
        stream.hasBegun = true
        guard stream.call == nil else {
            stream.backlog.append(0..<input.count, of: input)
            backlogSize += input.count
            streams[id] = stream
            if backlogSize > limits.backlogSizeMax { reset(id) }
            return
        }
        let before = stream.assembler.partial.count
        var at = 0
        var message: [UInt8]?
        do throws(TextError) {
            message = try stream.assembler.assemble(input, &at)
        } catch {
            // As the reference: nothing is answered to what cannot be read.
            assemblySize -= before
            messagesBy[id] = nil
            session.consumed(id, input.count)
            return session.close(id)
        }
        assemblySize += stream.assembler.partial.count - before
        if let message {
            messagesBy[id] = nil
            guard let serial = ask(message, id, &calls) else {
                streams[id] = stream
                return reset(id)
            }
            stream.call = serial
            if at < input.count {
                stream.backlog.append(at..<input.count, of: input)
                backlogSize += input.count - at
            }
        } else if before == 0 {
            stream.since = now
            messagesBy[id] = now + limits.messageTimeout
        }
        streams[id] = stream
        session.consumed(id, at)
        if assemblySize > limits.assemblySizeMax || backlogSize > limits.backlogSizeMax { reset(id) }
    }

    /// nil for a call too many.
    private func ask(_ bytes: [UInt8], _ stream: UInt32, _ calls: inout [InboundCall]) -> UInt32? {
        guard asked.count < limits.streamsMax, source.beginCall() else { return nil }
        guard let serial = asked.add(AskedCalls.Call(stream: stream, size: bytes.count)) else {
            source.endCall()
            return nil
        }
        askedSize += bytes.count
        calls.append(InboundCall(serial: serial, channel: .rpc, bytes: bytes))
        return serial
    }

    private func answered(_ serial: UInt32) -> UInt32? {
        guard let call = asked.remove(serial) else { return nil }
        askedSize -= call.size
        source.endCall()
        return call.stream
    }

    private func ended(_ id: UInt32) {
        if streams[id]?.call == nil {
            forget(id)
            session.close(id)
        } else {
            streams[id]?.isPeerDone = true
        }
    }

    @discardableResult
    private func forget(_ id: UInt32) -> Stream? {
        guard let stream = streams.removeValue(forKey: id) else { return nil }
        assemblySize -= stream.assembler.partial.count
        backlogSize -= stream.backlog.count
        messagesBy[id] = nil
        if let call = stream.call {
            asked.loseStream(call)
            abandoned.append(call)
        }
        return stream
    }

    private func reset(_ id: UInt32) {
        forget(id)
        session.reset(id)
    }

    func reply(_ serial: UInt32, _ bytes: [UInt8], at now: Instant, into calls: inout [InboundCall]) {
        guard let id = answered(serial), streams.contains(id) else { return }
        session.send(id, bytes)
        if RPCReply.endsStream(bytes) { return drop(id) }
        var backlog: [UInt8] = []
        if var stream = streams.removeValue(forKey: id) {
            stream.call = nil
            swap(&backlog, &stream.backlog)
            backlogSize -= backlog.count
            if backlog.isEmpty, stream.isPeerDone { return session.close(id) }
            streams[id] = stream
        }
        if backlog.isEmpty { return }
        receiveData(backlog.span, of: id, at: now, into: &calls)
        if streams[id]?.isPeerDone == true { ended(id) }
    }

    /// The caller sees the end of its stream.
    func refuse(_ serial: UInt32) {
        if let id = answered(serial) { drop(id) }
    }

    /// Closes a stream on which no call is under way.
    private func drop(_ id: UInt32) {
        streams[id]?.call = nil
        let rest = forget(id)?.backlog.count ?? 0
        session.close(id)
        session.consumed(id, rest)
    }

    /// Resets what has taken too long: messages whose ends do not come, and answers that nobody takes.
    func tick(at now: Instant) throws(YamuxError) {
        try session.tick(at: now)
        while let id = session.stalledStream(at: now) { reset(id) }
        while let id = messagesBy.popExpired(at: now) {
            guard let stream = streams[id] else { continue }
            let deadline = stream.since + limits.messageTimeout(received: stream.assembler.partial.count)
            if now < deadline { messagesBy[id] = deadline } else { reset(id) }
        }
    }
}
