import Core

/// A register with compare-and-set as a sequential object.
///
/// Indexes that reads have shown fix the order of the writes they belong to: a write that was observed with an index takes effect
/// exactly after those observed with smaller ones.
struct RegisterModel: SequentialModel {
    struct State: Hashable {
        var value: Int32
        /// How many of the writes with a known index have taken effect.
        var observed: Int32
    }

    struct Conflict: Error {
        var text: String
    }

    /// Stands for the values of writes that were neither acknowledged nor ever seen.
    private static let unseen: Int32 = -1

    private(set) var operations: [RegisterHistory.Operation]
    /// The position of each value among those with a known index, from 1.
    private let ranks: LookupTable<Int32, Int32>
    private let kinds: [Int]

    let initial = State(value: 0, observed: 0)
    var count: Int { operations.count }

    static func make(_ history: [RegisterHistory.Operation]) -> Result<RegisterModel, Conflict> {
        var indexes = LookupTable<Int32, UInt64>()
        var seen: [(value: Int32, index: UInt64)] = []
        var written = LookupSet<Int32>()
        // Values that some answer depends on.
        var named = LookupSet<Int32>()
        for operation in history {
            switch operation.action {
            case .put(let value): written.insert(value)
            case .compareAndSet(let old, let value):
                written.insert(value)
                named.insert(old)
            case .compareAndDelete(let old): named.insert(old)
            case .delete: break
            case .read(let value, let index):
                named.insert(value)
                guard value != 0, index != 0 else { continue }
                if let known = indexes[value] {
                    if known != index {
                        return .failure(Conflict(text: "value \(value) was read with the indexes \(known) and \(index)"))
                    }
                } else {
                    indexes[value] = index
                    seen.append((value, index))
                }
            }
        }
        seen.sort { ($0.index, $0.value) < ($1.index, $1.value) }
        var ranks = LookupTable<Int32, Int32>()
        for (at, entry) in seen.enumerated() {
            if at > 0 && seen[at - 1].index == entry.index {
                return .failure(
                    Conflict(text: "values \(seen[at - 1].value) and \(entry.value) were read with the same index \(entry.index)"))
            }
            guard written.contains(entry.value) else {
                return .failure(Conflict(text: "value \(entry.value) was read and never written"))
            }
            ranks[entry.value] = Int32(at + 1)
        }
        return .success(RegisterModel(history, ranks, named: named))
    }

    private init(_ history: [RegisterHistory.Operation], _ ranks: LookupTable<Int32, Int32>, named: LookupSet<Int32>) {
        self.ranks = ranks
        var begun = LookupTable<Int32, Instant>()
        for operation in history {
            if case .put(let value) = operation.action { begun[value] = operation.invoked }
            if case .compareAndSet(_, let value) = operation.action { begun[value] = operation.invoked }
        }
        var operations: [RegisterHistory.Operation] = []
        var kinds: [Int] = []
        for var operation in history {
            var kind = 0
            if operation.outcome == .unknown {
                operation.returned = .distantFuture
                switch operation.action {
                case .read: continue
                case .put(let value) where !named.contains(value):
                    operation.action = .put(Self.unseen)
                    kind = 1
                case .delete: kind = 2
                default: break
                }
            }
            // A read of a value cannot take effect before the write began, however much tolerance it was given.
            if case .read(let value, _) = operation.action, let start = begun[value] {
                operation.invoked = max(operation.invoked, min(start, operation.returned))
            }
            operations.append(operation)
            kinds.append(kind)
        }
        self.operations = operations
        self.kinds = kinds
    }

    func interval(of operation: Int) -> (invoked: Instant, returned: Instant) {
        (operations[operation].invoked, operations[operation].returned)
    }

    func kind(of operation: Int) -> Int { kinds[operation] }

    func isPure(_ operation: Int) -> Bool {
        if case .read = operations[operation].action { return true }
        return operations[operation].outcome == .refused
    }

    func apply(_ operation: Int, to state: State) -> State? {
        let refused = operations[operation].outcome == .refused
        switch operations[operation].action {
        case .put(let value):
            return write(value, state)
        case .compareAndSet(let expected, let value):
            if refused { return state.value != expected ? state : nil }
            return state.value == expected ? write(value, state) : nil
        case .delete:
            return State(value: 0, observed: state.observed)
        case .compareAndDelete(let expected):
            if refused { return state.value != expected && state.value != 0 ? state : nil }
            return state.value == expected || state.value == 0 ? State(value: 0, observed: state.observed) : nil
        case .read(let value, _):
            return state.value == value ? state : nil
        }
    }

    private func write(_ value: Int32, _ state: State) -> State? {
        guard let rank = ranks[value] else { return State(value: value, observed: state.observed) }
        return rank == state.observed + 1 ? State(value: value, observed: rank) : nil
    }
}
