import Core

/// What one operation on an object means, one after the other.
protocol SequentialModel {
    associatedtype State: Hashable
    var initial: State { get }
    /// Number of operations; they are named by their positions.
    var count: Int { get }
    /// When the operation was begun, and when it was answered: `distantFuture` if it never was, so that it may have taken place at
    /// any time since, or never.
    func interval(of operation: Int) -> (invoked: Instant, returned: Instant)
    /// The state after the operation, nil if its answer is impossible in `state`.
    func apply(_ operation: Int, to state: State) -> State?
    /// The operation leaves every state in which it is possible as it is.
    func isPure(_ operation: Int) -> Bool
    /// Unanswered operations of one kind (not 0) have the same effect: which of them is taken first makes no difference.
    func kind(of operation: Int) -> Int
}

/// Decides whether a history is linearizable: whether all answered operations, and any of the unanswered ones, can be put into one
/// order that a single copy of the object could have followed and that respects real time.
///
/// The search of Wing and Gong with Lowe's refinements: operations are only linearized when one that has returned demands it
/// ("just in time"), and configurations that were seen before are not tried again. Pure operations are taken as soon as they are
/// possible, which never hurts. A configuration is exact (state and set of open operations that have taken effect), so the
/// verdict is too, unless the limit is hit, which is reported as such and never as success.
struct LinearizabilitySearch<Model: SequentialModel> {
    enum Verdict: Equatable {
        case linearizable
        /// No order exists; the operation is the first that no order tried could place.
        case violated(operation: Int)
        case undecided(String)
    }

    /// Configurations that are remembered at most.
    static var configurationLimit: Int { 400_000 }

    private struct Configuration: Hashable {
        var turn: Int32
        var state: Model.State
        var taken: Bits256
    }

    private struct Frame {
        var turn: Int
        var state: Model.State
        var taken: Bits256
        var cursor: Int
    }

    /// One return, in the order of time, with what was open then.
    private struct Turn {
        var operation: Int
        /// Open operations, this one first, then answered ones, then those that never returned.
        var open: [Int32]
    }

    private let model: Model
    private let limit: Int
    private var turns: [Turn] = []
    private var slots: [UInt8] = []
    private var slotsExhausted = false
    private var seen = LookupSet<Configuration>()

    init(_ model: Model, limit: Int = Self.configurationLimit) {
        self.model = model
        self.limit = limit
        layOut()
    }

    /// Orders the returns and gives every operation one of 256 places in the set of open ones.
    private mutating func layOut() {
        var events: [(time: Instant, isReturn: Bool, operation: Int)] = []
        for operation in 0..<model.count {
            let (invoked, returned) = model.interval(of: operation)
            events.append((invoked, false, operation))
            if returned != .distantFuture { events.append((returned, true, operation)) }
        }
        // At one instant, beginnings come first: what touches overlaps.
        events.sort { a, b in
            if a.time != b.time { return a.time < b.time }
            return a.isReturn == b.isReturn ? a.operation < b.operation : b.isReturn
        }
        slots = Array(repeating: 0, count: model.count)
        var free = Array((0...255).reversed().map(UInt8.init))
        var answered: [Int32] = []
        var unanswered: [Int32] = []
        for event in events {
            if event.isReturn {
                answered.removeAll { $0 == Int32(event.operation) }
                turns.append(Turn(operation: event.operation, open: [Int32(event.operation)] + answered + unanswered))
                free.append(slots[event.operation])
            } else {
                guard let slot = free.popLast() else {
                    slotsExhausted = true
                    return
                }
                slots[event.operation] = slot
                if model.interval(of: event.operation).returned == .distantFuture {
                    unanswered.append(Int32(event.operation))
                } else {
                    answered.append(Int32(event.operation))
                }
            }
        }
    }

    mutating func run() -> Verdict {
        if slotsExhausted { return .undecided("more than 256 operations open at once") }
        var deepest = 0
        var stack: [Frame] = []
        if let first = settle(turn: 0, state: model.initial, taken: Bits256()) { stack.append(first) } else { return .linearizable }
        while let frame = stack.last {
            deepest = max(deepest, frame.turn)
            guard let next = nextBranch(of: frame, cursor: &stack[stack.count - 1].cursor) else {
                stack.removeLast()
                continue
            }
            guard let settled = settle(turn: frame.turn, state: next.state, taken: next.taken) else { return .linearizable }
            guard seen.insert(Configuration(turn: Int32(settled.turn), state: settled.state, taken: settled.taken)) else { continue }
            if seen.count > limit { return .undecided("more than \(limit) configurations") }
            stack.append(settled)
        }
        return .violated(operation: turns[deepest].operation)
    }

    /// The next open operation that may take effect now.
    private func nextBranch(of frame: Frame, cursor: inout Int) -> (state: Model.State, taken: Bits256)? {
        let open = turns[frame.turn].open
        while cursor < open.count {
            let operation = Int(open[cursor])
            let isRepeat = repeats(open, upTo: cursor, frame.taken)
            cursor += 1
            guard !isRepeat, !frame.taken.contains(slots[operation]), let state = model.apply(operation, to: frame.state) else { continue }
            var taken = frame.taken
            taken.insert(slots[operation])
            return (state, taken)
        }
        return nil
    }

    /// Whether an earlier open operation of the same kind is still to be had.
    private func repeats(_ open: [Int32], upTo cursor: Int, _ taken: Bits256) -> Bool {
        let kind = model.kind(of: Int(open[cursor]))
        guard kind != 0 else { return false }
        for earlier in open[..<cursor] where model.kind(of: Int(earlier)) == kind && !taken.contains(slots[Int(earlier)]) { return true }
        return false
    }

    /// Takes pure operations and passes returns of operations that have taken effect; nil when nothing is left.
    private func settle(turn start: Int, state: Model.State, taken: Bits256) -> Frame? {
        var turn = start
        var taken = taken
        while turn < turns.count {
            for operation in turns[turn].open where !taken.contains(slots[Int(operation)]) && model.isPure(Int(operation)) {
                if model.apply(Int(operation), to: state) != nil { taken.insert(slots[Int(operation)]) }
            }
            let slot = slots[turns[turn].operation]
            guard taken.contains(slot) else { return Frame(turn: turn, state: state, taken: taken, cursor: 0) }
            taken.remove(slot)
            turn += 1
        }
        return nil
    }
}

/// A set of numbers below 256.
struct Bits256: Hashable {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    func contains(_ bit: UInt8) -> Bool {
        let mask = UInt64(1) << UInt64(bit & 63)
        switch bit >> 6 {
        case 0: return words.0 & mask != 0
        case 1: return words.1 & mask != 0
        case 2: return words.2 & mask != 0
        default: return words.3 & mask != 0
        }
    }

    mutating func insert(_ bit: UInt8) {
        let mask = UInt64(1) << UInt64(bit & 63)
        switch bit >> 6 {
        case 0: words.0 |= mask
        case 1: words.1 |= mask
        case 2: words.2 |= mask
        default: words.3 |= mask
        }
    }

    mutating func remove(_ bit: UInt8) {
        let mask = ~(UInt64(1) << UInt64(bit & 63))
        switch bit >> 6 {
        case 0: words.0 &= mask
        case 1: words.1 &= mask
        case 2: words.2 &= mask
        default: words.3 &= mask
        }
    }

    static func == (a: Bits256, b: Bits256) -> Bool { a.words == b.words }

    func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }
}
