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
    case reconciliation(Duration)
    case memberReconciliation(Duration)
    case tombstonesReaped(Duration)
    case sessionInvalidated(Duration)
}

/// Writes whose time is measured.
public enum MeasuredWrite: Hashable, Sendable { case register, deregister, kv, session, transaction }

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
    var disk = DiskStopwatch()

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

/// Times the leader's writes to its log. Owns what has begun and not ended.
struct DiskStopwatch {
    private var begun: [(token: UInt64, since: Instant)] = []

    /// What is begun beyond this is not measured.
    static let countMax = 256

    mutating func began(_ token: UInt64, at now: Instant) { if begun.count < Self.countMax { begun.append((token, now)) } }

    /// nil for what is not measured. Batches end about in the order in which they begin.
    mutating func ended(_ token: UInt64, at now: Instant) -> ServerMeasure? {
        guard let at = begun.firstIndex(where: { $0.token == token }) else { return nil }
        return .logWritten(now - begun.remove(at: at).since)
    }
}
