// What a node is, and what it keeps only while it is that.

/// What a node is at the moment, for whoever looks on.
public enum RaftRole: String, Hashable, Sendable {
    case follower = "Follower"
    /// Asks whether an election would succeed.
    case preCandidate = "PreCandidate"
    case candidate = "Candidate"
    case leader = "Leader"
}

/// A node's role with the data that exists only in it.
enum RoleState {
    case follower
    case preCandidate(VoteTally)
    case candidate(VoteTally)
    case leader(Leadership)
}

/// The counting of votes, or of pre-votes.
final class VoteTally {
    /// The term that the votes are for.
    let term: UInt64
    /// Leadership was handed over: voters need not wait for the old leader to fall silent.
    let isTransfer: Bool
    /// Who granted.
    private(set) var granted: [String] = []
    /// Who was asked for a pre-vote.
    private var asked: [String] = []

    init(term: UInt64, isTransfer: Bool = false) {
        self.term = term
        self.isTransfer = isTransfer
    }

    func grant(_ server: String) {
        if !granted.contains(server) { granted.append(server) }
    }

    /// Takes down that a server is asked; false if it was before.
    func ask(_ server: String) -> Bool {
        if asked.contains(server) { return false }
        asked.append(server)
        return true
    }

    func hasQuorum(of configuration: RaftConfiguration) -> Bool {
        granted.count { configuration.isVoter($0) || planted(.nonvotersCounted) } >= configuration.quorum
    }
}

/// What a leader knows.
final class Leadership {
    /// The index of the first entry of this term: nothing is committed, or read, before it is.
    let startIndex: UInt64
    var peers: [Peer] = []
    /// As last worked out; nil when the peers have changed since.
    var electorate: Electorate?
    /// Payload of the proposals that are not committed.
    var uncommittedBytes = 0

    /// Heartbeats are numbered in rounds, so that it is known which were sent after a request.
    var round: UInt64 = 0
    var wantsRound = false
    var verifications: [Verification] = []

    var waitingChanges: [(token: UInt64, change: MembershipChange)] = []
    var pendingChange: (token: UInt64, index: UInt64)?
    var transfer: Transfer?
    /// Somebody was told to take over: nobody waits for this node to fall silent any more, so its lease means nothing.
    var hasGivenLease = false
    /// The lease that the owner was told last.
    var announcedLease: Instant?
    /// A user's snapshot is being restored; nothing may be appended meanwhile.
    var isRestoring = false
    /// It is restored at `index`, but not committed before the entry at `noop` is.
    var pendingRestore: (token: UInt64, index: UInt64, noop: UInt64)?

    /// The voters of the configuration at `index`.
    struct Electorate {
        var index: UInt64
        var peers: [Peer]
        var includesSelf: Bool
    }

    struct Verification {
        var token: UInt64
        /// Confirmed by a quorum of this round or a later one.
        var round: UInt64
        var index: UInt64
    }

    struct Transfer {
        var token: UInt64
        var target: String
        var deadline: Instant
        var isTold = false
    }

    init(startIndex: UInt64) { self.startIndex = startIndex }

    func peer(_ id: String) -> Peer? { peers.first { $0.id == id } }
}

/// What a leader knows of another server.
final class Peer {
    enum Mode {
        /// Finding out where the logs agree: one message at a time.
        case probe
        /// Messages are sent without waiting for the answers to those before.
        case pipeline
        /// A snapshot is under way.
        case snapshot(Install)
    }

    /// Whether it answers, whatever is sent: heartbeats, and when to try again.
    struct Contact {
        var outstandingHeartbeats = 0
        /// In a row.
        var failures = 0
        /// The last heartbeat was not answered.
        var isUnreachable = false
        var retryAt: Instant?
        var heartbeatAt: Instant
        /// When it last answered.
        var last: Instant
        /// When the newest message was sent that it answered; nil for none.
        var confirmedAt: Instant?
        var confirmedRound: UInt64 = 0
    }

    /// What the AppendEntries that are no heartbeats have told it.
    struct Told {
        /// The commit index of the last one.
        var commit: UInt64 = 0
        /// When a newer commit index is told, if nothing that is sent before tells it.
        var commitDueAt: Instant?
        /// When the last one was sent.
        var at: Instant
    }

    let id: String
    var address: Address
    /// The next entry to send.
    var next: UInt64
    /// The last entry known to be durable there.
    var match: UInt64 = 0
    var mode = Mode.probe
    /// Raised whenever what is under way is given up; answers of older epochs may still say what arrived, but not what failed.
    var epoch: UInt64 = 0
    var contact: Contact
    /// Unanswered AppendEntries of this epoch.
    var outstanding = 0
    var outstandingBytes = 0
    var told: Told
    /// Old entries that were read back from disk for it, from `next` on.
    var staged: [LogEntry] = []
    var isReading = false
    /// Whether it is being asked what kind it is.
    var isBeingIdentified = false
    /// No longer in the configuration: it is dropped once it knows, or at the instant.
    var leaving: (index: UInt64, deadline: Instant)?

    init(_ server: RaftServer, next: UInt64, now: Instant) {
        id = server.id
        address = server.address
        self.next = next
        told = Told(at: now)
        contact = Contact(heartbeatAt: now, last: now)
    }

    /// Gives up what is under way and finds out anew where the logs agree.
    func reset(next: UInt64) {
        self.next = max(1, next)
        mode = .probe
        epoch += 1
        outstanding = 0
        outstandingBytes = 0
        told.commit = 0
        staged = []
        isReading = false
    }
}

/// A snapshot on its way to a follower.
final class Install {
    let meta: SnapshotMeta
    /// In one call, as the reference does; otherwise in pieces.
    let isWhole: Bool
    /// Bytes that the follower has, when it gets pieces.
    var offset = 0
    /// The whole state, as far as it was read.
    var data: [UInt8] = []
    var isBusy = false

    init(meta: SnapshotMeta, isWhole: Bool) {
        self.meta = meta
        self.isWhole = isWhole
    }
}

/// Whether a server knows the messages that the reference does not.
enum PeerKind {
    case extended
    case reference
}
