/// Instants by id, the earliest first; every id at most once. Insertion, change and removal are O(log n).
///
/// Equal instants come out in the order of their ids, so the order never depends on history.
public struct DeadlineQueue<ID: Hashable & Comparable> {
    private var heap: [(instant: Instant, id: ID)] = []
    private var positions = LookupTable<ID, Int>()

    public init() {}

    public var count: Int { heap.count }
    public var isEmpty: Bool { heap.isEmpty }
    public var first: Instant? { heap.first?.instant }
    public var firstID: ID? { heap.first?.id }

    public subscript(id: ID) -> Instant? {
        get { positions[id].map { heap[$0].instant } }
        set {
            switch (positions[id], newValue) {
            case (let at?, let instant?):
                heap[at].instant = instant
                settle(at)
            case (let at?, nil):
                removeElement(at)
            case (nil, let instant?):
                heap.append((instant, id))
                positions[id] = heap.count - 1
                siftUp(heap.count - 1)
            case (nil, nil):
                break
            }
        }
    }

    /// Removes and returns the earliest id whose instant is not after `now`.
    public mutating func popExpired(at now: Instant) -> ID? {
        guard let first = heap.first, first.instant <= now else { return nil }
        removeElement(0)
        return first.id
    }

    public mutating func removeAll() {
        heap.removeAll()
        positions.removeAll()
    }

    private func precedes(_ a: Int, _ b: Int) -> Bool {
        heap[a].instant != heap[b].instant ? heap[a].instant < heap[b].instant : heap[a].id < heap[b].id
    }

    private mutating func removeElement(_ at: Int) {
        positions.removeValue(forKey: heap[at].id)
        let last = heap.count - 1
        if at != last {
            heap[at] = heap[last]
            positions[heap[at].id] = at
        }
        heap.removeLast()
        // A queue that was large once gives its memory back.
        if heap.isEmpty { heap = [] }
        if at < heap.count { settle(at) }
    }

    private mutating func settle(_ at: Int) {
        siftUp(at)
        siftDown(positions[heap[at].id]!)
    }

    private mutating func exchange(_ a: Int, _ b: Int) {
        heap.swapAt(a, b)
        positions[heap[a].id] = a
        positions[heap[b].id] = b
    }

    private mutating func siftUp(_ start: Int) {
        var at = start
        while at > 0 {
            let parent = (at - 1) / 2
            guard precedes(at, parent) else { break }
            exchange(at, parent)
            at = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var at = start
        while true {
            var least = at
            for child in [2 * at + 1, 2 * at + 2] where child < heap.count && precedes(child, least) { least = child }
            guard least != at else { break }
            exchange(at, least)
            at = least
        }
    }
}

extension DeadlineQueue: Sendable where ID: Sendable {}
