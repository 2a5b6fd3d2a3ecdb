/// The latest user events that concern this agent, and who waits for the next one. Spec: http-2 §8.2-8.4.
///
/// Blocking works by the content: a request waits while the index of what it would list equals the one it brought.
public struct EventLog {
    /// Older ones are forgotten.
    public static let countMax = 256
    /// The longest wait, and the one of a request that names none.
    public static let waitMax = Duration.seconds(600)

    /// Who waits, and for what.
    private struct Waiter {
        var id: RequestID
        var authorizer: Authorizer
        var name: String
        var index: UInt64
        var pretty: Bool
        var deadline: Instant
    }

    /// A ring: the oldest one is at `start` once it is full.
    private var ring: [EventMessage] = []
    private var start = 0
    private var waiters: [Waiter] = []

    public init() {}

    /// Those that the caller sees, oldest first; an empty name lists all.
    public func events(named name: String = "", _ authorizer: Authorizer) -> [EventMessage] {
        var found: [EventMessage] = []
        found.reserveCapacity(name.isEmpty ? ring.count : 0)
        for offset in ring.indices {
            let event = ring[(start + offset) % ring.count]
            guard name.isEmpty || event.name.utf8.elementsEqual(name.utf8) else { continue }
            if authorizer.allows(.eventRead(event.name)) { found.append(event) }
        }
        return found
    }

    /// Of the last event of that name; 1 if there is none. O(events).
    public func index(named name: String = "", _ authorizer: Authorizer) -> UInt64 {
        events(named: name, authorizer).last.map { EventLog.index(of: $0.id) } ?? 1
    }

    /// The halves of the ID, combined. An ID that is no UUID counts as far as its digits go.
    public static func index(of id: String) -> UInt64 {
        var halves: (UInt64, UInt64) = (0, 0)
        var digits = 0
        for byte in id.utf8 {
            guard let digit = hexValue(byte), digits < 32 else { continue }
            if digits < 16 { halves.0 = halves.0 << 4 | UInt64(digit) } else { halves.1 = halves.1 << 4 | UInt64(digit) }
            digits += 1
        }
        return halves.0 ^ halves.1
    }

    /// An answer that is due now.
    public struct Answer: Sendable {
        public var id: RequestID
        public var events: [EventMessage]
        public var index: UInt64
        public var pretty: Bool
    }

    /// Remembers an event and returns the answers to those who waited for it.
    public mutating func add(_ event: EventMessage) -> [Answer] {
        if ring.count < EventLog.countMax {
            ring.append(event)
        } else {
            ring[start] = event
            start = (start + 1) % ring.count
        }
        return takeAnswers(waiters.map { $0.index != index(named: $0.name, $0.authorizer) })
    }

    /// A request for the list: its answer, or nil if it waits. `index` 0: does not wait; `wait` zero or less: the longest.
    public mutating func list(
        _ id: RequestID, _ authorizer: Authorizer, name: String, index: UInt64, wait: Duration, pretty: Bool, at now: Instant
    ) -> Answer? {
        let events = events(named: name, authorizer)
        let current = events.last.map { EventLog.index(of: $0.id) } ?? 1
        if index == 0 || index != current { return Answer(id: id, events: events, index: current, pretty: pretty) }
        let limit = wait > .zero ? min(wait, EventLog.waitMax) : EventLog.waitMax
        waiters.append(Waiter(id: id, authorizer: authorizer, name: name, index: index, pretty: pretty, deadline: now + limit))
        return nil
    }

    /// When the next one has waited long enough.
    public var deadline: Instant? { waiters.lazy.map(\.deadline).min() }

    /// The answers to those who have waited long enough.
    public mutating func expire(at now: Instant) -> [Answer] { takeAnswers(waiters.map { $0.deadline <= now }) }

    /// The client went away; false if it did not wait here.
    @discardableResult
    public mutating func cancel(_ id: RequestID) -> Bool {
        guard let at = waiters.firstIndex(where: { $0.id == id }) else { return false }
        waiters.remove(at: at)
        return true
    }

    private mutating func takeAnswers(_ isDue: [Bool]) -> [Answer] {
        if !isDue.contains(true) { return [] }
        let due = zip(waiters, isDue).filter(\.1).map(\.0)
        waiters = zip(waiters, isDue).filter { !$0.1 }.map(\.0)
        return due.map { waiter in
            let events = events(named: waiter.name, waiter.authorizer)
            return Answer(id: waiter.id, events: events, index: index(named: waiter.name, waiter.authorizer), pretty: waiter.pretty)
        }
    }
}
