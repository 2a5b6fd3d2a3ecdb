/// Calls one behind the other, answered in their order: a connection to a peer's Raft transport (rpc-raft-wire §5.1).
final class SequenceCaller {
    private var assembler: MessageAssembler
    /// Those from `first` on wait for their answers.
    private var calls: [CallID] = []
    private var first = 0

    init(_ limits: PortLimits) { assembler = MessageAssembler(.raftAnswer, limits) }

    var callCount: Int { calls.count - first }
    var allCalls: [CallID] { Array(calls[first...]) }

    func start(_ call: CallID) { calls.append(call) }

    func receive(_ input: Span<UInt8>, _ at: inout Int, into results: inout [(CallID, CallResult)]) throws(TextError) {
        while at < input.count {
            guard first < calls.count else { throw TextError("unexpected answer") }
            guard let bytes = try assembler.assemble(input, &at) else { return }
            results.append((calls[first], .answered(bytes)))
            first += 1
            if first == calls.count {
                calls.removeAll(keepingCapacity: calls.count <= 256)
                first = 0
            } else if first >= 1_024 {
                calls.removeFirst(first)
                first = 0
            }
        }
    }
}

/// One stream of gossip: the peer answers, or just closes (gossip §6).
final class GossipCaller {
    var call: CallID?
    private var assembler: MessageAssembler

    init(_ limits: PortLimits) { assembler = MessageAssembler(.gossip, limits) }

    /// What there is of an answer when the peer closes.
    var received: [UInt8] { assembler.partial }
    var heldSize: Int { assembler.partial.count }

    func receive(_ input: Span<UInt8>, into results: inout [(CallID, CallResult)]) {
        guard let waiting = call else { return }
        var at = 0
        var answer: [UInt8]
        do throws(TextError) {
            guard let bytes = try assembler.assemble(input, &at) else { return }
            answer = bytes
        } catch {
            // What is wrong with it is for the caller to say.
            answer = assembler.partial
            answer.append(0..<input.count, of: input)
        }
        results.append((waiting, .answered(answer)))
        call = nil
    }
}

/// One snapshot request: all that the peer sends until it closes is the answer (rpc-raft-wire §1.6).
final class SnapshotCaller {
    var call: CallID?
    private let sizeMax: Int
    private(set) var received: [UInt8] = []

    init(_ limits: PortLimits) { sizeMax = limits.snapshotSizeMax }

    func receive(_ input: Span<UInt8>) throws(TextError) {
        if received.count + input.count > sizeMax { throw TextError("snapshot is too large") }
        received.append(0..<input.count, of: input)
    }
}

/// RPC over streams of one connection. A stream has one call at a time and is used again, unless a call on it failed; the idle ones are
/// kept up to a number (rpc-raft-wire §1.5).
final class MuxCaller {
    var session: YamuxSession
    private let limits: PortLimits
    /// Every stream of ours by number, the idle ones as well.
    private var streams = SortedMap<UInt32, Stream>()
    private var idle: [UInt32] = []
    private var streamOf = LookupTable<CallID, UInt32>()
    /// Bytes of unfinished answers, all streams together.
    private var assemblySize = 0
    /// Calls for which no stream may be opened yet.
    private var held: [(call: CallID, bytes: [UInt8])] = []

    private struct Stream {
        var assembler: MessageAssembler
        var call: CallID?
    }

    init(_ limits: PortLimits, at now: Instant) {
        self.limits = limits
        session = YamuxSession(.client, at: now)
    }

    var callCount: Int { streamOf.count + held.count }
    var allCalls: [CallID] { streams.compactMap { $0.value.call } + held.map(\.call) }

    func start(_ call: CallID, _ bytes: [UInt8]) {
        if let id = idle.popLast() {
            begin(call, bytes, on: id)
        } else if session.canOpen {
            let id = session.open()
            streams[id] = Stream(assembler: MessageAssembler(.rpc, limits))
            begin(call, bytes, on: id)
        } else {
            held.append((call, bytes))
        }
    }

    private func begin(_ call: CallID, _ bytes: [UInt8], on id: UInt32) {
        streams.update(id) { $0.call = call }
        streamOf[call] = id
        session.send(id, bytes)
    }

    func cancel(_ call: CallID) {
        if let id = streamOf.removeValue(forKey: call) {
            remove(id)
            session.reset(id)
        } else {
            held.removeAll { $0.call == call }
        }
        startHeld()
    }

    private func startHeld() {
        var started = 0
        while started < held.count, !idle.isEmpty || session.canOpen {
            start(held[started].call, held[started].bytes)
            started += 1
        }
        held.removeFirst(started)
    }

    func receive(_ input: Span<UInt8>, _ at: inout Int, into results: inout [(CallID, CallResult)]) throws(TextError) {
        do throws(YamuxError) {
            while let event = try session.next(input, &at) {
                switch event {
                case .opened(let id): session.reset(id)
                case .data(let id, let range):
                    session.consumed(id, range.count)
                    receiveData(input.extracting(range), of: id, into: &results)
                case .ended(let id): lose(id, into: &results)
                case .reset(let id): lose(id, into: &results)
                }
            }
        } catch {
            throw TextError(error.text)
        }
        if !held.isEmpty { startHeld() }
    }

    private func receiveData(_ input: Span<UInt8>, of id: UInt32, into results: inout [(CallID, CallResult)]) {
        var at = 0
        var message: [UInt8]?
        var failure: TextError?
        let isKnown = streams.update(id) { stream in
            assemblySize -= stream.assembler.partial.count
            do throws(TextError) { message = try stream.assembler.assemble(input, &at) } catch { failure = error }
            assemblySize += stream.assembler.partial.count
        }
        if assemblySize > limits.assemblySizeMax { failure = TextError("too many unfinished messages") }
        guard isKnown, let call = streams[id]?.call else { return lose(id, into: &results) }
        if let failure {
            finish(call, id, isReusable: false)
            results.append((call, .failed(failure.text)))
        } else if let message {
            finish(call, id, isReusable: at == input.count && Self.isSuccess(message))
            results.append((call, .answered(message)))
        }
    }

    private static func isSuccess(_ message: [UInt8]) -> Bool {
        guard let reply = try? RPCReply(decoding: message) else { return false }
        return reply.error.isEmpty
    }

    private func finish(_ call: CallID, _ id: UInt32, isReusable: Bool) {
        streamOf.removeValue(forKey: call)
        if isReusable, idle.count < limits.idleStreamsMax {
            streams.update(id) { $0.call = nil }
            idle.append(id)
        } else {
            remove(id)
            session.close(id)
        }
    }

    @discardableResult
    private func remove(_ id: UInt32) -> Stream? {
        guard let stream = streams.removeValue(forKey: id) else { return nil }
        assemblySize -= stream.assembler.partial.count
        return stream
    }

    /// The peer has closed the stream, or sent what nobody asked for.
    private func lose(_ id: UInt32, into results: inout [(CallID, CallResult)]) {
        session.close(id)
        guard let stream = remove(id) else { return }
        if let call = stream.call {
            streamOf.removeValue(forKey: call)
            results.append((call, .failed("EOF")))
        } else {
            idle.removeAll { $0 == id }
        }
    }
}
