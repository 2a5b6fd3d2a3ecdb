import Core

/// The batches that wait for the disk, and the rule that one thread at a time performs them, in order.
///
/// Whoever performs them blocks in `fdatasync`; see `Crew` for who that is. All that came in while a sync went on is taken at
/// once by the next one. Deferrable batches are performed one at a time, each when no other waits, or when others went before it for
/// long enough: a registration is answered while the log is written without a pause.
final class DiskQueue: @unchecked Sendable {
    // Unchecked: the first five are touched with `lock` held, the rest by the performer only, of which `isPerforming` makes sure there
    // is one.
    private let lock = Lock()
    private var waiting: [DiskBatch] = []
    private var deferrable: [DiskBatch] = []
    private var isPerforming = false
    /// How many times in a row others went before the first deferrable batch.
    private var passedOver = 0
    static let passedOverMax = 8

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
                if !deferrable.isEmpty {
                    if batches.isEmpty || passedOver == Self.passedOverMax {
                        // The agent has few of them waiting at a time.
                        batches.append(deferrable.removeFirst())
                        passedOver = 0
                    } else {
                        passedOver += 1
                    }
                }
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
