import Core

/// Where an agent is reached by others, and within which bounds.
public struct ClusterConfiguration: Sendable {
    /// The server port (8300); nil on clients.
    public var server: SocketAddress?
    /// The gossip pools (8301, 8302), each over UDP and TCP; nil where the agent is not in it.
    public var lan: SocketAddress?
    public var wan: SocketAddress?
    /// The bound address, which calls of servers come from (its port does not matter).
    public var origin: SocketAddress
    public var limits: PortLimits
    /// `limits.rpc_max_conns_per_client`, for the server port; 0 or less: unlimited.
    public var connectionsPerClientMax = 100

    /// An agent that reaches others and is reached by none, until more is set.
    public init(origin: SocketAddress, limits: PortLimits = .server) {
        self.origin = origin
        self.limits = limits
    }
}
