/// A call that came in over a connection; its number is the connection's own.
public struct InboundCall: Sendable {
    public var serial: UInt32
    public var channel: Channel
    public var bytes: [UInt8]
}

/// What makes a connection of somebody who dialed us give calls and take their answers: bytes in, whole calls out, and the reverse.
///
/// On the server port the first byte tells what is spoken (rpc-raft-wire §1.1); what is not spoken is closed without a byte. The driver
/// sends `output`, reads while `wantsInput`, and closes when `end` says so.
public final class InboundConnection {
    public enum Port: Hashable, Sendable {
        case server
        case gossip(GossipPool)
    }

    public enum End: Hashable, Sendable {
        case open
        /// To be closed once `output` is sent.
        case afterOutput
        /// To be closed at once; the text is for the log, empty where there is nothing to say.
        case now(String)
    }

    private enum Mode {
        /// Waiting for the first byte.
        case unknown
        case sequence(SequenceServer)
        case mux(MuxServer)
        case whole(WholeServer)
    }

    public let port: Port
    private let limits: PortLimits
    private var mode: Mode
    private var ownOutput = OutputQueue()
    private var stall = StallWatch()
    public private(set) var end = End.open
    /// Nil: waits for as long as it takes.
    private var handshakeDeadline: Instant?
    private let source: CallSource
    private var kind = PortBudget.Kind.messages
    /// What the budget counts for this connection.
    private var counted = 0

    /// `client` is the address of the peer, without its port.
    public init(_ port: Port, limits: PortLimits, client: String = "", budget: PortBudget? = nil, at now: Instant) {
        self.port = port
        self.limits = limits
        source = CallSource(client, budget ?? PortBudget(limits))
        switch port {
        case .server:
            mode = .unknown
            if limits.handshakeTimeout > .zero { handshakeDeadline = now + limits.handshakeTimeout }
        case .gossip(let pool):
            mode = .whole(WholeServer(pool == .lan ? .lan : .wan, limits, source, at: now))
            handshakeDeadline = now + streamTimeout
        }
    }

    private var streamTimeout: Duration {
        if case .gossip(.wan) = port { limits.wanStreamTimeout } else { limits.lanStreamTimeout }
    }

    // MARK: Bytes

    /// What is to be sent.
    public var output: OutputQueue {
        @inline(__always)
        _read {
            switch mode {
            case .mux(let server): yield server.session.output
            default: yield ownOutput
            }
        }
    }

    /// These many bytes of the output's first are sent.
    public func wrote(_ count: Int) {
        stall.moved()
        if case .mux(let server) = mode { server.session.output.removeFirst(count) } else { ownOutput.removeFirst(count) }
        if counted > 0 { self.count() }
    }

    /// False while the peer is to be held back: it does not take its answers, or has asked for as much as it may.
    public var wantsInput: Bool {
        guard end == .open, output.count <= limits.outputSizeMax else { return false }
        return switch mode {
        case .unknown, .mux: true
        case .sequence(let server): server.wantsInput
        case .whole(let server): server.wantsInput
        }
    }

    public func receive(_ input: Span<UInt8>, at now: Instant, into calls: inout [InboundCall]) {
        guard end == .open, input.count > 0 else { return }
        var at = 0
        if case .unknown = mode {
            begin(input[0], at: now)
            at = 1
        }
        do throws(TextError) {
            switch mode {
            case .unknown: break
            case .sequence(let server): try server.receive(input, &at, at: now, into: &calls)
            case .mux(let server): try server.receive(input, &at, at: now, into: &calls)
            case .whole(let server):
                try server.receive(input, &at, into: &calls)
                if !server.isWaiting { handshakeDeadline = nil }
            }
        } catch {
            fail(error.text)
        }
        count()
    }

    private func fail(_ text: String) {
        // What is in the output may tell the peer why.
        if end == .open { end = output.isEmpty ? .now(text) : .afterOutput }
    }

    private func begin(_ byte: UInt8, at now: Instant) {
        handshakeDeadline = nil
        switch byte {
        case 0: mode = .sequence(SequenceServer(.rpc, limits, source))
        case 1:
            mode = .sequence(SequenceServer(.raft, limits, source))
            kind = .states
        case 4: mode = .mux(MuxServer(limits, source, at: now))
        case 5:
            mode = .whole(WholeServer(.snapshot, limits, source, at: now))
            kind = .states
        default: end = .now("unrecognized RPC byte: byte=\(byte)")
        }
    }

    /// The peer sends no more.
    public func receivedEnd(at now: Instant, into calls: inout [InboundCall]) {
        do throws(TextError) {
            if case .whole(let server) = mode, try server.receivedEnd(into: &calls) {
                handshakeDeadline = nil
            } else if end == .open {
                end = .now("")
            }
        } catch {
            fail(error.text)
        }
    }

    // MARK: Budget

    private var heldSize: Int {
        switch mode {
        case .unknown: 0
        case .sequence(let server): server.heldSize + ownOutput.count
        case .mux(let server): server.heldSize + server.session.output.count
        case .whole(let server): server.heldSize + ownOutput.count
        }
    }

    /// Counts what the connection holds now. One that holds more than the budget has is given up.
    private func count() {
        let held = heldSize / PortBudget.grain * PortBudget.grain
        if held == counted { return }
        if source.budget.change(kind, of: source.name, by: held - counted) {
            counted = held
        } else if case .mux(let server) = mode {
            server.session.goAway()
            fail("too much memory is held for this client")
        } else {
            end = .now("too much memory is held for this client")
        }
    }

    /// The connection is closed: returns the calls that are still to be answered, for each of which the budget is to be told by `endCalls`.
    public func closed() -> [UInt32] {
        if counted > 0 { _ = source.budget.change(kind, of: source.name, by: -counted) }
        counted = 0
        return switch mode {
        case .unknown: []
        case .sequence(let server): server.unanswered
        case .mux(let server): server.unanswered
        case .whole(let server): server.unanswered
        }
    }

    /// Calls whose streams the caller has reset since the last time: nobody waits for their answers.
    public func takeAbandoned() -> [UInt32] {
        if case .mux(let server) = mode { server.takeAbandoned() } else { [] }
    }

    // MARK: Answers

    /// Whether the call still waits for its answer.
    public func reply(_ serial: UInt32, _ bytes: [UInt8], at now: Instant, into calls: inout [InboundCall]) {
        do throws(TextError) {
            switch mode {
            case .unknown: break
            case .sequence(let server):
                try server.reply(serial, bytes, &ownOutput, at: now, into: &calls)
                if server.channel == .rpc, end == .open, RPCReply.endsStream(bytes) {
                    for call in calls { _ = server.refuse(call.serial) }
                    calls = []
                    end = .afterOutput
                }
            case .mux(let server): server.reply(serial, bytes, at: now, into: &calls)
            case .whole(let server):
                guard server.acceptReply(serial) else { return }
                ownOutput.append(bytes)
                end = .afterOutput
            }
        } catch {
            fail(error.text)
        }
        count()
    }

    /// The call gets no answer: its connection, or stream, is closed.
    public func refuse(_ serial: UInt32) {
        switch mode {
        case .unknown: return
        case .mux(let server): return server.refuse(serial)
        case .sequence(let server): _ = server.refuse(serial)
        case .whole(let server): _ = server.acceptReply(serial)
        }
        end = .now("")
    }

    // MARK: Time

    /// What the kernel has of the bytes that were sent, told before each `tick`.
    public func noteQueued(_ bytes: Int) { stall.noteQueued(bytes) }

    /// Called about every second.
    public func tick(at now: Instant) {
        if let handshakeDeadline, now >= handshakeDeadline { end = .now("i/o timeout") }
        switch mode {
        case .unknown: break
        case .mux(let server): do throws(YamuxError) { try server.tick(at: now) } catch { fail(error.text) }
        case .sequence(let server): if server.isLate(at: now) { end = .now("i/o timeout") }
        case .whole(let server): if server.isLate(at: now) { end = .now("i/o timeout") }
        }
        count()
        if case .gossip = port {
            if stall.isStalled(output.count, for: streamTimeout, at: now) { end = .now("i/o timeout") }
        } else if stall.isStalled(output.count, for: limits.writeTimeout, at: now) {
            end = .now("connection write timeout")
        }
    }
}

/// Notices a peer that does not take what is there for it.
struct StallWatch {
    private var hasMoved = false
    private var since: Instant?
    private var queued = 0

    @inline(__always)
    mutating func moved() { hasMoved = true }

    /// The kernel has so many of the bytes that were sent. It takes no more of them while a slow peer reads from a deep buffer.
    mutating func noteQueued(_ bytes: Int) {
        if bytes < queued { hasMoved = true }
        queued = bytes
    }

    /// `waiting` bytes are there now.
    mutating func isStalled(_ waiting: Int, for time: Duration, at now: Instant) -> Bool {
        if waiting == 0 || hasMoved {
            hasMoved = false
            since = nil
            return false
        }
        guard let since else {
            self.since = now
            return false
        }
        return now - since >= time
    }
}
