import Core

/// What is going to happen, earliest first: a binary heap ordered by time and, at one instant, by the order of scheduling.
///
/// The order is total, so a run is a function of what was scheduled. Scheduling and taking are O(log n); the heap itself holds
/// three words per entry, the payloads lie aside and are moved twice, in and out.
struct Agenda<Payload> {
    private struct Entry {
        var time: Int64
        var order: UInt64
        var slot: Int32

        @inline(__always) func precedes(_ other: Entry) -> Bool {
            time != other.time ? time < other.time : order < other.order
        }
    }

    private var heap: [Entry] = []
    private var payloads: [Payload?] = []
    private var freeSlots: [Int32] = []
    private var scheduled: UInt64 = 0

    var count: Int { heap.count }
    var isEmpty: Bool { heap.isEmpty }
    /// The time of the next entry.
    var next: Instant? { heap.first.map { Instant(nanoseconds: $0.time) } }

    mutating func schedule(_ payload: Payload, at time: Instant) {
        let slot: Int32
        if let free = freeSlots.popLast() {
            slot = free
            payloads[Int(slot)] = payload
        } else {
            slot = Int32(payloads.count)
            payloads.append(payload)
        }
        scheduled += 1
        heap.append(Entry(time: time.nanoseconds, order: scheduled, slot: slot))
        siftUp(heap.count - 1)
    }

    mutating func takeNext() -> (time: Instant, payload: Payload)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty { siftDown(last) }
        let payload = payloads[Int(first.slot)].take()!
        freeSlots.append(first.slot)
        return (Instant(nanoseconds: first.time), payload)
    }

    private mutating func siftUp(_ start: Int) {
        heap.withUnsafeMutableBufferPointer { heap in
            var at = start
            let entry = heap[at]
            while at > 0 {
                let parent = (at - 1) / 2
                guard entry.precedes(heap[parent]) else { break }
                heap[at] = heap[parent]
                at = parent
            }
            heap[at] = entry
        }
    }

    /// Puts `entry` in the place of the first one and lets it sink.
    private mutating func siftDown(_ entry: Entry) {
        heap.withUnsafeMutableBufferPointer { heap in
            var at = 0
            while true {
                var child = 2 * at + 1
                guard child < heap.count else { break }
                if child + 1 < heap.count && heap[child + 1].precedes(heap[child]) { child += 1 }
                guard heap[child].precedes(entry) else { break }
                heap[at] = heap[child]
                at = child
            }
            heap[at] = entry
        }
    }
}
