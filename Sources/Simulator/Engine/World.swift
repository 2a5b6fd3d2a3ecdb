import Core

/// What all parts of a run share: the clock, the agenda, the digest, and where broken rules are reported.
final class World {
    let seed: UInt64
    private(set) var now = Instant.zero
    private(set) var digest = EventDigest()
    private(set) var events = 0
    private(set) var violation: Violation?
    private var agenda = Agenda<Happening>()
    private var timeouts = Timeouts()
    /// Prints what happens, if anybody wants to read it.
    let tracer: Tracer?

    init(seed: UInt64, tracer: Tracer?) {
        self.seed = seed
        self.tracer = tracer
        digest.mix(seed)
    }

    func schedule(_ happening: Happening, after delay: Duration) { agenda.schedule(happening, at: now + delay) }

    func schedule(_ happening: Happening, at time: Instant) { agenda.schedule(happening, at: max(now, time)) }

    /// The next entry of the agenda, to whose time the clock moves.
    func next(until end: Instant) -> Happening? {
        guard let time = agenda.next, time <= end, let entry = agenda.takeNext() else { return nil }
        now = entry.time
        return entry.payload
    }

    /// Counts an event and mixes it into the digest. `kind` and `place` are small numbers.
    @inline(__always) func count(kind: UInt8, place: Int) {
        events += 1
        digest.mix(UInt64(bitPattern: now.nanoseconds))
        digest.mix(UInt64(kind) << 32 | UInt64(UInt32(truncatingIfNeeded: place)))
    }

    @inline(__always) func mix(_ bytes: [UInt8]) { digest.mix(bytes) }
    @inline(__always) func mix(_ word: UInt64) { digest.mix(word) }

    /// Reports a broken rule; the first one ends the run.
    func report(_ violation: Violation) {
        guard self.violation == nil else { return }
        self.violation = violation
        trace { "VIOLATION \(violation.rule): \(violation.text)" }
    }

    @inline(__always) func trace(_ text: () -> String) {
        if let tracer { tracer.line(now, text()) }
    }

    // MARK: - Timeouts

    func limit(_ subject: Timeouts.Subject, _ handle: Handle, to length: Duration) {
        if let armed = timeouts.add(subject, handle, length: length, now: now) { schedule(.timeouts(lane: armed.lane), at: armed.at) }
    }

    func dueTimeouts(lane: Int, isOpen: (Timeouts.Subject, Handle) -> Bool) -> [Timeouts.Due] {
        let (due, next) = timeouts.takeDue(lane: lane, now: now, isOpen: isOpen)
        if let next { schedule(.timeouts(lane: lane), at: next) }
        return due
    }
}

/// Writes what happens, one line each, with the time of the simulation in front.
final class Tracer {
    private let write: (String) -> Void

    init(_ write: @escaping (String) -> Void) { self.write = write }

    func line(_ time: Instant, _ text: String) { write(padded(timestamp(time), to: 12) + "  " + text) }
}
