import Core

/// The history of a real cluster, recorded by a test, for the judgement that simulated histories get.
///
/// One line for each operation, fields separated by spaces:
/// `KEY CLIENT ACTION VALUE EXPECTED INDEX OUTCOME INVOKED RETURNED`, where ACTION is `put`, `cas`, `delete` or `read`, OUTCOME is `done`,
/// `refused` or `unknown`, times are nanoseconds of one monotonic clock, RETURNED is 0 without an answer, and VALUE 0 is no entry.
enum HistoryFile {
    static func parse(_ bytes: [UInt8]) throws(UsageError) -> [RegisterHistory] {
        var histories: [RegisterHistory] = []
        var positions = LookupTable<String, Int>()
        for (number, line) in bytes.split(separator: UInt8(ascii: "\n")).enumerated() {
            let fields = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
            guard let operation = operation(fields) else { throw UsageError(text: "line \(number + 1) is no operation") }
            let key = fields[0]
            let position = positions[key] ?? histories.count
            if position == histories.count {
                positions[key] = position
                histories.append(RegisterHistory(name: key))
            }
            histories[position].append(operation)
        }
        return histories
    }

    private static func operation(_ fields: [String]) -> RegisterHistory.Operation? {
        guard fields.count == 9, let client = Int(fields[1]), let value = Int32(fields[3]), let expected = Int32(fields[4]),
            let index = UInt64(fields[5]), let invoked = Int64(fields[7]), let returned = Int64(fields[8])
        else { return nil }
        let action: RegisterHistory.Action
        switch fields[2] {
        case "put": action = .put(value)
        case "cas": action = .compareAndSet(expected: expected, value)
        case "delete": action = .delete
        case "read": action = .read(value, index: index)
        default: return nil
        }
        let outcome: RegisterHistory.Outcome
        switch fields[6] {
        case "done": outcome = .done
        case "refused": outcome = .refused
        case "unknown": outcome = .unknown
        default: return nil
        }
        return RegisterHistory.Operation(
            action: action, outcome: outcome, invoked: Instant(nanoseconds: invoked),
            returned: outcome == .unknown ? .distantFuture : Instant(nanoseconds: returned), client: client)
    }

    /// Prints a verdict; the exit status.
    static func judge(_ histories: [RegisterHistory]) -> Int32 {
        var status: Int32 = 0
        var operations = 0
        for history in histories {
            operations += history.operations.count
            switch history.check() {
            case .linearizable: continue
            case .violated(let text): writeLine("not linearizable: \(text)")
            case .undecided(let text): writeLine("undecided: \(text)")
            }
            status = 1
        }
        writeLine("\(histories.count) keys, \(operations) operations, \(status == 0 ? "all linearizable" : "NOT all linearizable")")
        return status
    }
}
