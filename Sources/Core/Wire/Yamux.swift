/// The frames of yamux, which carries many streams over one connection (rpc-raft-wire §1.4).
public enum Yamux {
    public static let headerSize = 12
    /// How much of a stream may be on its way: the initial window, and the largest.
    public static let window = 262_144
    /// A window is opened again when so much of it can be.
    static let windowUpdateMin = 131_072
    /// Streams of ours that the peer has not acknowledged: it resets more.
    static let unacknowledgedMax = 256
    /// No longer than this goes into one frame, so that streams get their turns.
    static let payloadMax = 65_536
    /// What a stream costs beside its bytes, as far as budgets are concerned.
    public static let streamOverhead = 512
    static let keepAliveInterval = Duration.seconds(30)
    static let keepAliveTimeout = Duration.seconds(10)

    public enum Kind: UInt8, Sendable {
        case data = 0
        case windowUpdate = 1
        case ping = 2
        case goAway = 3
    }

    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }
        public static let synchronize = Flags(rawValue: 1)
        public static let acknowledge = Flags(rawValue: 2)
        public static let finish = Flags(rawValue: 4)
        public static let reset = Flags(rawValue: 8)
    }

    enum GoAwayCode: UInt32 {
        case normal = 0
        case protocolError = 1
        case internalError = 2
    }

    /// Twelve bytes; only data is followed by a payload, of `length` bytes.
    public struct Header: Hashable, Sendable {
        public var kind: Kind
        public var flags: Flags
        /// 0 for ping and go-away.
        public var stream: UInt32
        /// Of the payload; the growth of a window; the number of a ping; the reason of a go-away.
        public var length: UInt32

        public init(_ kind: Kind, _ flags: Flags = [], stream: UInt32 = 0, length: UInt32 = 0) {
            self.kind = kind
            self.flags = flags
            self.stream = stream
            self.length = length
        }

        /// `bytes` has at least 12.
        init(_ bytes: Span<UInt8>) throws(YamuxError) {
            guard bytes[0] == 0 else { throw .invalidVersion }
            guard let kind = Kind(rawValue: bytes[1]) else { throw .invalidType }
            self.kind = kind
            let raw = bytes.bytes
            flags = Flags(rawValue: UInt16(bigEndian: raw.unsafeLoadUnaligned(fromByteOffset: 2, as: UInt16.self)))
            stream = UInt32(bigEndian: raw.unsafeLoadUnaligned(fromByteOffset: 4, as: UInt32.self))
            length = UInt32(bigEndian: raw.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt32.self))
        }

        @inline(__always)
        func append(to bytes: inout [UInt8]) {
            bytes.append(bigEndian: UInt16(kind.rawValue))
            bytes.append(bigEndian: flags.rawValue)
            bytes.append(bigEndian: stream)
            bytes.append(bigEndian: length)
        }
    }
}

/// What ends a session. The texts are those of the reference's library.
public enum YamuxError: Error, Hashable, Sendable {
    case invalidVersion
    case invalidType
    case windowExceeded
    case duplicateStream
    case unexpectedFlag
    case keepAliveTimeout
    /// The peer found fault with us.
    case goneAway(UInt32)

    public var text: String {
        switch self {
        case .invalidVersion: "invalid protocol version"
        case .invalidType: "invalid msg type"
        case .windowExceeded: "recv window exceeded"
        case .duplicateStream: "duplicate stream initiated"
        case .unexpectedFlag: "unexpected flag"
        case .keepAliveTimeout: "keepalive timeout"
        case .goneAway(1): "yamux protocol error"
        case .goneAway(2): "remote yamux internal error"
        case .goneAway: "unexpected go away received"
        }
    }

    /// The peer is told when the fault is one of the protocol that the reference tells of.
    var isTold: Bool {
        switch self {
        case .windowExceeded, .duplicateStream, .unexpectedFlag: true
        case .invalidVersion, .invalidType, .keepAliveTimeout, .goneAway: false
        }
    }
}
