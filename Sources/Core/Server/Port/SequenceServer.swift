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
    private let source: CallSource
    /// Of the calls from `firstSerial` on, in bytes, and of the answers that wait for others.
    private var sizes: [Int] = []
    private var askedSize = 0
    private var answersSize = 0
    /// When the message under way began to come, or the last one before it ended.
    private var since = Instant.zero

    init(_ channel: Channel, _ limits: PortLimits, _ source: CallSource) {
        self.channel = channel
        self.limits = limits
        self.source = source
        assembler = MessageAssembler(channel == .raft ? .raftCall : .rpc, limits)
    }

    var unanswered: [UInt32] { answers.indices.compactMap { answers[$0] == nil ? firstSerial &+ UInt32($0) : nil } }

    private var callsMax: Int { channel == .raft ? limits.raftCallsMax : 1 }
    var wantsInput: Bool { answers.count < callsMax && backlog.isEmpty }
    /// What counts for the budget, beside the output.
    var heldSize: Int { assembler.partial.count + backlog.count + askedSize + answersSize }

    /// Whether the message under way takes too long. Time in which nothing is read does not count.
    func isLate(at now: Instant) -> Bool {
        if assembler.partial.isEmpty || !wantsInput { since = now }
        return now - since >= limits.messageTimeout(received: assembler.partial.count)
    }

    func receive(_ input: Span<UInt8>, _ at: inout Int, at now: Instant, into calls: inout [InboundCall]) throws(TextError) {
        if assembler.partial.isEmpty { since = now }
        while at < input.count {
            guard answers.count < callsMax else {
                backlog.append(at..<input.count, of: input)
                at = input.count
                return
            }
            guard let bytes = try assembler.assemble(input, &at) else { return }
            guard source.beginCall() else { throw TextError("too many calls") }
            since = now
            calls.append(InboundCall(serial: firstSerial &+ UInt32(answers.count), channel: channel, bytes: bytes))
            answers.append(nil)
            sizes.append(bytes.count)
            askedSize += bytes.count
        }
    }

    func reply(
        _ serial: UInt32, _ bytes: [UInt8], _ output: inout OutputQueue, at now: Instant, into calls: inout [InboundCall]
    ) throws(TextError) {
        let place = Int(serial &- firstSerial)
        guard place < answers.count, answers[place] == nil else { return }
        source.endCall()
        askedSize -= sizes[place]
        guard place == 0 else {
            answers[place] = bytes
            answersSize += bytes.count
            return
        }
        output.append(bytes)
        var ready = 1
        while ready < answers.count, let next = answers[ready] {
            output.append(next)
            answersSize -= next.count
            ready += 1
        }
        answers.removeFirst(ready)
        sizes.removeFirst(ready)
        firstSerial &+= UInt32(ready)
        if backlog.isEmpty { return }
        var input: [UInt8] = []
        swap(&input, &backlog)
        var at = 0
        try receive(input.span, &at, at: now, into: &calls)
    }

    /// Whether such a call was waiting; it gets no answer, and its connection is of no more use.
    func refuse(_ serial: UInt32) -> Bool {
        let place = Int(serial &- firstSerial)
        guard place < answers.count, answers[place] == nil else { return false }
        source.endCall()
        return true
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
    private let limits: PortLimits
    private let source: CallSource
    private let since: Instant
    private var askedSize = 0

    static let requestSizeMax = 64 << 10

    private enum State {
        case receiving, asked, answered
    }

    init(_ channel: Channel, _ limits: PortLimits, _ source: CallSource, at now: Instant) {
        self.channel = channel
        self.limits = limits
        self.source = source
        since = now
        sizeMax = limits.snapshotSizeMax
        assembler = channel == .snapshot ? nil : MessageAssembler(.gossip, limits)
    }

    var isWaiting: Bool { state == .receiving }
    var unanswered: [UInt32] { state == .asked ? [0] : [] }
    var wantsInput: Bool { state == .receiving }
    /// What counts for the budget, beside the output.
    var heldSize: Int { bytes.count + (assembler?.partial.count ?? 0) + askedSize }

    /// Whether what the caller sends takes too long.
    func isLate(at now: Instant) -> Bool { isWaiting && now - since >= limits.messageTimeout(received: bytes.count) }

    func receive(_ input: Span<UInt8>, _ at: inout Int, into calls: inout [InboundCall]) throws(TextError) {
        guard state == .receiving else { return }
        let start = at
        guard assembler != nil else {
            bytes.append(at..<input.count, of: input)
            if bytes.count > sizeMax { throw TextError("snapshot is too large") }
            return try readRequest(input, at, &calls)
        }
        var message: [UInt8]?
        do throws(TextError) {
            message = try assembler?.assemble(input, &at)
        } catch {
            // What is wrong with it is for the receiver to say, who may answer.
            var broken = assembler?.partial ?? []
            broken.append(start..<input.count, of: input)
            message = broken
        }
        if let message { try ask(message, &calls) }
    }

    private func readRequest(_ input: Span<UInt8>, _ start: Int, _ calls: inout [InboundCall]) throws(TextError) {
        guard request != nil else { return }
        var at = start
        do throws(MessagePackError) {
            guard try request?.scan(input, &at, sizeMax: Self.requestSizeMax) ?? false else { return }
            request = nil
            var reader = MessagePackReader(bytes)
            guard try SnapshotRequest(from: &reader).operation == SnapshotRequest.save else { return }
        } catch {
            throw TextError(error.text)
        }
        try askWhole(&calls)
    }

    private func askWhole(_ calls: inout [InboundCall]) throws(TextError) {
        var whole: [UInt8] = []
        swap(&whole, &bytes)
        try ask(whole, &calls)
    }

    private func ask(_ message: [UInt8], _ calls: inout [InboundCall]) throws(TextError) {
        guard source.beginCall() else { throw TextError("too many calls") }
        state = .asked
        assembler = nil
        askedSize = message.count
        calls.append(InboundCall(serial: 0, channel: channel, bytes: message))
    }

    /// True when that is no reason to close: the answer is still to come.
    func receivedEnd(into calls: inout [InboundCall]) throws(TextError) -> Bool {
        if state == .receiving, channel == .snapshot, !bytes.isEmpty { try askWhole(&calls) }
        return state != .receiving
    }

    /// False for a call that has been answered, or never was.
    func acceptReply(_ serial: UInt32) -> Bool {
        guard state == .asked, serial == 0 else { return false }
        state = .answered
        askedSize = 0
        source.endCall()
        return true
    }
}
