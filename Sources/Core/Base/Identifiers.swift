// What names requests, calls and servers in all parts of an agent.

/// Identifies a request of a client of this agent, chosen by the driver.
public struct RequestID: Hashable, Comparable, Sendable {
    public var raw: UInt64
    public init(_ raw: UInt64) { self.raw = raw }
    public static func < (a: Self, b: Self) -> Bool { a.raw < b.raw }
}

/// Identifies a call between servers. The owner of an outgoing call is the part of the agent that made it, and that its answer goes to.
public struct CallID: Hashable, Comparable, Sendable {
    public enum Owner: UInt8, Sendable {
        /// A call that came in.
        case driver
        /// What an agent without a server of its own asks servers for.
        case client
        /// What a server asks other servers for, on its own behalf or for those that asked it.
        case server
        case raft
        /// A stream of that gossip pool.
        case lan, wan
    }

    public let owner: Owner
    /// Unique among the calls of the owner.
    public let number: UInt64

    /// An incoming call, by a number that the driver chooses.
    public init(incoming number: UInt64) { self.init(.driver, number) }

    fileprivate init(_ owner: Owner, _ number: UInt64) {
        self.owner = owner
        self.number = number
    }

    /// In the order of numbers; those of different owners in any that is always the same.
    public static func < (a: Self, b: Self) -> Bool { a.number != b.number ? a.number < b.number : a.owner.rawValue < b.owner.rawValue }
}

/// Makes the ids of the calls of one owner.
public struct CallCounter: Sendable {
    private let owner: CallID.Owner
    private var last: UInt64 = 0

    public init(_ owner: CallID.Owner) { self.owner = owner }

    public mutating func next() -> CallID {
        last += 1
        return CallID(owner, last)
    }
}

/// `ip:port` of a server, as Raft and Serf advertise it.
public typealias Address = String

/// What a call between servers carries: the bytes are those of the server port (rpc-raft-wire §2.1, §5.1).
public enum Channel: UInt8, Hashable, Sendable {
    /// One type byte and a MessagePack map; InstallSnapshot is followed by its data. The answer: error text and a map.
    case raft = 1
    /// One MessagePack-RPC request, header and body. The answer likewise.
    case rpc = 4
    /// A snapshot request and what follows it, up to the end of the caller's side; the answer likewise (rpc-raft-wire §1.6).
    case snapshot = 5
    /// One stream of memberlist in a pool, whole as it goes over the wire: push/pull, TCP ping or user message. The answer
    /// likewise; empty where the protocol has none (gossip §6).
    case lan = 16
    case wan = 17
}

/// How important a line of the log is.
public enum LogLevel: UInt8, Comparable, Sendable {
    case trace, debug, info, warn, error
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}
