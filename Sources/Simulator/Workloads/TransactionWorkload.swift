import Core

/// Clients that write and read groups of keys in one transaction each: a group must always be seen as a whole, and behaves like a
/// single register whose history must be linearizable.
final class TransactionWorkload: Workload {
    private enum Move {
        /// Sets all keys.
        case write(Int32)
        /// The same, if the first key is as it was last read.
        case compareAndSet(expected: Int32, Int32)
        /// Reads the first key and sets all in one transaction.
        case swap(Int32)
        case deleteAll
        /// Reads all keys in a transaction, or by their common prefix.
        case read(ReadMode, recursive: Bool)
    }

    private struct Client {
        var caller = Caller()
        var token: UInt64 = 0
        var pending: (group: Int, move: Move, invoked: Instant)?
        var known: [(value: Int32, index: UInt64)]
    }

    private static let keysPerGroup = 3

    let name = WorkloadKind.transaction.name
    private var setup: WorkloadSetup
    private var clients: [Client]
    private var histories: [RegisterHistory]
    private var lastValue: Int32 = 0
    private var isStopped = false
    private var finals: FinalReads?
    private var violations: [Violation] = []
    private var committed = 0
    private var rolledBack = 0
    private var reads = 0

    init(_ setup: WorkloadSetup) {
        self.setup = setup
        let client = Client(known: Array(repeating: (0, 0), count: setup.options.objects))
        clients = Array(repeating: client, count: setup.options.clients)
        histories = (0..<setup.options.objects).map { RegisterHistory(name: "keys t\(setup.index)/g\($0)/") }
    }

    private func prefix(_ group: Int) -> String { "t\(setup.index)/g\(group)/" }
    private func key(_ group: Int, _ number: Int) -> String { prefix(group) + String(number) }

    func start(_ hub: ClientHub) {
        for client in clients.indices { scheduleNext(client, hub) }
    }

    private func address(_ client: Int) -> ClientAddress {
        ClientAddress(workload: setup.index, client: client, token: clients[client].token)
    }

    private func scheduleNext(_ client: Int, _ hub: ClientHub) {
        clients[client].token += 1
        hub.wake(address(client), after: setup.pause())
    }

    func timer(client: Int, token: UInt64, _ hub: ClientHub) {
        if client == clients.count { return finals?.resume(hub) ?? () }
        guard !isStopped, clients[client].token == token, clients[client].pending == nil else { return }
        begin(client, hub)
    }

    private func begin(_ client: Int, _ hub: ClientHub) {
        let group = setup.random.int(in: 0...histories.count - 1)
        let server = clients[client].caller.begin(hub, &setup.random)
        let move: Move
        switch setup.random.int(in: 0...99) {
        case ..<25: move = .write(nextValue())
        case ..<45: move = .compareAndSet(expected: clients[client].known[group].value, nextValue())
        case ..<55: move = .swap(nextValue())
        case ..<60: move = .deleteAll
        default: move = .read(setup.random.pick(ReadMode.allCases), recursive: setup.random.chance(0.3))
        }
        clients[client].pending = (group, move, hub.now)
        let index = clients[client].known[group].index
        switch move {
        case .read(let mode, let recursive):
            let query = mode.parameter.isEmpty ? "" : "?" + mode.parameter
            if recursive {
                let target = "/v1/kv/\(prefix(group))?recurse" + (mode.parameter.isEmpty ? "" : "&" + mode.parameter)
                hub.ask(address(client), server: server, "GET", target)
            } else {
                hub.ask(address(client), server: server, "PUT", "/v1/txn" + query, body: body(of: move, group, index))
            }
        default:
            hub.ask(address(client), server: server, "PUT", "/v1/txn", body: body(of: move, group, index))
        }
    }

    private func nextValue() -> Int32 {
        lastValue += 1
        return lastValue
    }

    private func body(of move: Move, _ group: Int, _ index: UInt64) -> [UInt8] {
        var json = JSONWriter()
        json.beginArray()
        func operation(_ verb: String, _ number: Int, _ value: Int32? = nil, index: UInt64? = nil) {
            json.beginObject()
            json.key("KV")
            json.beginObject()
            json.key("Verb")
            json.string(verb)
            json.key("Key")
            json.string(number < 0 ? prefix(group) : key(group, number))
            if let value {
                json.key("Value")
                json.base64(Array("v\(value)".utf8))
            }
            if let index {
                json.key("Index")
                json.uint(index)
            }
            json.endObject()
            json.endObject()
        }
        let numbers = 0..<Self.keysPerGroup
        switch move {
        case .write(let value):
            for number in numbers { operation("set", number, value) }
        case .compareAndSet(_, let value):
            operation("cas", 0, value, index: index)
            for number in numbers.dropFirst() { operation("set", number, value) }
        case .swap(let value):
            operation("get", 0)
            for number in numbers { operation("set", number, value) }
        case .deleteAll:
            operation("delete-tree", -1)
        case .read:
            for number in numbers { operation("get", number) }
        }
        json.endArray()
        return json.finish()
    }

    // MARK: - Answers

    func answered(_ from: ClientAddress, _ answer: ClientAnswer, _ hub: ClientHub) {
        if from.client == clients.count {
            if let (job, response) = finals?.take(answer, hub), let (value, index) = parse(response, group: job.tag) {
                append(job.tag, .read(value, index: index), .done, job.invoked, from.client, hub)
            }
            return
        }
        guard let pending = clients[from.client].pending else { return }
        clients[from.client].pending = nil
        if let response = clients[from.client].caller.end(answer) {
            record(pending, response, from.client, hub)
        } else if case .failed(let failure) = answer, failure != .refused {
            recordUnknown(pending, from.client, hub)
        }
        if !isStopped { scheduleNext(from.client, hub) }
    }

    private func append(
        _ group: Int, _ action: RegisterHistory.Action, _ outcome: RegisterHistory.Outcome, _ invoked: Instant, _ client: Int,
        _ hub: ClientHub
    ) {
        histories[group].append(.init(action: action, outcome: outcome, invoked: invoked, returned: hub.now, client: client))
    }

    private func recordUnknown(_ pending: (group: Int, move: Move, invoked: Instant), _ client: Int, _ hub: ClientHub) {
        let action: RegisterHistory.Action
        switch pending.move {
        case .write(let value): action = .put(value)
        case .compareAndSet(let expected, let value): action = .compareAndSet(expected: expected, value)
        case .swap(let value): action = .put(value)
        case .deleteAll: action = .delete
        case .read: return
        }
        append(pending.group, action, .unknown, pending.invoked, client, hub)
    }

    private func record(
        _ pending: (group: Int, move: Move, invoked: Instant), _ response: HTTPClientResponse, _ client: Int, _ hub: ClientHub
    ) {
        let (group, move, invoked) = pending
        guard response.status == 200 || response.status == 409 || (response.status == 404 && response.body.isEmpty) else {
            return recordUnknown(pending, client, hub)
        }
        let succeeded = response.status == 200
        switch move {
        case .write(let value): append(group, .put(value), .done, invoked, client, hub)
        case .deleteAll: append(group, .delete, .done, invoked, client, hub)
        case .compareAndSet(let expected, let value):
            append(group, .compareAndSet(expected: expected, value), succeeded ? .done : .refused, invoked, client, hub)
        case .swap(let value):
            guard succeeded else {
                // Its read found nothing, which rolls it back.
                append(group, .read(0, index: 0), .done, invoked, client, hub)
                break
            }
            guard let old = entries(response).first?.number else { return malformed(response, group) }
            append(group, .compareAndSet(expected: old, value), .done, invoked, client, hub)
        case .read(let mode, _):
            guard let (value, index) = parse(response, group: group) else { return }
            reads += 1
            clients[client].known[group] = (value, index)
            if mode == .stale {
                histories[group].appendStaleRead(value, index: index, returned: hub.now, client: client)
            } else {
                let tolerance = mode == .leader ? setup.run.defaultReadTolerance : .zero
                append(group, .read(value, index: index), .done, invoked - tolerance, client, hub)
            }
            return
        }
        if succeeded { committed += 1 } else { rolledBack += 1 }
        switch move {
        case .write where !succeeded, .deleteAll where !succeeded:
            violations.append(Violation(rule: "plain writes succeed", text: String(decoding: response.body, as: UTF8.self)))
        default: break
        }
    }

    private func entries(_ response: HTTPClientResponse) -> [KeyEntry] {
        guard let json = response.json else { return [] }
        if let list = json.list { return list.compactMap { KeyEntry($0) } }
        return json["Results"]?.list?.compactMap { $0["KV"].flatMap { KeyEntry($0) } } ?? []
    }

    /// The value and index that all keys of a group have in common; a group seen in part breaks atomicity.
    private func parse(_ response: HTTPClientResponse, group: Int) -> (value: Int32, index: UInt64)? {
        if response.status == 404 { return (0, 0) }
        if response.status == 409 {
            let errors = response.json?["Errors"]?.list?.count ?? 0
            if errors != Self.keysPerGroup { malformed(response, group) }
            return errors == Self.keysPerGroup ? (0, 0) : nil
        }
        let entries = entries(response)
        guard entries.count == Self.keysPerGroup, let first = entries.first, let value = first.number,
            entries.allSatisfy({ $0.number == value && $0.modifyIndex == first.modifyIndex })
        else {
            malformed(response, group)
            return nil
        }
        return (value, first.modifyIndex)
    }

    private func malformed(_ response: HTTPClientResponse, _ group: Int) {
        violations.append(
            Violation(rule: "transactions are atomic", text: "\(histories[group].name): \(String(decoding: response.body, as: UTF8.self))"))
    }

    // MARK: - The end

    func stop() { isStopped = true }
    var isIdle: Bool { clients.allSatisfy { $0.pending == nil } }

    func readFinalState(_ hub: ClientHub) {
        let address = ClientAddress(workload: setup.index, client: clients.count, token: 0)
        finals = FinalReads(of: histories.indices.map { "/v1/kv/\(prefix($0))?recurse&consistent" }, from: hub.usable, address: address)
        finals?.resume(hub)
    }

    var hasFinalState: Bool { finals?.isDone ?? false }

    func verdict() -> WorkloadVerdict {
        var verdict = WorkloadVerdict(name: name, violations: violations)
        for history in histories {
            switch history.check() {
            case .linearizable: break
            case .violated(let text): verdict.violations.append(Violation(rule: "linearizability", text: text))
            case .undecided(let text): verdict.undecided.append(text)
            }
        }
        verdict.counts = [("committed", committed), ("rolled-back", rolledBack), ("reads", reads)]
        return verdict
    }
}
