// The border between an `Agent` and its driver (Runtime or Simulator): what happens to it, and what it asks for.

/// Identifies a request of a client of this agent, chosen by the driver.
public struct RequestID: Hashable, Comparable, Sendable {
    public var raw: UInt64
    public init(_ raw: UInt64) { self.raw = raw }
    public static func < (a: Self, b: Self) -> Bool { a.raw < b.raw }
}

/// Identifies a call between servers; outgoing ones are chosen by the agent, incoming ones by the driver.
public struct CallID: Hashable, Comparable, Sendable {
    public var raw: UInt64
    public init(_ raw: UInt64) { self.raw = raw }
    public static func < (a: Self, b: Self) -> Bool { a.raw < b.raw }
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

/// One step on the files of the data directory. Names are relative, with `/` between components.
public enum DiskOperation: Hashable, Sendable {
    /// Writes at `offset`, creating the file (and its folders) as needed. Not durable before a `sync` of the file.
    case write(file: String, offset: Int, bytes: [UInt8])
    /// Makes everything written to the file durable.
    case sync(file: String)
    case truncate(file: String, size: Int)
    /// Replaces `to`; durable only after `syncDirectory`.
    case rename(from: String, to: String)
    case remove(file: String)
    /// Makes creations, renames and removals in the folder durable; `""` is the data directory itself.
    case syncDirectory(String)
    /// Reads up to `count` bytes at `offset`; the batch's completion carries them, in order.
    case read(file: String, offset: Int, count: Int)
}

/// Operations performed in order; the first failure ends the batch. Batches are performed in the order they were asked for.
public struct DiskBatch: Sendable {
    public var token: UInt64
    public var operations: [DiskOperation]
    public init(token: UInt64, operations: [DiskOperation]) {
        self.token = token
        self.operations = operations
    }
}

public enum DiskError: Error, Hashable, Sendable, CustomStringConvertible {
    case noSpace
    case notFound(String)
    /// The text of the system's error, with file and operation.
    case failed(String)

    public var description: String {
        switch self {
        case .noSpace: "no space left on device"
        case .notFound(let file): "\(file): no such file or directory"
        case .failed(let text): text
        }
    }
}

/// The answer to a `DiskBatch`: what its reads found, in order, or the first failure.
public struct DiskCompletion: Sendable {
    public var token: UInt64
    public var result: Result<[[UInt8]], DiskError>
    public init(token: UInt64, result: Result<[[UInt8]], DiskError>) {
        self.token = token
        self.result = result
    }
}

/// Files as they are found at start, read synchronously before the agent runs. Runtime and Simulator each supply one.
public protocol Disk {
    /// Every file below `directory` ("" for all), names relative to the data directory, sorted.
    func list(_ directory: String) throws(DiskError) -> [String]
    func size(_ file: String) throws(DiskError) -> Int
    /// Fewer bytes than `count` only at the end of the file.
    func read(_ file: String, offset: Int, count: Int) throws(DiskError) -> [UInt8]
    /// Performs and makes durable before it returns; for recovery only (cutting a torn tail).
    func perform(_ operations: [DiskOperation]) throws(DiskError)
}

/// A health check that the driver performs once; scheduling, thresholds and status stay in Core.
public enum CheckProbe: Hashable, Sendable {
    /// Arguments are executed directly, without a shell. Exit 0 passing, 1 warning, anything else critical.
    case script(arguments: [String], directory: String)
    /// `headers` may hold `Host`. Any 2xx passing, 429 warning, the rest critical.
    case http(url: String, method: String, headers: [HTTPHeader], body: [UInt8], tlsSkipVerify: Bool)
    case tcp(address: String)
}

public struct HTTPHeader: Hashable, Sendable {
    public var name: String
    public var value: String
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// What a probe came to; `output` is at most the size that was asked for, its end.
public enum CheckOutcome: Hashable, Sendable {
    /// nil status: ended by a signal. `written`: the size of all output where that is more than `output` holds.
    case script(exitStatus: Int32?, output: [UInt8], written: Int = 0)
    /// A script that was killed for taking too long, with what it had written until then.
    case scriptTimedOut(output: [UInt8], written: Int)
    case http(status: Int, reason: String, body: [UInt8])
    case tcpConnected
    /// Could not be started or connected: `fork/exec /no/such/bin: no such file or directory`,
    /// `dial tcp 127.0.0.1:1: connect: connection refused`. For HTTP, Core puts
    /// `Get "http://...": ` before it, unless it begins with `parse "` (a malformed URL).
    case failed(String)
    case timedOut
}

public enum LogLevel: UInt8, Comparable, Sendable {
    case trace, debug, info, warn, error
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// What happens to an agent.
///
/// The rare cases with much in them are indirect: an event is moved several times on its way, and as large as its largest case.
public enum AgentEvent: Sendable {
    /// A client's request; answered by exactly one `.respond` of that id, unless it is cancelled before.
    case request(RequestID, HTTPRequest)
    /// The same, of a request that a front end has taken apart already.
    indirect case routed(RequestID, APICall)
    /// A DNS question in wire form; `tcp` answers may be long. Answered by `.answer`.
    case question(RequestID, [UInt8], tcp: Bool, from: String)
    /// The client of this request went away: forget it.
    case cancelled(RequestID)
    /// Another server calls.
    case call(CallID, from: Address, Channel, [UInt8])
    /// The answer to a call of ours.
    case answered(CallID, [UInt8])
    /// A call of ours came to nothing; the text is the reference's ("... connect: connection refused").
    case callFailed(CallID, String)
    /// A datagram of a gossip pool, as it came in. `from` is `ip:port`.
    case packet(GossipPool, from: Address, [UInt8])
    /// The addresses of a host name that was asked for, IPv4 before IPv6, as text; or why there are none.
    case resolved(UInt64, Result<[String], Complaint>)
    case disk(DiskCompletion)
    case probed(UInt64, CheckOutcome)
    /// The deadline has come.
    case wake
    /// Leave gracefully, then `.exit`.
    case leave
    /// SIGHUP, or the answer to `.readConfiguration`: what the configuration files say now.
    indirect case reload(AgentConfig)
    /// The configuration files cannot be used, and why. Everything stays as it is.
    case reloadFailed(String)
    /// The wall clock was set: the new `AgentConfig.wallClockOffset`.
    case wallClock(Int64)
    /// A log line of the driver's own, of a level that `.followLog` asked for: level, module, message.
    case logged(LogLevel, String, String)
    /// What a front end has measured.
    indirect case measured(RequestMeasures)
    /// SIGUSR1: tell what was measured, by `.report`.
    case dumpMetrics
    /// The answer to `.examineHost`.
    indirect case hostExamined(UInt64, HostFacts)
    /// The process is about to end. What the agent now gives to the disk is still performed.
    case shutDown
}

/// What an agent asks of its driver. Rare and large cases are indirect, as in `AgentEvent`.
public enum AgentEffect: Sendable {
    case respond(RequestID, HTTPResponse)
    case answer(RequestID, [UInt8])
    /// An answer without end: its body follows in pieces, until the client goes away (`.cancelled`).
    case respondInPieces(RequestID, HTTPResponse)
    /// The next piece of such a body. It may be left out while the client is far behind.
    case piece(RequestID, [UInt8])
    case call(CallID, to: Address, Channel, [UInt8], timeout: Duration)
    case reply(CallID, [UInt8])
    /// An incoming call that cannot be answered: close its connection.
    case refuse(CallID)
    /// A datagram of a gossip pool, to `ip:port`.
    case packet(GossipPool, to: Address, [UInt8])
    /// Look a host name up, as the system does; answered by `.resolved` of that token.
    case resolve(UInt64, host: String)
    case disk(DiskBatch)
    case probe(UInt64, CheckProbe, timeout: Duration, outputLimit: Int)
    case cancelProbe(UInt64)
    /// Readers answer from this state from now on. Comes before the responses to the writes that it contains.
    case publish(PublishedState)
    case log(LogLevel, String, String)
    /// From now on clients want the driver's own log lines, too, of this level or above (`.logged`); nil: nobody does.
    case followLog(LogLevel?)
    /// A line for whoever started the process (`==> Consul agent running!`, without the arrow).
    case show(String)
    /// Text, of whole lines, for standard error.
    case report(String)
    /// Look at the machine and answer with `.hostExamined` of that token.
    case examineHost(UInt64)
    /// A new configuration holds: what of it concerns the driver and its front ends takes effect.
    indirect case configure(AgentConfig)
    /// Read the configuration files again and answer with `.reload` or `.reloadFailed`.
    case readConfiguration
    /// Stop the process; a text means failure and its reason.
    case exit(String?)
}
