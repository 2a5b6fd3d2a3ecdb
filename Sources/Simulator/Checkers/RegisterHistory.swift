import Core

/// What clients did to one key, or to several keys that are always written together, and what they were told.
///
/// Values are unique per write, so a value names the write that made it. Zero stands for "no entry".
struct RegisterHistory {
    enum Action: Hashable {
        case put(Int32)
        /// Written only if the present value is `expected`.
        case compareAndSet(expected: Int32, Int32)
        case delete
        /// Deletes `expected`; succeeds also if there is nothing.
        case compareAndDelete(expected: Int32)
        /// `index` is the ModifyIndex that came with the value, 0 for none.
        case read(Int32, index: UInt64)
    }

    enum Outcome: Hashable {
        case done
        /// Answered `false`.
        case refused
        /// No answer, or one that tells nothing.
        case unknown
    }

    struct Operation {
        var action: Action
        var outcome: Outcome
        /// Reads with a tolerance were moved back by it.
        var invoked: Instant
        var returned: Instant
        var client: Int
    }

    let name: String
    private(set) var operations: [Operation] = []
    /// For each value, the first time that a stale read returned it.
    private var firstStale = LookupTable<Int32, (at: Int, returned: Instant)>()
    private(set) var staleReads = 0

    init(name: String) { self.name = name }

    mutating func append(_ operation: Operation) { operations.append(operation) }

    /// A stale read may be as old as it likes, but must show something that was committed by the time it returned.
    ///
    /// It is a read that may take effect at any time before its return. Of all stale reads of one value only the one that
    /// returned first says anything.
    mutating func appendStaleRead(_ value: Int32, index: UInt64, returned: Instant, client: Int) {
        staleReads += 1
        guard value != 0 else { return }
        let read = Operation(action: .read(value, index: index), outcome: .done, invoked: .zero, returned: returned, client: client)
        if let first = firstStale[value] {
            // Kept beside, so that a different index of the same value is noticed.
            if case .read(_, let known) = operations[first.at].action, known != index {
                operations.append(read)
            } else if returned < first.returned {
                operations[first.at].returned = returned
                firstStale[value]!.returned = returned
            }
        } else {
            firstStale[value] = (operations.count, returned)
            operations.append(read)
        }
    }

    enum Verdict: Equatable {
        case linearizable
        case violated(String)
        case undecided(String)
    }

    func check(limit: Int = LinearizabilitySearch<RegisterModel>.configurationLimit) -> Verdict {
        let model: RegisterModel
        switch RegisterModel.make(operations) {
        case .success(let made): model = made
        case .failure(let conflict): return .violated("\(name): \(conflict.text)")
        }
        var search = LinearizabilitySearch(model, limit: limit)
        switch search.run() {
        case .linearizable: return .linearizable
        case .undecided(let why): return .undecided("\(name): \(why)")
        case .violated(let operation):
            return .violated("\(name): no order of \(model.count) operations explains \(describe(model.operations[operation]))")
        }
    }

    func describe(_ operation: Operation) -> String {
        let action =
            switch operation.action {
            case .put(let value): "put \(value)"
            case .compareAndSet(let expected, let value): "cas \(expected) -> \(value)"
            case .delete: "delete"
            case .compareAndDelete(let expected): "delete-cas \(expected)"
            case .read(let value, let index): "read \(value) (index \(index))"
            }
        let end = operation.returned == .distantFuture ? "never" : timestamp(operation.returned)
        return "\(action) by client \(operation.client), \(timestamp(operation.invoked)) to \(end), \(operation.outcome)"
    }
}

/// `12.345678`: seconds of simulated time.
func timestamp(_ time: Instant) -> String { decimal(Double(time.nanoseconds) / 1e9, digits: 6) }
