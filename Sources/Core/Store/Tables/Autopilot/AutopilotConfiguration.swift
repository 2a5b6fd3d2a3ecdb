/// How the leader looks after the servers (behaviour §4.4). Kept in the log; the configuration file gives only the first one.
public struct AutopilotConfiguration: Hashable, Sendable {
    public var cleanupDeadServers = true
    /// A server that has not heard from the leader for longer is unhealthy.
    public var lastContactThreshold: Duration = .milliseconds(200)
    /// So is one whose log is further behind the leader's.
    public var maxTrailingLogs: UInt64 = 250
    /// Dead servers are not removed below this many voters.
    public var minQuorum: UInt64 = 0
    /// How long a new server must have been healthy before it votes.
    public var serverStabilizationTime: Duration = .seconds(10)
    /// Kept and answered; only the enterprise edition acts on these three.
    public var redundancyZoneTag = ""
    public var disableUpgradeMigration = false
    public var upgradeVersionTag = ""
    public var index = RaftIndex()

    /// The defaults of the configuration file.
    public init() {}

    /// What a request without any field says.
    public static var zero: AutopilotConfiguration {
        var zero = AutopilotConfiguration()
        zero.cleanupDeadServers = false
        zero.lastContactThreshold = .zero
        zero.maxTrailingLogs = 0
        zero.serverStabilizationTime = .zero
        return zero
    }
}

public struct AutopilotRequest: Hashable, Sendable {
    public var datacenter = ""
    public var configuration = AutopilotConfiguration()
    /// Only if the stored configuration's ModifyIndex is that of `configuration`.
    public var cas = false
    public var token = ""
    public init() {}
}
