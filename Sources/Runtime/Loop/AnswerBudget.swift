import Core

/// What answers hold until HTTP clients have taken them, over all connections of the process, and whose connection to close when that is
/// too much. Answers that a socket takes whole never come here.
final class AnswerBudget: @unchecked Sendable {
    // Unchecked: what changes is guarded by the lock.

    /// Bytes that one connection is answered with.
    struct Held: Equatable {
        /// Made for the client and not taken by its socket yet; what compressing takes is among them.
        var unsent = 0
        /// Kept in memory until all is sent (`SlicedAnswer.retained`).
        var retained = 0
    }

    /// A connection: its loop, and its key there.
    struct Holder: Hashable {
        let loop: Int
        let key: EventLoop.Key
    }

    private let lock = Lock()
    private var holders: [Holder: (held: Held, since: Instant)] = [:]
    /// Chosen to be closed, which their loops have not done yet: they count no more, whatever they hold.
    private var condemned: Set<Holder> = []
    private var sum = Held()
    private let unsentMax: Int
    private let retainedMax: Int

    init(unsentMax: Int, retainedMax: Int) {
        self.unsentMax = unsentMax
        self.retainedMax = retainedMax
    }

    /// What the connection holds now, and since when its client has taken nothing. True when all together hold too much.
    func set(_ holder: Holder, _ held: Held, since: Instant) -> Bool {
        lock.holding {
            if !condemned.isEmpty, condemned.contains(holder) {
                if held == Held() { condemned.remove(holder) }
                return false
            }
            let before = (held == Held() ? holders.removeValue(forKey: holder) : holders.updateValue((held, since), forKey: holder))?.held
            sum.unsent += held.unsent - (before?.unsent ?? 0)
            sum.retained += held.retained - (before?.retained ?? 0)
            return sum.unsent > unsentMax || sum.retained > retainedMax
        }
    }

    /// While too much is held: the connection whose client has taken nothing for the longest, which counts no more. One that retains more
    /// than the budget and is alone with that goes on.
    func nextVictim() -> (loop: Int, key: EventLoop.Key)? {
        lock.holding {
            let isUnsent = sum.unsent > unsentMax
            guard isUnsent || sum.retained > retainedMax else { return nil }
            let candidates = holders.filter { (isUnsent ? $0.value.held.unsent : $0.value.held.retained) > 0 }
            guard let victim = candidates.min(by: { $0.value.since < $1.value.since }), isUnsent || candidates.count > 1 else { return nil }
            holders[victim.key] = nil
            condemned.insert(victim.key)
            sum.unsent -= victim.value.held.unsent
            sum.retained -= victim.value.held.retained
            return (victim.key.loop, victim.key.key)
        }
    }

    var total: Held { lock.holding { sum } }
}
