import Core

/// The batches that wait for the disk, and the rule that one thread at a time performs them, in order.
///
/// Whoever performs them blocks in `fdatasync`; see `Crew` for who that is. All that came in while a sync went on is taken at
/// once by the next one. Deferrable batches are performed one at a time, each when no other waits.
final class DiskQueue: @unchecked Sendable {
    // Unchecked: the first four are touched with `lock` held, the rest by the performer only, of which `isPerforming` makes sure there
    // is one.
    private let lock = Lock()
    private var waiting: [DiskBatch] = []
    private var deferrable: [DiskBatch] = []
    private var isPerforming = false

    private let disk: any BatchDisk
    private var batches: [DiskBatch] = []
    private var next = 0
    private var completions: [DiskCompletion] = []

    init(_ disk: any BatchDisk) { self.disk = disk }

    func submit(_ batch: DiskBatch) {
        lock.holding { if batch.isDeferrable { deferrable.append(batch) } else { waiting.append(batch) } }
    }

    /// Makes the caller the performer, if there is something to perform and nobody does. It must then call `performNext` until that
    /// returns false.
    func begin() -> Bool {
        lock.holding {
            if isPerforming || waiting.isEmpty && deferrable.isEmpty { return false }
            isPerforming = true
            return true
        }
    }

    /// Whether something waits and nobody performs it.
    var isIdleWithWork: Bool { lock.holding { !isPerforming && !(waiting.isEmpty && deferrable.isEmpty) } }

    /// Performs up to and including the next sync and adds the outcomes to `events`; false when there was nothing left to perform,
    /// with which the caller stops being the performer.
    func performNext(into events: inout [AgentEvent]) -> Bool {
        if next == batches.count {
            batches.removeAll(keepingCapacity: batches.count <= 1024)
            next = 0
            let isMore = lock.holding {
                swap(&waiting, &batches)
                // The agent has few of them waiting at a time.
                if batches.isEmpty, !deferrable.isEmpty { batches.append(deferrable.removeFirst()) }
                isPerforming = !batches.isEmpty
                return isPerforming
            }
            if !isMore { return false }
        }
        next = disk.performRun(batches, from: next, into: &completions)
        for completion in completions { events.append(.disk(completion)) }
        completions.removeAll(keepingCapacity: true)
        return true
    }
}
