import Testing

@testable import Core

/// A pool and the listeners that it dials, over wires that cut the bytes at random.
struct PortHarness {
    struct Wire {
        var address: Address
        var inbound: InboundConnection
        var toServer: [UInt8] = []
        var toClient: [UInt8] = []
        var isClosedByServer = false
        /// Bytes that the server's side has sent and the client has not taken.
        var isStuck = false
        /// The client's side is closed behind what it has sent.
        var isEnded = false
    }

    var random: Random
    var now = Instant.zero + .seconds(1_000)
    var limits: PortLimits
    let pool: PeerPool
    var wires: [Int: Wire] = [:]
    /// Dialing these fails.
    var unreachable: [Address: String] = [:]
    /// Dialing these takes for ever.
    var silent: [Address] = []
    var dials: [Int] = []
    var asked: [(wire: Int, call: InboundCall)] = []
    var results: [UInt64: Result<[UInt8], TextError>] = [:]
    /// In the order in which they came.
    var answered: [UInt64] = []
    /// How much of a wire moves at a time, at most.
    var pieceMax = 3_000
    private var effects: [PeerPool.Effect] = []

    init(seed: UInt64 = 1, limits: PortLimits = .server) {
        random = Random(seed: seed)
        self.limits = limits
        pool = PeerPool(limits: limits, boundAddress: "10.0.0.9")
    }

    mutating func call(_ id: UInt64, _ channel: Channel, _ bytes: [UInt8], to address: Address = "10.0.0.1:8300", seconds: Int = 10) {
        pool.call(CallID(incoming: id), to: address, channel, bytes, timeout: .seconds(seconds), at: now, into: &effects)
        perform()
    }

    mutating func perform() {
        while !effects.isEmpty {
            let batch = effects
            effects = []
            for effect in batch { perform(effect) }
        }
    }

    private mutating func perform(_ effect: PeerPool.Effect) {
        switch effect {
        case .dial(let id, let address, let fromBound):
            dials.append(id)
            if let text = unreachable[address] {
                let route = fromBound ? "10.0.0.9:0->\(address)" : address
                return pool.dialFailed(id, "dial tcp \(route): \(text)", at: now, into: &effects)
            }
            if silent.contains(address) { return }
            let port: InboundConnection.Port = fromBound ? .server : .gossip(.lan)
            wires[id] = Wire(address: address, inbound: InboundConnection(port, limits: limits, at: now))
            pool.connected(id, path: "10.0.0.9:4711->\(address)", at: now, into: &effects)
        case .send(let id):
            guard let connection = pool.connection(id) else { return }
            pool.willSend(id)
            while let bytes = connection.output.withFirst({ Array(copying: $0.bytes) }) {
                wires[id]?.toServer += bytes
                pool.wrote(id, bytes.count)
            }
            if connection.endsOutput { wires[id]?.isEnded = true }
        case .close(let id): wires[id] = nil
        case .answered(let id, let bytes):
            #expect(results[id.number] == nil, "a call ends once")
            results[id.number] = .success(bytes)
            answered.append(id.number)
        case .failed(let id, let text):
            #expect(results[id.number] == nil, "a call ends once")
            results[id.number] = .failure(TextError(text))
        }
    }

    /// Moves some bytes; false when there were none to move.
    mutating func step() -> Bool {
        var isMoved = false
        for id in wires.keys.sorted() {
            if move(id) { isMoved = true }
            perform()
        }
        return isMoved
    }

    private mutating func move(_ id: Int) -> Bool {
        guard let wire = wires[id] else { return false }
        var isMoved = false
        if wire.inbound.wantsInput, !wire.toServer.isEmpty {
            let piece = Array(wire.toServer.prefix(Int.random(in: 1...pieceMax, using: &random)))
            wires[id]!.toServer.removeFirst(piece.count)
            var calls: [InboundCall] = []
            wire.inbound.receive(piece.span, at: now, into: &calls)
            asked += calls.map { (id, $0) }
            isMoved = true
        }
        if wire.isEnded, wires[id]!.toServer.isEmpty {
            wires[id]!.isEnded = false
            var calls: [InboundCall] = []
            wire.inbound.receivedEnd(at: now, into: &calls)
            asked += calls.map { (id, $0) }
            isMoved = true
        }
        if !wire.isStuck, take(id) { isMoved = true }
        guard let toClient = wires[id]?.toClient, !toClient.isEmpty else {
            if wire.inbound.end != .open, wire.inbound.output.isEmpty || wire.inbound.end != .afterOutput {
                pool.closed(id, nil, at: now, into: &effects)
                return true
            }
            return isMoved
        }
        let piece = Array(toClient.prefix(Int.random(in: 1...pieceMax, using: &random)))
        wires[id]!.toClient.removeFirst(piece.count)
        pool.received(id, piece.span, at: now, into: &effects)
        return true
    }

    private mutating func take(_ id: Int) -> Bool {
        guard let inbound = wires[id]?.inbound else { return false }
        if case .now = inbound.end { return false }
        guard let bytes = inbound.output.withFirst({ Array(copying: $0.bytes) }) else { return false }
        inbound.wrote(bytes.count)
        wires[id]!.toClient += bytes
        return true
    }

    mutating func settle() {
        for _ in 0..<100_000 where !step() { return }
        Issue.record("bytes move for ever")
    }

    mutating func reply(_ place: Int, _ bytes: [UInt8]) {
        let (wire, call) = asked[place]
        var calls: [InboundCall] = []
        wires[wire]?.inbound.reply(call.serial, bytes, at: now, into: &calls)
        asked += calls.map { (wire, $0) }
    }

    mutating func refuse(_ place: Int) { wires[asked[place].wire]?.inbound.refuse(asked[place].call.serial) }

    /// The peer's process dies.
    mutating func die(_ wire: Int, _ error: String? = nil) {
        pool.closed(wire, error, at: now, into: &effects)
        perform()
    }

    mutating func pass(_ time: Duration) {
        now += time
        pool.tick(at: now, into: &effects)
        for id in wires.keys.sorted() { wires[id]?.inbound.tick(at: now) }
        perform()
    }

    func failure(_ id: UInt64) -> String? {
        if case .failure(let complaint)? = results[id] { return "\(complaint.text)" }
        return nil
    }

    func answer(_ id: UInt64) -> [UInt8]? { try? results[id]?.get() }
}

/// Calls and answers as they are on the wire.
enum PortSamples {
    static func rpc(_ sequence: UInt64, _ body: [UInt8] = [0x80]) -> [UInt8] {
        RPCRequest.encode(sequence: sequence, method: "KVS.Get", body: body)
    }

    static func reply(_ sequence: UInt64, _ size: Int = 0) -> [UInt8] {
        var writer = MessagePackWriter()
        writer.raw([UInt8](repeating: 7, count: size))
        return RPCReply.encode(sequence: sequence, method: "KVS.Get", body: writer.bytes)
    }

    static func append(_ term: UInt64, size: Int = 100) -> [UInt8] {
        var request = AppendEntriesRequest()
        request.term = term
        request.leader = Array("10.0.0.9:8300".utf8)
        request.previousIndex = 5
        request.entries = [LogEntry(index: 6, term: term, kind: .command, data: [UInt8](repeating: 1, count: size))]
        return request.encoded
    }

    static func heartbeat(_ term: UInt64) -> [UInt8] {
        var request = AppendEntriesRequest()
        request.term = term
        request.leader = Array("10.0.0.9:8300".utf8)
        request.isHeartbeat = true
        return request.encoded
    }

    static func appended(_ term: UInt64) -> [UInt8] { AppendEntriesResponse(term: term, success: true).encoded }
}
