/// The connections that this agent dials, and which call goes over which (rpc-raft-wire §1.5, §5.1; behaviour §9.4).
///
/// RPC to a peer shares one connection. Appends of Raft have a connection of their own and follow each other without waiting; its other
/// calls take one that is free, so that a heartbeat never waits behind an append, or a vote behind a snapshot. A stream of gossip has a
/// connection for itself.
///
/// The driver performs the effects, tells of what happens to connections by their number, and calls `tick` when `deadline` has come.
public final class PeerPool {
    public enum Effect {
        /// Connect to the address and answer with `connected` or `dialFailed`. RPC and Raft call from the bound address, gossip from any.
        case dial(Int, to: Address, fromBoundAddress: Bool)
        /// The connection has `output`. Not repeated until the driver has called `willSend`.
        case send(Int)
        case close(Int)
        case answered(CallID, [UInt8])
        /// The text is the reference's, without the prefixes that its callers put before it (rpc-raft-wire §2.4). It begins with `dial `
        /// exactly when nothing of the call was sent.
        case failed(CallID, String)
    }

    private let limits: PortLimits
    private let origin: String
    private var peers = LookupTable<Address, PeerLinks>()
    private var connections: [OutboundConnection?] = []
    private var freeIDs: [Int] = []
    private var calls = LookupTable<CallID, OutboundConnection>()
    private var deadlines = DeadlineQueue<CallID>()
    private var gossipStreams = 0
    /// Bytes of answers on them whose end has not come.
    private var gossipHeld = 0
    private var snapshotStreams = 0
    private var nextSweep = Instant.distantFuture
    private var results: [(CallID, CallResult)] = []

    static let sweepInterval = Duration.seconds(1)

    /// `boundAddress` is what error texts name as the origin of calls: `127.0.0.1`.
    public init(limits: PortLimits = .server, boundAddress: String) {
        self.limits = limits
        origin = "\(boundAddress):0->"
    }

    public var connectionCount: Int { connections.count - freeIDs.count }
    public var callCount: Int { calls.count }

    public func connection(_ id: Int) -> OutboundConnection? { id < connections.count ? connections[id] : nil }

    // MARK: Calls

    /// Ends in one `.answered` or `.failed`, at the latest after `timeout`.
    public func call(
        _ id: CallID, to address: Address, _ channel: Channel, _ bytes: [UInt8], timeout: Duration, at now: Instant,
        into effects: inout [Effect]
    ) {
        let peer = peer(address)
        guard peer.callCount < limits.callsPerPeerMax else { return refuse(id, address, "too many calls", &effects) }
        let connection: OutboundConnection
        switch channel {
        case .rpc: connection = shared(&peer.mux, .mux, peer, at: now, &effects)
        case .raft where Self.isAppend(bytes): connection = shared(&peer.appends, .appends, peer, at: now, &effects)
        case .raft:
            if let free = peer.popFreeRaft() {
                connection = free
            } else if peer.raftCount < limits.raftConnectionsMax {
                peer.raftCount += 1
                connection = open(.raft, to: peer, at: now, &effects)
            } else {
                return refuse(id, address, "too many connections", &effects)
            }
        case .lan, .wan:
            guard gossipStreams < limits.gossipStreamsMax else { return refuse(id, address, "too many streams", &effects) }
            gossipStreams += 1
            connection = open(.gossip(channel == .lan ? .lan : .wan), to: peer, at: now, &effects)
        case .snapshot:
            guard snapshotStreams < limits.snapshotStreamsMax else { return refuse(id, address, "too many snapshots", &effects) }
            snapshotStreams += 1
            connection = open(.snapshot, to: peer, at: now, &effects)
        }
        peer.callCount += 1
        calls[id] = connection
        deadlines[id] = now + timeout
        connection.start(id, bytes)
        mark(connection, &effects)
    }

    private func refuse(_ id: CallID, _ address: Address, _ text: String, _ effects: inout [Effect]) {
        effects.append(.failed(id, "dial tcp \(address): \(text)"))
    }

    /// AppendEntries with entries, be there none: `Entries`, the first of its fields, is nil in heartbeats only (rpc-raft-wire §5.2).
    static func isAppend(_ bytes: [UInt8]) -> Bool {
        guard bytes.count > 11, bytes[0] == RaftMessageKind.appendEntries.rawValue else { return false }
        var reader = MessagePackReader(bytes[1...])
        guard var left = try? reader.structHeader(), let key = try? reader.nextKey(&left), key == "Entries" else { return true }
        return !reader.isNull()
    }

    private func peer(_ address: Address) -> PeerLinks {
        if let peer = peers[address] { return peer }
        let peer = PeerLinks(address)
        peers[address] = peer
        return peer
    }

    private func shared(
        _ place: inout OutboundConnection?, _ use: OutboundConnection.Use, _ peer: PeerLinks, at now: Instant, _ effects: inout [Effect]
    ) -> OutboundConnection {
        if let connection = place, connection.isUsable { return connection }
        let connection = open(use, to: peer, at: now, &effects)
        place = connection
        return connection
    }

    private func open(
        _ use: OutboundConnection.Use, to peer: PeerLinks, at now: Instant, _ effects: inout [Effect]
    ) -> OutboundConnection {
        let id: Int
        if let free = freeIDs.popLast() {
            id = free
        } else {
            id = connections.count
            connections.append(nil)
        }
        let connection = OutboundConnection(id: id, use, to: peer, limits: limits, at: now)
        connections[id] = connection
        peer.connectionCount += 1
        if nextSweep == .distantFuture { nextSweep = now + Self.sweepInterval }
        if case .gossip = use {
            effects.append(.dial(id, to: peer.address, fromBoundAddress: false))
        } else {
            effects.append(.dial(id, to: peer.address, fromBoundAddress: true))
        }
        return connection
    }

    @inline(__always)
    private func mark(_ connection: OutboundConnection, _ effects: inout [Effect]) {
        if connection.isMarked || connection.state == .closed || connection.output.isEmpty { return }
        connection.isMarked = true
        effects.append(.send(connection.id))
    }

    // MARK: What happens to connections

    /// `path` names both ends, for error texts: `127.0.0.1:4711->127.0.0.1:8300`.
    public func connected(_ id: Int, path: String, at now: Instant, into effects: inout [Effect]) {
        guard let connection = connection(id), case .dialing = connection.state else { return }
        connection.connected(path: path, at: now)
        mark(connection, &effects)
    }

    /// `text` is Go's: `dial tcp 127.0.0.1:0->127.0.0.1:8300: connect: connection refused`.
    public func dialFailed(_ id: Int, _ text: String, at now: Instant, into effects: inout [Effect]) {
        guard let connection = connection(id) else { return }
        for call in drop(connection, byPeer: false).unanswered { fail(call, text, &effects) }
        effects.append(.close(id))
    }

    /// The driver is about to send the connection's output, until there is none or the socket takes no more; it then waits for the
    /// socket by itself.
    public func willSend(_ id: Int) { connection(id)?.isMarked = false }

    public func wrote(_ id: Int, _ count: Int) { connection(id)?.wrote(count) }

    public func received(_ id: Int, _ input: Span<UInt8>, at now: Instant, into effects: inout [Effect]) {
        guard let connection = connection(id), connection.state == .open else { return }
        var failure: TextError?
        let held = connection.heldGossip
        do throws(TextError) { try connection.receive(input, at: now, into: &results) } catch { failure = error }
        gossipHeld += connection.heldGossip - held
        if gossipHeld > limits.gossipAnswersMax, connection.heldGossip > held {
            failure = TextError("too much memory is held for answers of gossip")
        }
        for (call, result) in results {
            switch result {
            case .answered(let bytes): answer(call, bytes, &effects)
            case .failed(let text): fail(call, text, &effects)
            }
        }
        results.removeAll(keepingCapacity: true)
        if let failure { return lost(connection, failure.text, byPeer: false, &effects) }
        mark(connection, &effects)
        release(connection, &effects)
    }

    /// The peer closed the connection, or the system did with an error: nil for the former.
    public func closed(_ id: Int, _ error: String?, at now: Instant, into effects: inout [Effect]) {
        guard let connection = connection(id) else { return }
        lost(connection, error.map { "read tcp \(connection.path): read: \($0)" } ?? "EOF", byPeer: error == nil, &effects)
    }

    /// Puts a connection aside, or away, whose call is done.
    private func release(_ connection: OutboundConnection, _ effects: inout [Effect]) {
        guard connection.callCount == 0 else { return }
        switch connection.use {
        case .raft:
            if !connection.peer.keepRaft(connection, max: limits.idleRaftConnectionsMax) { close(connection, &effects) }
        case .gossip, .snapshot: close(connection, &effects)
        case .mux: if !connection.isUsable { close(connection, &effects) }
        case .appends: break
        }
    }

    private func close(_ connection: OutboundConnection, _ effects: inout [Effect]) {
        _ = drop(connection, byPeer: false)
        effects.append(.close(connection.id))
    }

    /// The calls of a connection that is gone fail.
    private func lost(_ connection: OutboundConnection, _ text: String, byPeer: Bool, _ effects: inout [Effect]) {
        // The multiplexer's streams only know that it has ended.
        let text = connection.use == .mux ? "EOF" : text
        let (unanswered, late) = drop(connection, byPeer: byPeer)
        if let late { answer(late.0, late.1, &effects) }
        for call in unanswered { fail(call, text, &effects) }
        effects.append(.close(connection.id))
    }

    private func drop(
        _ connection: OutboundConnection, byPeer: Bool
    ) -> (unanswered: [CallID], answer: (CallID, [UInt8])?) {
        let peer = connection.peer
        gossipHeld -= connection.heldGossip
        connections[connection.id] = nil
        freeIDs.append(connection.id)
        switch connection.use {
        case .gossip: gossipStreams -= 1
        case .snapshot: snapshotStreams -= 1
        case .mux, .appends, .raft: break
        }
        peer.forget(connection)
        if peer.connectionCount == 0 { peers.removeValue(forKey: peer.address) }
        if connectionCount == 0 { nextSweep = .distantFuture }
        return connection.close(byPeer: byPeer)
    }

    private func answer(_ call: CallID, _ bytes: [UInt8], _ effects: inout [Effect]) {
        if forget(call) != nil { effects.append(.answered(call, bytes)) }
    }

    /// Nobody waits for the answer to this call: its stream is reset, so that the other side holds nothing for it. A call on a connection without
    /// streams takes its course, and so does one whose connection is still being made.
    public func giveUp(_ call: CallID, at now: Instant, into effects: inout [Effect]) {
        guard let connection = calls[call], connection.state == .open, connection.use == .mux else { return }
        _ = forget(call)
        if connection.cancel(call, at: now) {
            mark(connection, &effects)
            release(connection, &effects)
        }
    }

    private func fail(_ call: CallID, _ text: String, _ effects: inout [Effect]) {
        if forget(call) != nil { effects.append(.failed(call, text)) }
    }

    private func forget(_ call: CallID) -> OutboundConnection? {
        guard let connection = calls.removeValue(forKey: call) else { return nil }
        connection.peer.callCount -= 1
        deadlines[call] = nil
        return connection
    }

    // MARK: Time

    /// When `tick` wants to be called.
    public var deadline: Instant { min(deadlines.first ?? .distantFuture, nextSweep) }

    public func tick(at now: Instant, into effects: inout [Effect]) {
        while let call = deadlines.popExpired(at: now) { expire(call, at: now, &effects) }
        guard now >= nextSweep else { return }
        nextSweep = now + Self.sweepInterval
        for case let connection? in connections { sweep(connection, at: now, &effects) }
    }

    private func expire(_ call: CallID, at now: Instant, _ effects: inout [Effect]) {
        guard let connection = forget(call) else { return }
        if connection.state != .open {
            effects.append(.failed(call, dialTimeoutText(connection)))
        } else if connection.use == .mux {
            effects.append(.failed(call, "i/o deadline reached"))
        } else {
            effects.append(.failed(call, "read tcp \(connection.path): i/o timeout"))
        }
        if connection.cancel(call, at: now) {
            mark(connection, &effects)
            release(connection, &effects)
        } else {
            // Its answer, and those behind it, may still come: nobody could tell which is which.
            lost(connection, "read tcp \(connection.path): use of closed network connection", byPeer: false, &effects)
        }
    }

    private func dialTimeoutText(_ connection: OutboundConnection) -> String {
        if case .gossip = connection.use { return "dial tcp \(connection.peer.address): i/o timeout" }
        return "dial tcp \(origin)\(connection.peer.address): i/o timeout"
    }

    private func sweep(_ connection: OutboundConnection, at now: Instant, _ effects: inout [Effect]) {
        if let text = connection.tick(at: now) {
            if connection.state == .open { return lost(connection, text, byPeer: false, &effects) }
            return dialFailed(connection.id, dialTimeoutText(connection), at: now, into: &effects)
        }
        mark(connection, &effects)
        if connection.callCount == 0, connection.state == .open, now - connection.idleSince >= limits.idleTimeout {
            close(connection, &effects)
        }
    }
}
