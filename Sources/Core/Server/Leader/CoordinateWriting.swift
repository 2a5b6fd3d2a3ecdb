// Coordinates that nodes send to the leader, who writes them to the log in batches (behaviour §6.9, gossip §16.6).

/// The newest coordinate of each node and segment since the last batch.
struct CoordinateUpdates {
    private var updates = PersistentMap<ByteString, NodeCoordinate>()
    private(set) var deadline: Instant?
    private let period: Duration
    private let batchSize: Int
    private let batchesMax: Int

    /// What is waiting beyond what one period can write; more is not taken in.
    static let waitingMax = 65_536

    init(_ settings: AgentSettings) {
        period = settings.coordinates.updatePeriod
        batchSize = max(1, settings.coordinates.updateBatchSize)
        batchesMax = max(1, settings.coordinates.updateMaxBatches)
    }

    mutating func add(_ update: NodeCoordinate, at now: Instant) {
        let key = TableKey.of(update.node, update.segment)
        guard updates.count < Self.waitingMax || updates.contains(key) else { return }
        updates[key] = update
        if deadline == nil { deadline = now + period }
    }

    /// The batches that are due, and how many updates did not fit in.
    mutating func takeDue(at now: Instant) -> (batches: [[NodeCoordinate]], discarded: Int) {
        guard let due = deadline, due <= now else { return ([], 0) }
        var batches: [[NodeCoordinate]] = []
        var batch: [NodeCoordinate] = []
        let limit = batchSize * batchesMax
        for (_, update) in updates {
            if batches.count == batchesMax { break }
            batch.append(update)
            if batch.count == batchSize {
                batches.append(batch)
                batch = []
            }
        }
        if !batch.isEmpty { batches.append(batch) }
        let discarded = max(0, updates.count - limit)
        removeAll()
        return (batches, discarded)
    }

    mutating func removeAll() {
        updates.removeAll()
        deadline = nil
    }
}

/// Writes the coordinates that nodes have sent (behaviour §6.9). Owns those of the present period.
final class CoordinateWriting: LeaderDuty {
    private var updates: CoordinateUpdates

    init(_ settings: AgentSettings) { updates = CoordinateUpdates(settings) }

    var deadline: Instant? { updates.deadline }

    func began(_ leader: any LeadingServer, at now: Instant) {}
    func ended() { updates.removeAll() }

    /// What nodes have sent is true whatever the state is.
    func stateReplaced() {}

    /// Returns why the coordinate is refused; else it is written with the next batch.
    func add(_ update: NodeCoordinate, at now: Instant) -> ServerError? {
        guard let coordinate = update.coordinate, coordinate.isValid else { return ServerError("invalid coordinate") }
        guard coordinate.isCompatible(with: .origin) else { return ServerError("incompatible coordinate") }
        updates.add(update, at: now)
        return nil
    }

    func wake(_ leader: any LeadingServer, at now: Instant) {
        let (batches, discarded) = updates.takeDue(at: now)
        if discarded > 0 { leader.log(.warn, "Discarded coordinate updates: number_discarded=\(discarded)") }
        for batch in batches { leader.write(.coordinates(CoordinateBatch(batch)), for: self, at: now) }
    }

    func written(_ request: WriteRequest, since: Instant, problem: String?, _ leader: any LeadingServer, at now: Instant) {
        if let problem { leader.log(.error, "coordinate update: batch update failed: error=\(LogText.value(problem))") }
    }
}
