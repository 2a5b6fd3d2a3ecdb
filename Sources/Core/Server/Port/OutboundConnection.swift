/// What a call of ours came to.
enum CallResult {
    case answered([UInt8])
    case failed(String)
}

/// A connection that this agent dialed, or is dialing: calls in, bytes out, and the reverse. `PeerPool` decides what it is used for.
public final class OutboundConnection {
    enum Use: Hashable {
        /// RPC, many calls at a time.
        case mux
        /// Appends, which are answered in their order.
        case appends
        /// One call of Raft at a time.
        case raft
        /// One stream of gossip, and then no more.
        case gossip(GossipPool)
        /// One snapshot request.
        case snapshot
    }

    private enum Mode {
        case mux(MuxCaller)
        case sequence(SequenceCaller)
        case gossip(GossipCaller)
        case snapshot(SnapshotCaller)
    }

    enum State: Hashable {
        case dialing(since: Instant)
        case open
        case closed
    }

    /// Small numbers that are used again once the connection is closed, for the driver's table of sockets.
    public let id: Int
    let use: Use
    let peer: PeerLinks
    private(set) var state: State
    private let limits: PortLimits
    private var mode: Mode?
    /// Calls that wait for the connection.
    private(set) var waiting: [(call: CallID, bytes: [UInt8])] = []
    private var ownOutput = OutputQueue()
    private var stall = StallWatch()
    /// Ours and theirs, for error texts: `127.0.0.1:4711->127.0.0.1:8300`.
    private(set) var path = ""
    /// Since when there is no call.
    private(set) var idleSince: Instant
    /// The driver knows that there is output.
    var isMarked = false

    init(id: Int, _ use: Use, to peer: PeerLinks, limits: PortLimits, at now: Instant) {
        self.id = id
        self.use = use
        self.peer = peer
        self.limits = limits
        state = .dialing(since: now)
        idleSince = now
    }

    /// What is to be sent.
    public var output: OutputQueue {
        @inline(__always)
        _read {
            if case .mux(let caller)? = mode { yield caller.session.output } else { yield ownOutput }
        }
    }

    /// Our side is to be closed behind the output: the peer waits for that.
    public var endsOutput: Bool { use == .snapshot }

    func wrote(_ count: Int) {
        stall.moved()
        if case .mux(let caller)? = mode { caller.session.output.removeFirst(count) } else { ownOutput.removeFirst(count) }
    }

    /// A new call may be given to it.
    var isUsable: Bool {
        switch (state, mode) {
        case (.dialing, _): true
        case (.open, .mux(let caller)?): caller.session.isUsable
        case (.open, _): true
        case (.closed, _): false
        }
    }

    var callCount: Int {
        switch mode {
        case .mux(let caller)?: caller.callCount
        case .sequence(let caller)?: caller.callCount
        case .gossip(let caller)?: caller.call == nil ? 0 : 1
        case .snapshot(let caller)?: caller.call == nil ? 0 : 1
        case nil: waiting.count
        }
    }

    /// Bytes of an answer whose end has not come, on a stream of gossip.
    var heldGossip: Int { if case .gossip(let caller)? = mode { caller.heldSize } else { 0 } }

    func connected(path: String, at now: Instant) {
        state = .open
        self.path = path
        switch use {
        case .mux:
            let caller = MuxCaller(limits, at: now)
            caller.session.output.append([4])
            mode = .mux(caller)
        case .appends, .raft:
            ownOutput.append([1])
            mode = .sequence(SequenceCaller(limits))
        case .gossip: mode = .gossip(GossipCaller(limits))
        case .snapshot:
            ownOutput.append([5])
            mode = .snapshot(SnapshotCaller(limits))
        }
        for (call, bytes) in waiting { start(call, bytes) }
        waiting = []
    }

    func start(_ call: CallID, _ bytes: [UInt8]) {
        switch mode {
        case .mux(let caller)?: caller.start(call, bytes)
        case .sequence(let caller)?:
            caller.start(call)
            ownOutput.append(bytes)
        case .gossip(let caller)?:
            caller.call = call
            ownOutput.append(bytes)
        case .snapshot(let caller)?:
            caller.call = call
            ownOutput.append(bytes)
        case nil: waiting.append((call, bytes))
        }
    }

    /// Nobody waits for the answer any more. False when the connection is of no use then.
    func cancel(_ call: CallID, at now: Instant) -> Bool {
        switch mode {
        case .mux(let caller)?:
            caller.cancel(call)
            noteIdle(at: now)
            return true
        case .sequence, .gossip, .snapshot: return false
        case nil:
            waiting.removeAll { $0.call == call }
            return !waiting.isEmpty
        }
    }

    func receive(_ input: Span<UInt8>, at now: Instant, into results: inout [(CallID, CallResult)]) throws(TextError) {
        var at = 0
        let wasBusy = callCount > 0
        defer { if wasBusy { noteIdle(at: now) } }
        switch mode {
        case .mux(let caller)?: try caller.receive(input, &at, into: &results)
        case .sequence(let caller)?: try caller.receive(input, &at, into: &results)
        case .gossip(let caller)?: caller.receive(input, into: &results)
        case .snapshot(let caller)?: try caller.receive(input)
        case nil: break
        }
    }

    private func noteIdle(at now: Instant) {
        if callCount == 0 { idleSince = now }
    }

    /// It is over: the calls that wait, in the order in which they were begun. A stream of gossip may have its answer by that, and a snapshot
    /// request has.
    func close(byPeer: Bool) -> (unanswered: [CallID], answer: (CallID, [UInt8])?) {
        state = .closed
        defer {
            mode = nil
            waiting = []
            ownOutput.removeAll()
        }
        switch mode {
        case .mux(let caller)?: return (caller.allCalls, nil)
        case .sequence(let caller)?: return (caller.allCalls, nil)
        case .gossip(let caller)?:
            guard let call = caller.call else { return ([], nil) }
            return byPeer ? ([], (call, caller.received)) : ([call], nil)
        case .snapshot(let caller)?:
            guard let call = caller.call else { return ([], nil) }
            return byPeer && !caller.received.isEmpty ? ([], (call, caller.received)) : ([call], nil)
        case nil: return (waiting.map(\.call), nil)
        }
    }

    /// What the kernel has of the bytes that were sent, told before each `tick`.
    public func noteQueued(_ bytes: Int) { stall.noteQueued(bytes) }

    /// Called about every second; a text means that the connection is to be closed.
    func tick(at now: Instant) -> String? {
        switch state {
        case .closed: return nil
        case .dialing(let since): return now - since >= limits.dialTimeout ? "i/o timeout" : nil
        case .open: break
        }
        if case .mux(let caller)? = mode {
            do throws(YamuxError) { try caller.session.tick(at: now) } catch { return error.text }
        }
        return stall.isStalled(output.count, for: limits.writeTimeout, at: now) ? "connection write timeout" : nil
    }
}
