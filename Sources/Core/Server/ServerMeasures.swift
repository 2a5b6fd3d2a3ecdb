/// Something that a server has counted or timed, at the place where the work is done, whoever asked for it. Spec: config §24.
public enum ServerMeasure: Hashable, Sendable {
    /// A call came over the server port; the second kind could not be understood.
    case call, misunderstoodCall
    /// So many reads were evaluated.
    case reads(Int)
    /// A quorum was asked whether this server still leads.
    case verification
    /// A read waited that long for the answer.
    case consistentRead(Duration)
    case write(MeasuredWrite, Duration)
    case transactionRead(Duration)
    case renewal(Duration)

    // The leader's.

    /// How long its own disk took for a batch.
    case logWritten(Duration)
    /// A follower's answer to entries; to none of them; and to a snapshot's piece.
    case replication(MeasuredReplication, peer: String, Duration, entries: Int)
    case reconciliation(Duration)
    case memberReconciliation(Duration)
    case tombstonesReaped(Duration)
    case sessionInvalidated(Duration)
}

/// Writes whose time is measured.
public enum MeasuredWrite: Hashable, Sendable { case register, deregister, kv, session, transaction }

public enum MeasuredReplication: Hashable, Sendable { case entries, heartbeat, snapshot }

/// Whose instances were asked for, and whether there were any.
public struct MeasuredLookup: Hashable, Sendable {
    /// `catalog` or `health`.
    public var isHealth: Bool
    public var kind: Kind
    public var service: String
    public var tags: [String]
    public var isFound: Bool

    public enum Kind: String, Hashable, Sendable { case service, connect, ingress }
}

/// Collects what a server measures until its agent drains it.
struct ServerMeasures {
    private(set) var collected: [ServerMeasure] = []
    /// How often the instances of which service were looked up; drained less often, since their names have to be made.
    private var lookups: [(subject: MeasuredLookup, times: Int)] = []
    private var lookupPlaces = LookupTable<MeasuredLookup, Int>()
    var raft = RaftStopwatch()

    /// What nobody drains is not kept beyond this.
    static let countMax = 16_384
    /// Services that are told apart between two drains; further ones are not counted.
    static let lookupsMax = 1_000

    mutating func add(_ measure: ServerMeasure) { if collected.count < Self.countMax { collected.append(measure) } }

    mutating func count(_ lookup: MeasuredLookup, times: Int = 1) {
        if let at = lookupPlaces[lookup] {
            lookups[at].times += times
        } else if lookups.count < Self.lookupsMax {
            lookupPlaces[lookup] = lookups.count
            lookups.append((lookup, times))
        }
    }

    mutating func takeLookups() -> [(subject: MeasuredLookup, times: Int)] {
        defer {
            lookups = []
            lookupPlaces.removeAll()
        }
        return lookups
    }

    /// Keeps the memory for the next batch.
    mutating func drained() { collected.removeAll(keepingCapacity: true) }
}

extension MeasuredReplication {
    /// What a message of the Raft transport carries, and how many entries; nil for what is no replication.
    static func of(_ message: [UInt8]) -> (kind: MeasuredReplication, entries: Int)? {
        switch message.first.flatMap(RaftMessageKind.init(rawValue:)) {
        case .installSnapshot, .installChunk: return (.snapshot, 0)
        case .appendEntries:
            // The entries come first.
            var reader = MessagePackReader(message.dropFirst())
            guard var left = try? reader.structHeader(), let key = try? reader.nextKey(&left), key == "Entries" else { return nil }
            guard let count = (try? reader.arrayHeader()) ?? nil else { return (.heartbeat, 0) }
            return (.entries, count)
        case .requestVote, .timeoutNow, .requestPreVote, nil: return nil
        }
    }
}

extension WriteRequest {
    var measured: MeasuredWrite? {
        switch self {
        case .register: .register
        case .deregister: .deregister
        case .kv: .kv
        case .session: .session
        case .txn: .transaction
        case .tombstone, .autopilot, .coordinates: nil
        }
    }
}

extension ReadQuery {
    func measuredLookup(_ result: QueryResult) -> MeasuredLookup? {
        switch (self, result) {
        case (.catalog(.serviceNodes(let service, let tags, let connect)), .serviceNodes(let rows)):
            MeasuredLookup(isHealth: false, kind: connect ? .connect : .service, service: service, tags: tags, isFound: !rows.isEmpty)
        case (.health(.serviceNodes(let service, let tags, let connect, let ingress)), .healthNodes(let rows)):
            MeasuredLookup(
                isHealth: true, kind: ingress ? .ingress : connect ? .connect : .service, service: service, tags: tags,
                isFound: !rows.isEmpty)
        default: nil
        }
    }
}

/// Times the calls of consensus to other servers, and the leader's writes to its log. Owns what has begun and not ended.
struct RaftStopwatch {
    private struct Call {
        var peer: String
        var kind: MeasuredReplication
        var entries: Int
        var since: Instant
    }

    private var calls = LookupTable<CallID, Call>()
    private var writes = LookupTable<UInt64, Instant>()

    /// What is begun beyond this is not measured.
    static let callsMax = 4_096

    /// - Parameter message: As it goes out.
    mutating func began(_ id: CallID, to peer: String, _ message: [UInt8], at now: Instant) {
        guard calls.count < Self.callsMax, let (kind, entries) = MeasuredReplication.of(message) else { return }
        calls[id] = Call(peer: peer, kind: kind, entries: entries, since: now)
    }

    /// nil for what is not measured.
    mutating func answered(_ id: CallID, at now: Instant) -> ServerMeasure? {
        guard let call = calls.removeValue(forKey: id) else { return nil }
        return .replication(call.kind, peer: call.peer, now - call.since, entries: call.entries)
    }

    mutating func failed(_ id: CallID) { calls.removeValue(forKey: id) }

    mutating func writing(_ token: UInt64, at now: Instant) {
        guard writes.count < Self.callsMax else { return }
        writes[token] = now
    }

    mutating func written(_ token: UInt64, at now: Instant) -> ServerMeasure? {
        writes.removeValue(forKey: token).map { .logWritten(now - $0) }
    }
}
