/// Calls one after the other on a connection: Raft, where many may wait for their answers, which go out in order; and plain RPC, where the
/// next call is looked at once the last one is answered (rpc-raft-wire §2.1, §5.1).
final class SequenceServer {
    let channel: Channel
    private let limits: PortLimits
    private var assembler: MessageAssembler
    /// The answers of the calls from `firstSerial` on; nil: not there yet.
    private var answers: [[UInt8]?] = []
    private var firstSerial: UInt32 = 0
    /// What came behind a call that must be answered first.
    private var backlog: [UInt8] = []

    init(_ channel: Channel, _ limits: PortLimits) {
        self.channel = channel
        self.limits = limits
        assembler = MessageAssembler(channel == .raft ? .raftCall : .rpc, limits)
    }

    private var callsMax: Int { channel == .raft ? limits.raftCallsMax : 1 }
    var wantsInput: Bool { answers.count < callsMax && backlog.isEmpty }

    func receive(_ input: UnsafeRawBufferPointer, _ at: inout Int, into calls: inout [InboundCall]) throws(PortError) {
        while at < input.count {
            guard answers.count < callsMax else {
                backlog.append(at..<input.count, of: input)
                at = input.count
                return
            }
            guard let bytes = try assembler.take(input, &at) else { return }
            calls.append(InboundCall(serial: firstSerial &+ UInt32(answers.count), channel: channel, bytes: bytes))
            answers.append(nil)
        }
    }

    func reply(
        _ serial: UInt32, _ bytes: [UInt8], _ output: inout OutputQueue, into calls: inout [InboundCall]
    ) throws(PortError) {
        let place = Int(serial &- firstSerial)
        guard place < answers.count, answers[place] == nil else { return }
        guard place == 0 else {
            answers[place] = bytes
            return
        }
        output.append(bytes)
        var ready = 1
        while ready < answers.count, let next = answers[ready] {
            output.append(next)
            ready += 1
        }
        answers.removeFirst(ready)
        firstSerial &+= UInt32(ready)
        if backlog.isEmpty { return }
        var input: [UInt8] = []
        swap(&input, &backlog)
        var failure: PortError?
        input.withUnsafeBytes { bytes in
            var at = 0
            do throws(PortError) { try receive(bytes, &at, into: &calls) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}

/// One call that is the whole of a connection: a stream of gossip, or a snapshot request. That ends when the caller closes its side; one
/// to save is complete before, since nothing follows it.
final class WholeServer {
    private let channel: Channel
    private let sizeMax: Int
    /// Nil for snapshot requests.
    private var assembler: MessageAssembler?
    private var bytes: [UInt8] = []
    /// Finds the end of the snapshot request in front of the archive; nil once it is found.
    private var request: MessagePackScanner? = MessagePackScanner()
    private var state = State.receiving

    static let requestSizeMax = 64 << 10

    private enum State {
        case receiving, asked, answered
    }

    init(_ channel: Channel, _ limits: PortLimits) {
        self.channel = channel
        sizeMax = limits.snapshotSizeMax
        assembler = channel == .snapshot ? nil : MessageAssembler(.gossip, limits)
    }

    var isWaiting: Bool { state == .receiving }
    var wantsInput: Bool { state == .receiving }

    func receive(_ input: UnsafeRawBufferPointer, _ at: inout Int, into calls: inout [InboundCall]) throws(PortError) {
        guard state == .receiving else { return }
        let start = at
        guard assembler != nil else {
            bytes.append(at..<input.count, of: input)
            if bytes.count > sizeMax { throw PortError("snapshot is too large") }
            return try readRequest(input, at, &calls)
        }
        do throws(PortError) {
            guard let message = try assembler?.take(input, &at) else { return }
            ask(message, &calls)
        } catch {
            // What is wrong with it is for the receiver to say, who may answer.
            var broken = assembler?.partial ?? []
            broken.append(start..<input.count, of: input)
            ask(broken, &calls)
        }
    }

    private func readRequest(_ input: UnsafeRawBufferPointer, _ start: Int, _ calls: inout [InboundCall]) throws(PortError) {
        guard request != nil else { return }
        var at = start
        do throws(MessagePackError) {
            guard try request?.scan(input, &at, sizeMax: Self.requestSizeMax) ?? false else { return }
            request = nil
            var reader = MessagePackReader(bytes)
            if try SnapshotRequest(from: &reader).operation == SnapshotRequest.save { askWhole(&calls) }
        } catch {
            throw PortError(error.text)
        }
    }

    private func askWhole(_ calls: inout [InboundCall]) {
        var whole: [UInt8] = []
        swap(&whole, &bytes)
        ask(whole, &calls)
    }

    private func ask(_ message: [UInt8], _ calls: inout [InboundCall]) {
        state = .asked
        assembler = nil
        calls.append(InboundCall(serial: 0, channel: channel, bytes: message))
    }

    /// True when that is no reason to close: the answer is still to come.
    func receivedEnd(into calls: inout [InboundCall]) -> Bool {
        if state == .receiving, channel == .snapshot, !bytes.isEmpty {
            askWhole(&calls)
        }
        return state != .receiving
    }

    /// False for a call that has been answered, or never was.
    func takeReply(_ serial: UInt32) -> Bool {
        guard state == .asked, serial == 0 else { return false }
        state = .answered
        return true
    }
}
