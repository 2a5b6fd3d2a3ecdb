/// One server's part in Raft: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm" (the sections named `§` in
/// comments without a document), and Ongaro's dissertation.
///
/// A pure state machine: events in, effects out, time as a parameter. It speaks the wire protocol of the reference's library
/// (rpc-raft-wire §5), and departs from the paper where that does, and further where it is safe towards such peers:
///
/// - Voters ignore candidates while they hear a leader (dissertation §4.2.3), and a node asks before it raises its term (pre-vote,
///   dissertation §9.6). Peers of the reference do not know pre-votes; see `RaftNode+Election.swift`.
/// - A leader that does not hear from a quorum steps down (dissertation §6.2) and answers reads under a lease (§6.4.1). A restarted
///   node grants no votes for as long as a lease may last that it confirmed before.
/// - Membership changes one server at a time (dissertation §4.1), with non-voters that catch up first.
/// - A follower rejects with its last index, and the leader skips whole terms, so logs are compared in few round trips (§5.3).
/// - Snapshots can be larger than one message (§7).
///
/// Durability. Whatever an answer promises is synced before it is given: term and vote before any answer in the term, entries before
/// success is reported. A leader counts its own entries once its disk has them, like any other server's. When the disk is full, nothing
/// more is acknowledged; a leader that has others to lead steps down and names the most advanced of them as successor; every write
/// since the last sync is repeated once there is space. After any other failed write or sync it is unknown what the disk holds, so the
/// node stops: restarting reads the disk and knows.
///
/// Over 15 stored variables and 500 lines: an election, the log and the members decide about each other with every message, so that they are
/// one machine in extensions by subject; what lives for itself is a type beside it (`LogStorage`, `DiskWork`, `LeaderWatch`, `Leadership`).
///
/// Not thread-safe; one owner. Nothing happens to batches before `flush`: hand over all waiting events, then call it.
public final class RaftNode {
    let config: RaftConfig
    public let identity: RaftIdentity
    let addressBytes: [UInt8]
    var random: Random
    /// Never goes back, whatever the driver's clock does.
    var now: Instant
    /// Added to `now` to get nanoseconds since 1970; names of snapshots hold a time.
    public var wallClockOffset: Int64

    var log: RaftLog
    var storage: LogStorage
    /// The last committed configuration and those after it, by index.
    var configurations: [ConfigurationPoint]
    /// Durable snapshots, oldest first.
    var snapshots: [SnapshotMeta]

    public internal(set) var commitIndex: UInt64
    /// Up to there it is committed without doubt: a quorum has it, or a leader whose log agrees with this one has said so.
    var confirmedCommit: UInt64 = 0
    /// The last entry given out by `.committed`, or covered by the installed snapshot.
    public internal(set) var lastApplied: UInt64
    /// The last of them that the state machine saw (a command or a barrier): where a snapshot can be taken.
    var lastCommand: (index: UInt64, term: UInt64)

    var state = RoleState.follower
    public internal(set) var leader: RaftServer?
    /// When this node last heard from a leader, or was one; nil: never since it started.
    public internal(set) var lastContact: Instant?
    var watch: LeaderWatch
    var peerKinds = LookupTable<String, PeerKind>()

    var calls = LookupTable<CallID, Call>()
    var callCounter = CallCounter(.raft)
    var disk = DiskWork()
    var isReadingForApply = false

    var sink: SnapshotSink?
    var nextSnapshot: UInt64 = 0
    var snapshotCheckAt: Instant
    /// When a message was last logged as refused.
    var refusalLoggedAt: Instant?
    var isStopped = false
    /// Not drained yet.
    var replications: [ReplicationMeasure] = []

    /// What a call of ours was about.
    struct Call {
        enum Purpose {
            case preVote(VoteTally)
            /// A vote in term 0: is the server there, and does it know pre-votes?
            case probe(VoteTally)
            /// The same of a peer that needs a snapshot: does it take one in pieces?
            case identify(Peer)
            case vote
            /// Is anybody still there where the leader was?
            case leaderProbe
            case heartbeat(Peer, round: UInt64)
            case append(Peer, epoch: UInt64, previous: UInt64, last: UInt64, bytes: Int)
            case install(Peer, Install)
            case timeoutNow
        }
        var purpose: Purpose
        var server: String
        var term: UInt64
        var sentAt: Instant
    }

    /// `recovered` comes from `RaftRecovery.recover`; the owner has loaded its snapshot.
    public init(config: RaftConfig, identity: RaftIdentity, recovered: RecoveredRaftState, seed: UInt64, now: Instant) {
        self.config = config
        self.identity = identity
        self.now = now
        addressBytes = Array(identity.address.utf8)
        wallClockOffset = config.wallClockOffset
        random = Random(seed: seed)
        log = recovered.log
        storage = LogStorage(
            vote: recovered.vote, voteSlot: recovered.voteSlot, hasVoteFile: recovered.hasVoteFile, durableIndex: recovered.log.lastIndex,
            segmentSize: config.segmentSize, random: Random(seed: random.next()))
        configurations = recovered.configurations
        snapshots = recovered.snapshots
        commitIndex = recovered.snapshot?.index ?? 0
        lastApplied = commitIndex
        lastCommand = (commitIndex, recovered.snapshot?.term ?? 0)
        watch = LeaderWatch(
            electionDeadline: now,
            votesBlockedUntil: recovered.vote.term == 0 || planted(.restartForgetsLease) ? now : now + config.leaderLeaseTimeout)
        snapshotCheckAt = now
        armElection(config.heartbeatTimeout)
        snapshotCheckAt = now + random.duration(in: config.snapshotInterval..<config.snapshotInterval * 2)
    }

    // MARK: Events

    public func handle(_ event: RaftEvent, at instant: Instant, into out: inout [RaftEffect]) {
        now = max(now, instant)
        if isStopped { return }
        switch event {
        case .propose(let batch): propose(batch, &out)
        case .barrier(let token): propose([Proposal(token: token, kind: .barrier, data: [])], &out)
        case .verifyLeader(let token): verifyLeader(token, &out)
        case .changeMembership(let token, let change): changeMembership(token, change, &out)
        case .bootstrap(let token, let configuration): bootstrap(token, configuration, &out)
        case .transferLeadership(let token, let target): transferLeadership(token, target, &out)
        case .snapshot(let token): takeSnapshot(token, &out)
        case .restore(let token, let index): restore(token, index, &out)
        case .snapshotChunk(let id, let bytes): snapshotChunk(id, bytes, &out)
        case .snapshotFinished(let id): snapshotFinished(id, &out)
        case .snapshotFailed(let id, let text): snapshotFailed(id, text, &out)
        case .snapshotDecoded(let id, let error): snapshotDecoded(id, error, &out)
        case .call(let id, let address, let bytes): receive(id, from: address, bytes, &out)
        case .answered(let id, let bytes): answered(id, bytes, &out)
        case .callFailed(let id, let text): callFailed(id, text, &out)
        case .disk(let completion): diskCompleted(completion, &out)
        case .wake: runTimers(&out)
        }
    }

    /// Gives out what was collected: the next write, committed entries, messages to followers.
    public func flush(at instant: Instant, into out: inout [RaftEffect]) {
        now = max(now, instant)
        if isStopped { return }
        if case .leader(let leadership) = state { prepareFlush(leadership, &out) }
        if let batch = storage.nextBatch(token: disk.makeToken(), lastIndex: log.lastIndex) { out.append(.disk(batch)) }
        applyCommitted(&out)
        if case .leader(let leadership) = state { finishFlush(leadership, &out) }
    }

    /// When the node wants to be woken.
    public var deadline: Instant? {
        if isStopped { return nil }
        var earliest = snapshotCheckAt
        earliest.bringForward(to: disk.retryAt)
        if case .leader(let leadership) = state {
            earliest.bringForward(to: deadline(of: leadership))
        } else {
            earliest.bringForward(to: watch.electionDeadline)
            earliest.bringForward(to: leaderProbeDeadline)
        }
        return earliest
    }

    private func runTimers(_ out: inout [RaftEffect]) {
        if let retry = disk.retryAt, retry <= now { retryWrite(&out) }
        if snapshotCheckAt <= now { considerSnapshot(&out) }
        if case .leader(let leadership) = state {
            runTimers(of: leadership, &out)
        } else if watch.electionDeadline <= now {
            electionTimedOut(&out)
        } else if let due = leaderProbeDeadline, due <= now {
            probeLeader(&out)
        }
    }

    // MARK: Small things shared by all roles

    var term: UInt64 { storage.vote.term }
    public var isLeader: Bool { if case .leader = state { true } else { false } }
    /// The latest configuration, committed or not: the one in force (§6).
    public var configuration: RaftConfiguration {
        let inForce =
            planted(.configurationAtCommit) ? configurations.last { $0.index <= commitIndex } ?? configurations.first : configurations.last
        return inForce?.configuration ?? RaftConfiguration()
    }
    var configurationIndex: UInt64 { configurations.last?.index ?? 0 }

    func armElection(_ timeout: Duration) {
        // The only voter need not wait for anybody, unless it follows a leader that is on its way out.
        let isAlone = leader == nil && configuration.isSoleVoter(identity.id) && !storage.isFull
        watch.electionDeadline = isAlone ? now : now + (planted(.electionNotRandom) ? timeout : random.duration(in: timeout..<timeout * 2))
    }

    func setLeader(_ server: RaftServer?, _ out: inout [RaftEffect]) {
        guard leader != server else { return }
        leader = server
        out.append(.leaderChanged(server))
    }

    /// The server that sends under this address.
    func server(at address: [UInt8]) -> RaftServer {
        let text = String(decoding: address, as: UTF8.self)
        return configuration.servers.first { $0.address == text } ?? RaftServer(id: "", address: text)
    }

    /// Stops for good: see the notes on durability above.
    func fail(_ reason: String, _ out: inout [RaftEffect]) {
        isStopped = true
        out.append(.fatal(reason))
    }

    func call(
        _ server: String, _ address: Address, _ bytes: [UInt8], _ purpose: Call.Purpose, timeout: Duration? = nil, _ out: inout [RaftEffect]
    ) {
        let id = callCounter.next()
        calls[id] = Call(purpose: purpose, server: server, term: term, sentAt: now)
        out.append(.call(id, server: server, to: address, bytes, timeout: timeout ?? config.callTimeout))
    }

    /// Answers once the batch of that number is durable.
    func reply(_ call: CallID, _ bytes: [UInt8], after sequence: UInt64, _ out: inout [RaftEffect]) {
        if storage.isDurable(sequence) {
            out.append(.reply(call, bytes))
        } else {
            disk.wait(for: sequence, .reply(call, bytes))
        }
    }
}
