import Core

/// What clients did to a few keys, one by one and all at once by archives, and what they were told.
///
/// Values are unique per write; zero stands for "no entry". A restored archive brings old values back.
struct SnapshotHistory {
    enum Action: Hashable {
        case put(key: Int, Int32)
        case delete(key: Int)
        case read(key: Int, Int32)
        /// An archive was made that holds these values.
        case save([Int32])
        /// An archive with these values took the place of everything.
        case restore([Int32])
    }

    struct Operation {
        var action: Action
        /// False: no answer, or one that tells nothing.
        var isDone: Bool
        /// Of reads that may show something older: moved back by how much.
        var invoked: Instant
        var returned: Instant
        var client: Int
    }

    let keys: Int
    private(set) var operations: [Operation] = []
    private var staleSaves = LookupSet<[Int32]>()

    init(keys: Int) { self.keys = keys }

    mutating func append(_ operation: Operation) { operations.append(operation) }

    /// An archive from a server that may be behind: of a state that was committed by the time it was returned. Of all with the same
    /// values only the one that was returned first says anything.
    mutating func appendStaleSave(_ values: [Int32], returned: Instant, client: Int) {
        if staleSaves.insert(values) {
            append(Operation(action: .save(values), isDone: true, invoked: .zero, returned: returned, client: client))
        }
    }

    func check(limit: Int = LinearizabilitySearch<SnapshotModel>.configurationLimit) -> RegisterHistory.Verdict {
        let model = SnapshotModel(self)
        var search = LinearizabilitySearch(model, limit: limit)
        switch search.run() {
        case .linearizable: return .linearizable
        case .undecided(let why): return .undecided("archives: \(why)")
        case .violated(let operation):
            let found = model.operations[operation]
            let times = "\(timestamp(found.invoked)) to \(timestamp(found.returned))"
            return .violated(
                "archives: no order of \(model.count) operations explains \(found.action) by client \(found.client), \(times)")
        }
    }
}

/// A few keys and archives of all of them as a sequential object.
struct SnapshotModel: SequentialModel {
    let operations: [SnapshotHistory.Operation]
    private let kinds: [Int]
    let initial: [Int32]
    var count: Int { operations.count }

    init(_ history: SnapshotHistory) {
        initial = Array(repeating: 0, count: history.keys)
        var seen = LookupSet<Int32>()
        for operation in history.operations where operation.isDone {
            switch operation.action {
            case .read(_, let value): seen.insert(value)
            case .save(let values): for value in values { seen.insert(value) }
            case .put, .delete, .restore: break
            }
        }
        // Whether a write took place that nobody was told of and whose value nobody has seen makes no difference: nothing depends on
        // what was there before.
        operations = history.operations.compactMap { operation in
            if operation.isDone { return operation }
            var unanswered = operation
            unanswered.returned = .distantFuture
            switch operation.action {
            case .put(_, let value): return seen.contains(value) ? unanswered : nil
            case .delete, .restore: return unanswered
            case .read, .save: return nil
            }
        }
        var restored: [[Int32]] = []
        kinds = operations.map { operation in
            if operation.isDone { return 0 }
            switch operation.action {
            case .delete(let key): return key + 1
            case .restore(let values):
                if !restored.contains(values) { restored.append(values) }
                return history.keys + 1 + restored.firstIndex(of: values)!
            case .put, .read, .save: return 0
            }
        }
    }

    func interval(of operation: Int) -> (invoked: Instant, returned: Instant) {
        (operations[operation].invoked, operations[operation].returned)
    }

    func kind(of operation: Int) -> Int { kinds[operation] }

    func isPure(_ operation: Int) -> Bool {
        switch operations[operation].action {
        case .read, .save: true
        case .put, .delete, .restore: false
        }
    }

    func apply(_ operation: Int, to state: [Int32]) -> [Int32]? {
        var state = state
        switch operations[operation].action {
        case .put(let key, let value): state[key] = value
        case .delete(let key): state[key] = 0
        case .read(let key, let value): if state[key] != value { return nil }
        case .save(let values): if state != values { return nil }
        case .restore(let values): return values
        }
        return state
    }
}
