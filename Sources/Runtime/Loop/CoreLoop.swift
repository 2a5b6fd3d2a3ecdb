import Core

/// What performs the effects of a machine.
protocol EffectSink: AnyObject, Sendable {
    /// Called with the core held, in the order of the effects; must not block. Leaves `effects` empty.
    func perform(_ effects: inout [AgentEffect])
    /// Called after `perform`, with the core free again: the place for system calls on behalf of the effects.
    func deliver()
    /// Asks for a call of `deadlineHasCome` at `instant`; a later call replaces an earlier one.
    func arm(_ instant: Instant)
}

/// The serial queue that a machine runs on: a mailbox, and the rule that whoever puts something in runs the machine if nobody else does.
///
/// There is no thread of its own. A request that arrives on an I/O thread is handled on that thread, the completion of a disk sync on
/// the thread that synced: handing an event to a sleeping thread costs 5 to 50 µs on a virtual machine, more than most events cost to
/// handle. While one thread runs the machine the others only add to the mailbox, and the runner takes all of it at once: the busier,
/// the larger the batches, and the more writes share a sync.
final class CoreLoop<Machine: AgentMachine>: EventQueue, @unchecked Sendable {
    // Unchecked: `mailbox`, `isRunning` and `isDue` are touched with `lock` held, everything below them by the runner only, of which
    // `isRunning` makes sure there is one; the lock orders one runner's doings before the next one's.
    private let lock = Lock()
    private var mailbox: [AgentEvent] = []
    private var isRunning = false
    private var isDue = false

    private let machine: Machine
    private let sink: any EffectSink
    private var batch: [AgentEvent] = []
    private var effects: [AgentEffect] = []
    private var armed: Instant?
    /// The machine's, after the last turn.
    private var deadline: Instant?
    private var latest = Instant.zero

    /// A thread with other duties goes back to them after this many batches.
    static var roundsMax: Int { 4 }

    init(machine: Machine, sink: any EffectSink) {
        self.machine = machine
        self.sink = sink
    }

    /// Adds events and leaves them to a later `run`, which must follow.
    func post(_ events: inout [AgentEvent]) {
        if events.isEmpty { return }
        lock.holding {
            if mailbox.isEmpty {
                swap(&mailbox, &events)
            } else {
                mailbox.append(contentsOf: events)
            }
        }
        events.removeAll(keepingCapacity: true)
    }

    func post(_ event: AgentEvent) {
        lock.holding { mailbox.append(event) }
    }

    /// The time that was armed has come. A `run` must follow.
    func deadlineHasCome() {
        lock.holding { isDue = true }
    }

    /// Runs the machine until the mailbox is empty, unless another thread does already.
    ///
    /// Returns true when it stopped early, because of `roundsMax`: the caller must call again after seeing to its other duties (whoever
    /// posts an event meanwhile takes over).
    func run() -> Bool {
        for _ in 0..<Self.roundsMax {
            guard enter() else { return false }
            turn()
            sink.deliver()
        }
        return lock.holding { !isRunning && (!mailbox.isEmpty || isDue) }
    }

    /// Becomes the runner if there is something to do and nobody else is.
    private func enter() -> Bool {
        lock.holding {
            if isRunning || (mailbox.isEmpty && !isDue) { return false }
            isRunning = true
            if isDue { armed = nil }
            isDue = false
            swap(&mailbox, &batch)
            return true
        }
    }

    private func leave() {
        lock.holding { isRunning = false }
    }

    private func turn() {
        latest = max(latest, SystemClock.now())
        let now = latest
        for event in batch { machine.handle(event, at: now, into: &effects) }
        batch.removeAll(keepingCapacity: batch.count <= 1024)
        // What is due was mostly due before these events, and the machine is asked once a turn.
        if let deadline, deadline <= now { machine.handle(.wake, at: now, into: &effects) }
        machine.flush(at: now, into: &effects)
        deadline = machine.deadline
        if let due = deadline, due <= now {
            machine.handle(.wake, at: now, into: &effects)
            machine.flush(at: now, into: &effects)
            deadline = machine.deadline
        }
        if let deadline, deadline < armed ?? .distantFuture {
            armed = deadline
            sink.arm(deadline)
        }
        if !effects.isEmpty { sink.perform(&effects) }
        leave()
    }
}
