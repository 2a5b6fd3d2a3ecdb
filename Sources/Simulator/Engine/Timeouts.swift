import Core

/// Timeouts of things that are mostly done before: calls and requests.
///
/// All timeouts of one length are due in the order in which they began, so they stand in a line, and only the head of each line
/// is on the agenda. What is done is passed over when the line gets there.
struct Timeouts {
    enum Subject: UInt8 { case call, request, question }

    struct Due {
        var subject: Subject
        var handle: Handle
    }

    private struct Lane {
        var subject: Subject
        var length: Duration
        var waiting = HeadQueue<(handle: Handle, due: Instant)>()
        var isArmed = false
    }

    private var lanes: [Lane] = []

    /// Lets something wait; returns the lane that must be looked at then, if nobody is going to look yet.
    mutating func add(_ subject: Subject, _ handle: Handle, length: Duration, now: Instant) -> (lane: Int, at: Instant)? {
        let due = now + length
        let lane = lane(subject, length, now)
        lanes[lane].waiting.append((handle, due))
        guard !lanes[lane].isArmed else { return nil }
        lanes[lane].isArmed = true
        return (lane, due)
    }

    private mutating func lane(_ subject: Subject, _ length: Duration, _ now: Instant) -> Int {
        var empty: Int?
        for at in lanes.indices {
            if lanes[at].subject == subject && lanes[at].length == length { return at }
            // A line that nobody stands in serves another length.
            if empty == nil && lanes[at].waiting.isEmpty && !lanes[at].isArmed { empty = at }
        }
        if let empty {
            lanes[empty].subject = subject
            lanes[empty].length = length
            return empty
        }
        lanes.append(Lane(subject: subject, length: length))
        return lanes.count - 1
    }

    /// Takes what is due in the lane and still waits. `next` is when to look again.
    mutating func takeDue(lane: Int, now: Instant, isOpen: (Subject, Handle) -> Bool) -> (due: [Due], next: Instant?) {
        var due: [Due] = []
        let subject = lanes[lane].subject
        while let entry = lanes[lane].waiting.first {
            if isOpen(subject, entry.handle) {
                guard entry.due <= now else { break }
                due.append(Due(subject: subject, handle: entry.handle))
            }
            lanes[lane].waiting.popFirst()
        }
        let next = lanes[lane].waiting.first?.due
        lanes[lane].isArmed = next != nil
        return (due, next)
    }
}
