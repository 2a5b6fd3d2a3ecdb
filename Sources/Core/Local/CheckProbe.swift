// What a driver does for a health check, and what comes of it.

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
