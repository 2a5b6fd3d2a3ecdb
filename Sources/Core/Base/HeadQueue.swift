/// What waits in the order in which it came. Adding and taking cost O(1) on average, however much waits.
///
/// Places that were taken stay, empty, until they are half of all; then the rest moves up.
public struct HeadQueue<Element> {
    /// A queue that has become empty keeps room for this many.
    static var capacityKept: Int { 1024 }
    /// The rest does not move up for fewer places than this.
    static var takenMin: Int { 64 }

    private var elements: [Element?] = []
    private var head = 0

    public init() {}

    public var count: Int { elements.count - head }
    public var isEmpty: Bool { head == elements.count }
    /// The element that has waited longest.
    public var first: Element? { isEmpty ? nil : elements[head] }

    public mutating func append(_ element: Element) { elements.append(element) }

    @discardableResult
    public mutating func popFirst() -> Element? {
        guard head < elements.count else { return nil }
        let element = elements[head]
        elements[head] = nil
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: head <= Self.capacityKept)
            head = 0
        } else if head >= Self.takenMin, head > elements.count / 2 {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    /// Changes elements where they stand, first to last.
    public mutating func forEach(_ change: (inout Element) -> Void) {
        for at in head..<elements.count {
            guard var element = elements[at] else { continue }
            change(&element)
            elements[at] = element
        }
    }
}
