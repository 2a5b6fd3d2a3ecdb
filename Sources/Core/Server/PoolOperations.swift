/// The gossip pools of this node as its server uses them: what a leader tells and asks of members, and the operations that concern gossip.
/// Spec: gossip §15, http-2 §10.3.
///
/// The agent owns the pools and lends them to its server, which carries an operation out in one call. Nothing here calls the server back.
protocol PoolOperations: AnyObject {
    /// Broadcasts the user event `consul:new-leader` with this node's name in the LAN pool, not to be coalesced (gossip §15.7).
    func announceLeader(at now: Instant)

    /// Forces that member out of the LAN pool, and as `<name>.<datacenter>` out of the WAN pool (gossip §15.8).
    func forceLeave(_ member: String, prune: Bool, at now: Instant)

    /// Broadcasts a user event in the LAN pool: `name` is without the prefix `consul:event:`, `payload` the encoded event. Returns why it
    /// cannot be sent, nil if it is.
    func fireEvent(_ name: String, _ payload: [UInt8], at now: Instant) -> ServerError?

    /// All that the WAN pool knows of: this agent's, then the nearest first.
    var datacenters: [String] { get }
    var datacenterCoordinates: [DatacenterCoordinates] { get }

    /// Begins an operation on the keys of the pools; the agent hands their answers to `Server.finishOperation`. Returns why it cannot be
    /// done, nil if it can.
    func manageKeys(_ request: KeyringRequest, for requester: Requester, at now: Instant) -> ServerError?
}
