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

/// The batches that wait for one server's disk: one after the other, in the order in which they were asked for.
struct DiskQueue {
    private var waiting: [DiskBatch] = []
    private var head = 0
    /// However slow a disk is, a batch is done after this long.
    private static let batchLimit: Duration = .seconds(5)

    /// 1 normally; more while the disk is slow.
    var slowness = 1

    var isIdle: Bool { head == waiting.count }

    /// Appends a batch; returns how long it takes if it begins at once.
    mutating func append(_ batch: DiskBatch, _ profile: DiskProfile, _ random: inout Random) -> Duration? {
        let begins = isIdle
        waiting.append(batch)
        return begins ? time(of: batch, profile, &random) : nil
    }

    /// Performs the batch in progress, now that its time is over.
    mutating func finish(on disk: VirtualDisk) -> DiskCompletion {
        let batch = waiting[head]
        head += 1
        if head == waiting.count {
            waiting.removeAll(keepingCapacity: true)
            head = 0
        }
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

    /// How long the next batch takes, nil if there is none.
    func next(_ profile: DiskProfile, _ random: inout Random) -> Duration? {
        isIdle ? nil : time(of: waiting[head], profile, &random)
    }

    /// The process is gone: of the batch in progress some operations were performed; the others never began.
    mutating func abandon(on disk: VirtualDisk, _ random: inout Random) {
        if !isIdle {
            let operations = waiting[head].operations
            for operation in operations.prefix(random.int(in: 0...operations.count)) {
                guard (try? disk.apply(operation)) != nil else { break }
            }
        }
        waiting.removeAll()
        head = 0
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
