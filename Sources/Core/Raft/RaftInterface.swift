// The border between a `RaftNode` and its owner: what happens to it, and what it asks for.

/// Why a request was refused. `text` is the reference's where it has one.
public enum RaftError: Error, Hashable, Sendable, CustomStringConvertible {
    case notLeader
    /// The entry may still be committed by the next leader.
    case leadershipLost
    case leadershipTransferInProgress
    /// A user's snapshot was restored while the entry waited.
    case abortedByRestore
    /// More is waiting than the limits allow.
    case overloaded
    /// The disk is full. Entries that wait may still be committed once there is space.
    case noSpace
    /// A configuration that is none, or a change that cannot be made.
    case configuration(String)
    case snapshot(String)
    case transfer(String)

    public var text: String {
        switch self {
        case .notLeader: "node is not the leader"
        case .leadershipLost: "leadership lost while committing log"
        case .leadershipTransferInProgress: "leadership transfer in progress"
        case .abortedByRestore: "snapshot restored while committing log"
        case .overloaded: "timed out enqueuing operation"
        case .noSpace: "no space left on device"
        case .configuration(let text), .snapshot(let text), .transfer(let text): text
        }
    }

    public var description: String { text }
}

/// What happens to a `RaftNode`. After one or more of them the owner calls `flush`.
///
/// Tokens are chosen by the owner, not 0, and answered exactly once by the effect named.
public enum RaftEvent: Sendable {
    /// Answered per proposal, by `.committed` (the entry carries the token) or `.rejected`.
    case propose([Proposal])
    /// An entry that changes nothing; answered as a proposal is.
    case barrier(token: UInt64)
    /// Answered by `.verified`.
    case verifyLeader(token: UInt64)
    /// Answered by `.membershipDone` once the change is committed. Changes wait for each other.
    case changeMembership(token: UInt64, MembershipChange)
    /// The first configuration of a cluster, written without asking anybody. Answered by `.membershipDone`.
    case bootstrap(token: UInt64, RaftConfiguration)
    /// Hands leadership to that server, or to the one whose log is longest. Answered by `.transferred`.
    case transferLeadership(token: UInt64, to: String?)
    /// A user asks for a snapshot now. Answered by `.snapshotTaken`.
    case snapshot(token: UInt64)
    /// Replaces the replicated state by one that the owner holds, as of `index` in its archive. The node asks for it with
    /// `.provideSnapshot`; answered by `.restored`.
    case restore(token: UInt64, index: UInt64)

    /// The next bytes of the state that `.provideSnapshot` asked for.
    case snapshotChunk(SnapshotID, [UInt8])
    /// There are no more.
    case snapshotFinished(SnapshotID)
    case snapshotFailed(SnapshotID, String)
    /// The owner has decoded the state that `.decodeSnapshot` brought, or an error says why not.
    case snapshotDecoded(SnapshotID, error: String?)

    /// A peer calls: type byte and MessagePack (rpc-raft-wire §5.1). Answered by `.reply` or `.close`.
    case call(CallID, from: Address, [UInt8])
    case answered(CallID, [UInt8])
    case callFailed(CallID, String)
    case disk(DiskCompletion)
    /// `deadline` has come.
    case wake
}

/// Names a snapshot in the making between a node and its owner.
public struct SnapshotID: Hashable, Sendable {
    public var raw: UInt64
    public init(_ raw: UInt64) { self.raw = raw }
}

/// What a `RaftNode` asks of its owner, who performs it in order.
public enum RaftEffect: Sendable {
    /// `server` is the id of the callee; the owner may know a better address than the configuration's. Failing to answer within
    /// `timeout` is `.callFailed`.
    case call(CallID, server: String, to: Address, [UInt8], timeout: Duration)
    case reply(CallID, [UInt8])
    /// The call cannot be answered: close its connection.
    case close(CallID)
    case disk(DiskBatch)

    /// Apply these, in order; every index exactly once, none left out. Those with a token are answers to proposals of this node.
    case committed([LogEntry])
    /// The proposal (or barrier) with that token came to nothing, as far as this node knows.
    case rejected(token: UInt64, RaftError)
    /// The leader was confirmed by a quorum after the request came in: what was committed up to `index` (all of it has been given out)
    /// may be read.
    case verified(token: UInt64, Result<UInt64, RaftError>)
    /// The index of the configuration entry.
    case membershipDone(token: UInt64, Result<UInt64, RaftError>)
    case transferred(token: UInt64, Result<Void, RaftError>)

    /// This node leads. It has not committed an entry of its term yet: see `isEstablished`.
    case becameLeader(term: UInt64)
    /// This node led and does not any more.
    case lostLeadership(term: UInt64)
    /// The leader that this node knows; nil: none.
    case leaderChanged(RaftServer?)
    /// The configuration in force changed (it may still be uncommitted).
    case configurationChanged(RaftConfiguration)
    /// While this node leads, until when it may answer reads without asking; see `RaftNode.leaseExpiry`.
    case leaseChanged(Instant)

    /// Freeze the state as of now (everything committed so far is applied) under this id; `.provideSnapshot` will ask for it.
    case captureSnapshot(SnapshotID, index: UInt64, term: UInt64)
    /// Answer with `.snapshotChunk` of about `count` bytes, or `.snapshotFinished`, or `.snapshotFailed`.
    case provideSnapshot(SnapshotID, count: Int)
    /// The captured state is not needed any more.
    case releaseSnapshot(SnapshotID)
    case snapshotTaken(token: UInt64, Result<SnapshotMeta, RaftError>)

    /// Decode these bytes into a new state, beside the one in use; after the `last` piece answer with `.snapshotDecoded`. The next
    /// piece comes by itself.
    case decodeSnapshot(SnapshotID, [UInt8], last: Bool)
    /// Forget what was decoded.
    case discardSnapshot(SnapshotID)
    /// Put the decoded state (or, after `.restore`, the owner's) in place of the one in use: it is the state as of `index`.
    case installSnapshot(SnapshotID, index: UInt64, term: UInt64)
    /// Put an empty state in place of the one in use: the cluster never committed the snapshot that it came from. Everything is given out
    /// again from the beginning.
    case resetState
    /// The restored state stands at that index, and a quorum has it. On failure it may have been installed on this server all the same.
    case restored(token: UInt64, Result<UInt64, RaftError>)

    case log(LogLevel, String)
    /// Stop the process: going on could lose or invent data. The node does nothing any more.
    case fatal(String)
}
