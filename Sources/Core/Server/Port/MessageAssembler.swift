/// Cuts whole messages out of the bytes of a connection, which come in pieces of any size. Every byte is looked at once.
struct MessageAssembler {
    /// What the messages are made of (rpc-raft-wire §2.1, §5.1; gossip §6).
    enum Grammar {
        /// Header and body, of a call or of an answer.
        case rpc
        /// A type byte and a map; InstallSnapshot's is followed by as many bytes as its `Size` says.
        case raftCall
        /// A text and a map.
        case raftAnswer
        /// One stream of memberlist, as it goes over the wire.
        case gossip
    }

    private enum Phase {
        /// At the type byte of the message.
        case start
        /// Inside of values, after which the message ends or needs another look.
        case values
        /// The four bytes of a length.
        case length
        /// Bytes that are not looked at.
        case raw
    }

    private let grammar: Grammar
    private let limits: PortLimits
    private var phase: Phase
    private var scanner: MessagePackScanner
    private var kind: UInt8 = 0
    /// The end is known once the values are read: a header of gossip is followed by node states.
    private var isTailKnown = false
    private var raw = 0
    private var sizeMax: Int
    /// The beginning of a message whose end has not come.
    private(set) var partial: [UInt8] = []

    static let gossipSizeMax = 20 << 20

    init(_ grammar: Grammar, _ limits: PortLimits) {
        self.grammar = grammar
        self.limits = limits
        (phase, scanner, sizeMax) = Self.beginning(grammar, limits)
    }

    private static func beginning(_ grammar: Grammar, _ limits: PortLimits) -> (Phase, MessagePackScanner, Int) {
        switch grammar {
        case .rpc, .raftAnswer: (.values, MessagePackScanner(values: 2), limits.messageSizeMax)
        case .raftCall: (.start, MessagePackScanner(), limits.messageSizeMax)
        case .gossip: (.start, MessagePackScanner(), gossipSizeMax + 64)
        }
    }

    /// Reads from `at` on; the message if it ends in this piece, right before `at`.
    mutating func assemble(_ input: Span<UInt8>, _ at: inout Int) throws(TextError) -> [UInt8]? {
        let start = at
        while true {
            switch phase {
            case .start:
                if at == input.count { return nil }
                kind = input[at]
                at += 1
                try begin()
            case .values:
                let left = sizeMax - partial.count - (at - start)
                let isDone: Bool
                do throws(MessagePackError) { isDone = try scanner.scan(input, &at, sizeMax: left) } catch { throw TextError(error.text) }
                guard isDone else { return keep(input, start, at) }
                if isTailKnown || !hasTail {
                    if raw == 0 { return finish(input, start, at) }
                    phase = .raw
                } else {
                    _ = keep(input, start, at)
                    try readHeader()
                    return try assemble(input, &at)
                }
            case .length:
                while partial.count + at - start < 5 {
                    if at == input.count { return keep(input, start, at) }
                    raw = raw << 8 | Int(input[at])
                    at += 1
                }
                if raw > Self.gossipSizeMax { throw TextError("Remote node state is larger than limit (\(raw))") }
                phase = .raw
            case .raw:
                let count = min(raw, input.count - at)
                at += count
                raw -= count
                return raw == 0 ? finish(input, start, at) : keep(input, start, at)
            }
        }
    }

    private var hasTail: Bool {
        switch grammar {
        case .rpc, .raftAnswer: false
        case .raftCall: kind == 2
        case .gossip: kind == 6 || kind == 8
        }
    }

    /// The type byte is read.
    private mutating func begin() throws(TextError) {
        phase = .values
        guard grammar == .gossip else {
            if kind > 5 { throw TextError("unknown rpc type \(kind)") }
            return
        }
        switch kind {
        case 0, 2, 6, 8, 9, 13: break
        case 10: phase = .length
        default: throw TextError("unknown message type \(kind)")
        }
    }

    /// The map is read that tells what follows it.
    private mutating func readHeader() throws(TextError) {
        var nodes = 0
        do throws(MessagePackError) {
            var reader = MessagePackReader(partial.dropFirst())
            var left = try reader.structHeader()
            while let key = try reader.nextKey(&left) {
                switch key {
                case "Size" where grammar == .raftCall, "UserStateLen", "UserMsgLen": raw = try reader.int()
                case "Nodes" where grammar == .gossip: nodes = try reader.int()
                default: try reader.skip()
                }
            }
        } catch {
            throw TextError(error.text)
        }
        let max = grammar == .gossip ? Self.gossipSizeMax : limits.snapshotSizeMax
        guard raw >= 0, raw <= max, nodes >= 0, nodes <= max else { throw TextError("message is too large") }
        isTailKnown = true
        sizeMax = max + partial.count
        partial.reserveCapacity(partial.count + min(raw, 16 << 20))
        if nodes > 0 {
            scanner = MessagePackScanner(values: nodes)
        } else {
            phase = .raw
        }
    }

    private mutating func keep(_ input: Span<UInt8>, _ start: Int, _ end: Int) -> [UInt8]? {
        partial.append(start..<end, of: input)
        return nil
    }

    private mutating func finish(_ input: Span<UInt8>, _ start: Int, _ end: Int) -> [UInt8] {
        var message: [UInt8] = []
        swap(&message, &partial)
        message.append(start..<end, of: input)
        (phase, scanner, sizeMax) = Self.beginning(grammar, limits)
        (isTailKnown, raw) = (false, 0)
        return message
    }
}
