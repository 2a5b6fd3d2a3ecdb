/// One kind of work that the leader does of its own accord (behaviour §4): session expiry, tombstone reaping, autopilot, ...
///
/// A duty owns what it remembers, all of which belongs to one leadership: `began` starts it, `ended` forgets it. It sees and changes the cluster through `LeadingServer` only, so that it runs in a test without a server. A new duty is a class of its own and one line in
/// `LeaderDuties`.
protocol LeaderDuty: AnyObject {
    /// This server leads and has applied everything that was ever acknowledged. Called again, after `stateReplaced`, when an operator has
    /// replaced the whole state.
    func began(_ leader: any LeadingServer, at now: Instant)

    /// This server does not lead any more. Nothing may be left that belongs to the old leadership.
    func ended()

    /// The whole state was replaced under a leader: what this duty has taken from the old one is forgotten. By default everything is.
    func stateReplaced()

    /// Entries were applied while this server leads; once for all entries that were committed together.
    func applied(_ changes: ChangeSet, _ leader: any LeadingServer, at now: Instant)

    /// When `wake` is to be called at the latest; nil: not before something else happens.
    var deadline: Instant? { get }

    /// Does what is due.
    func wake(_ leader: any LeadingServer, at now: Instant)

    /// What this duty wrote at `since` has been applied (`problem` is nil), or has come to nothing. May come after `ended`.
    func written(_ request: WriteRequest, since: Instant, problem: String?, _ leader: any LeadingServer, at now: Instant)

    /// Something happened to a member of the LAN pool. A reaped one is not in the pool any more.
    func changed(_ member: Member, isReaped: Bool, _ leader: any LeadingServer, at now: Instant)

    /// The leader is about to add a server to the Raft configuration, or to give it a vote.
    func willAddServer()
}

extension LeaderDuty {
    func stateReplaced() { ended() }
    func applied(_ changes: ChangeSet, _ leader: any LeadingServer, at now: Instant) {}
    func written(_ request: WriteRequest, since: Instant, problem: String?, _ leader: any LeadingServer, at now: Instant) {}
    func changed(_ member: Member, isReaped: Bool, _ leader: any LeadingServer, at now: Instant) {}
    func willAddServer() {}
}

/// What duties see of the server that leads, and what they have it do.
protocol LeadingServer: AnyObject {
    var settings: AgentSettings { get }

    // The replicated state, the pool and consensus, as they are now.

    var store: Store { get }
    var appliedIndex: UInt64 { get }
    var pool: ServerPool { get }
    var raftConfiguration: RaftConfiguration { get }
    /// Of the last entry in this server's log.
    var lastLog: (term: UInt64, index: UInt64) { get }
    /// When that server last answered consensus; nil if it has not in this term, or does not belong to the configuration.
    func lastContact(with id: String) -> Instant?
    /// What this server answers `Status.RaftStats`.
    func raftStatistics(at now: Instant) -> RaftStatistics
    func wallClock(at instant: Instant) -> GoTime

    // Effects.

    /// Proposes a write; `duty.written` tells what became of it, possibly before this returns.
    func write(_ request: WriteRequest, for duty: any LeaderDuty, at now: Instant)
    /// Changes the Raft configuration. The same change is asked for once at a time; `failure` begins the message about its failure.
    func change(_ change: MembershipChange, _ failure: String, at now: Instant)
    /// Asks the server at that address about itself.
    func ask(_ purpose: OwnCall, _ operation: ServerOperation, _ options: QueryOptions, of address: Address, timeout: Duration)
    /// Forces that member out of the gossip pools.
    func forceLeave(_ member: String, at now: Instant)
    func measure(_ measure: ServerMeasure)
    func log(_ level: LogLevel, _ text: String)
}
