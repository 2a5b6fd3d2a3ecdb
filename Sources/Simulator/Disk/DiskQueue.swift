import Core

/// How long the steps of a disk take.
struct DiskProfile: Equatable {
    var write: ClosedRange<Duration> = .microseconds(10)...(.microseconds(60))
    var sync: ClosedRange<Duration> = .microseconds(300)...(.milliseconds(3))
    var read: ClosedRange<Duration> = .microseconds(50)...(.microseconds(500))
    /// How often a batch takes `spike` times as long.
    var spikeChance = 0.0
    var spikeFactor = 50
}

/// The batches that wait for one server's disk: one after the other, in the order in which they were asked for. Deferrable ones begin
/// when no other waits.
struct DiskQueue {
    private var current: DiskBatch?
    /// A batch is done, and the next one is not chosen: what the completion leads to may go before others.
    private var isBetween = false
    private var waiting = HeadQueue<DiskBatch>()
    private var deferrable = HeadQueue<DiskBatch>()
    /// However slow a disk is, a batch is done after this long.
    private static let batchLimit: Duration = .seconds(5)

    /// 1 normally; more while the disk is slow.
    var slowness = 1

    var isIdle: Bool { current == nil && !isBetween }

    /// Appends a batch; returns how long it takes if it begins at once.
    mutating func append(_ batch: DiskBatch, _ profile: DiskProfile, _ random: inout Random) -> Duration? {
        guard isIdle else {
            if batch.isDeferrable { deferrable.append(batch) } else { waiting.append(batch) }
            return nil
        }
        current = batch
        return time(of: batch, profile, &random)
    }

    /// Performs the batch in progress, now that its time is over. `next` is to be called once its completion is delivered.
    mutating func finish(on disk: VirtualDisk) -> DiskCompletion {
        guard let batch = current else { preconditionFailure("a batch is in progress") }
        current = nil
        isBetween = true
        var reads: [[UInt8]] = []
        do {
            for operation in batch.operations {
                if let bytes = try disk.apply(operation) { reads.append(bytes) }
            }
            return DiskCompletion(of: batch, .success(reads))
        } catch {
            return DiskCompletion(of: batch, .failure(error))
        }
    }

    /// Begins the next batch; how long it takes, nil if there is none.
    mutating func next(_ profile: DiskProfile, _ random: inout Random) -> Duration? {
        isBetween = false
        if current == nil { current = waiting.popFirst() ?? deferrable.popFirst() }
        return current.map { time(of: $0, profile, &random) }
    }

    /// Whether somebody waits for a sync.
    var isSyncing: Bool {
        current?.operations.contains {
            if case .sync = $0 { true } else { false }
        } ?? false
    }

    /// The process is gone: of the batch in progress some operations were performed, unless it `hasNotBegun`; the others never began.
    mutating func abandon(on disk: VirtualDisk, hasNotBegun: Bool = false, _ random: inout Random) {
        if let operations = current?.operations, !hasNotBegun, !disk.hasCrashed {
            disk.plannedCrash = nil
            for operation in operations.prefix(random.int(in: 0...operations.count)) {
                guard (try? disk.apply(operation)) != nil else { break }
            }
        }
        disk.plannedCrash = nil
        current = nil
        isBetween = false
        waiting = HeadQueue()
        deferrable = HeadQueue()
    }

    private func time(of batch: DiskBatch, _ profile: DiskProfile, _ random: inout Random) -> Duration {
        var total = Duration.zero
        for operation in batch.operations {
            switch operation {
            case .write, .truncate, .rename, .remove: total += random.duration(in: profile.write)
            case .sync, .syncDirectory: total += random.duration(in: profile.sync)
            case .read: total += random.duration(in: profile.read)
            }
        }
        if random.chance(profile.spikeChance) { total = total * profile.spikeFactor }
        return min(total * slowness, Self.batchLimit)
    }
}
