/// What waits for the disk: messages for the batches of the log's storage, other batches for their answers.
struct DiskWork {
    /// What becomes possible once a batch of the log's storage is durable.
    enum Action {
        case reply(CallID, [UInt8])
        case candidacy(term: UInt64)
        case bootstrap(token: UInt64)
    }

    /// What a disk batch outside the log's storage was for.
    enum Purpose {
        case apply(LogLocation)
        case replicate(Leadership, Peer, epoch: UInt64, LogLocation)
        case install(Leadership, Peer, Install)
        case sink(SnapshotID)
        /// Failing does no harm.
        case housekeeping
    }

    /// When a write for which there was no space is tried again.
    var retryAt: Instant?
    private var nextToken: UInt64 = 0
    private var purposes = LookupTable<UInt64, Purpose>()
    /// In the order in which they came up; `sequence` is the number of the storage's batch.
    private var waiters: [(sequence: UInt64, action: Action)] = []

    /// How many actions wait.
    var waitingCount: Int { waiters.count }

    mutating func makeToken() -> UInt64 {
        nextToken += 1
        return nextToken
    }

    mutating func wait(for sequence: UInt64, _ action: Action) { waiters.append((sequence, action)) }

    /// The actions that waited for batches up to this one, which is durable, in their order.
    mutating func takeDurable(through sequence: UInt64) -> [Action] {
        var durable: [Action] = []
        waiters.removeAll { waiter in
            guard waiter.sequence <= sequence else { return false }
            durable.append(waiter.action)
            return true
        }
        return durable
    }

    mutating func batch(_ operations: [DiskOperation], for purpose: Purpose) -> DiskBatch {
        let token = makeToken()
        purposes[token] = purpose
        return DiskBatch(of: .raft, token: token, operations: operations)
    }

    /// What the batch of that token was for; nil if it is none of these.
    mutating func takePurpose(of token: UInt64) -> Purpose? { purposes.removeValue(forKey: token) }
}
