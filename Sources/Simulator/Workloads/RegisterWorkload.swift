import Core

/// Clients that read, write, delete and compare-and-set single keys, in every consistency mode; per key the history must be
/// linearizable (see `RegisterHistory` for what that means for stale and default reads).
final class RegisterWorkload: Workload {
    private struct Client {
        var caller = Caller()
        var token: UInt64 = 0
        var pending: Pending?
        /// What this client last read of each key: value and ModifyIndex.
        var known: [(value: Int32, index: UInt64)]
    }

    private struct Pending {
        var key: Int
        var action: RegisterHistory.Action
        var mode: ReadMode?
        var invoked: Instant
    }

    let name = WorkloadKind.register.name
    private var setup: WorkloadSetup
    private var clients: [Client]
    private var histories: [RegisterHistory]
    private var lastValue: Int32 = 0
    private var isStopped = false
    private var finals: FinalReads?
    private var answeredReads = [0, 0, 0]
    private var answeredWrites = 0
    private var violations: [Violation] = []

    init(_ setup: WorkloadSetup) {
        self.setup = setup
        let client = Client(known: Array(repeating: (0, 0), count: setup.options.objects))
        clients = Array(repeating: client, count: setup.options.clients)
        histories = (0..<setup.options.objects).map { RegisterHistory(name: "key r\(setup.index)/k\($0)") }
    }

    private func path(_ key: Int) -> String { "/v1/kv/r\(setup.index)/k\(key)" }

    func start(_ hub: ClientHub) {
        for client in clients.indices { scheduleNext(client, hub) }
    }

    private func scheduleNext(_ client: Int, _ hub: ClientHub) {
        clients[client].token += 1
        hub.wake(ClientAddress(workload: setup.index, client: client, token: clients[client].token), after: setup.pause())
    }

    func timer(client: Int, token: UInt64, _ hub: ClientHub) {
        if client == clients.count { return finals?.resume(hub) ?? () }
        guard !isStopped, clients[client].token == token, !clients[client].caller.isBusy else { return }
        begin(client, hub)
    }

    private func begin(_ client: Int, _ hub: ClientHub) {
        let key = setup.random.int(in: 0...histories.count - 1)
        let server = clients[client].caller.begin(hub, &setup.random)
        let known = clients[client].known[key]
        var mode: ReadMode?
        let action: RegisterHistory.Action
        let method: String
        var query = ""
        switch setup.random.int(in: 0...99) {
        case ..<28:
            action = .put(nextValue())
            method = "PUT"
        case ..<50:
            action = .compareAndSet(expected: known.value, nextValue())
            method = "PUT"
            query = "?cas=\(known.index)"
        case ..<53:
            action = .delete
            method = "DELETE"
        case ..<56 where known.value != 0:
            action = .compareAndDelete(expected: known.value)
            method = "DELETE"
            query = "?cas=\(known.index)"
        default:
            let chosen = setup.random.pick(ReadMode.allCases)
            action = .read(0, index: 0)
            method = "GET"
            mode = chosen
            if !chosen.parameter.isEmpty { query = "?" + chosen.parameter }
        }
        clients[client].pending = Pending(key: key, action: action, mode: mode, invoked: hub.now)
        hub.ask(address(client), server: server, method, path(key) + query, body: body(of: action))
    }

    private func address(_ client: Int) -> ClientAddress {
        ClientAddress(workload: setup.index, client: client, token: clients[client].token)
    }

    private func nextValue() -> Int32 {
        lastValue += 1
        return lastValue
    }

    private func body(of action: RegisterHistory.Action) -> [UInt8] {
        switch action {
        case .put(let value), .compareAndSet(_, let value): Array("v\(value)".utf8)
        default: []
        }
    }

    // MARK: - Answers

    func answered(_ from: ClientAddress, _ answer: ClientAnswer, _ hub: ClientHub) {
        if from.client == clients.count {
            if let (job, response) = finals?.take(answer, hub) { finalRead(job, response, hub) }
            return
        }
        guard let pending = clients[from.client].pending else { return }
        clients[from.client].pending = nil
        if let response = clients[from.client].caller.end(answer) {
            if let mode = pending.mode {
                record(read: pending, mode, response, client: from.client, hub)
            } else {
                record(write: pending, response.boolean, client: from.client, hub)
            }
        } else if case .failed(let failure) = answer, pending.mode == nil, failure != .refused {
            append(pending, pending.action, .unknown, from.client, hub)
        }
        if !isStopped { scheduleNext(from.client, hub) }
    }

    private func append(
        _ pending: Pending, _ action: RegisterHistory.Action, _ outcome: RegisterHistory.Outcome, _ client: Int, _ hub: ClientHub
    ) {
        histories[pending.key].append(
            .init(action: action, outcome: outcome, invoked: pending.invoked, returned: hub.now, client: client))
    }

    private func record(write pending: Pending, _ result: Bool?, client: Int, _ hub: ClientHub) {
        if result != nil { answeredWrites += 1 }
        append(pending, pending.action, result.map { $0 ? .done : .refused } ?? .unknown, client, hub)
        if result == false, pending.action.isUnconditional {
            violations.append(
                Violation(rule: "plain writes succeed", text: "\(histories[pending.key].name): \(pending.action) answered false"))
        }
    }

    private func record(read pending: Pending, _ mode: ReadMode, _ response: HTTPClientResponse, client: Int, _ hub: ClientHub) {
        guard let (value, index) = parse(response, key: pending.key) else { return }
        answeredReads[Int(mode.rawValue)] += 1
        if client < clients.count { clients[client].known[pending.key] = (value, index) }
        if mode == .stale {
            histories[pending.key].appendStaleRead(value, index: index, returned: hub.now, client: client)
        } else {
            var pending = pending
            if mode == .leader { pending.invoked = pending.invoked - setup.run.defaultReadTolerance }
            append(pending, .read(value, index: index), .done, client, hub)
        }
    }

    /// Value and ModifyIndex, zeros for an absent key; nil for an answer that tells nothing.
    private func parse(_ response: HTTPClientResponse, key: Int) -> (value: Int32, index: UInt64)? {
        if response.status == 404 && response.body.isEmpty { return (0, 0) }
        guard response.status == 200 else { return nil }
        guard let entries = response.json?.list, entries.count == 1, let entry = KeyEntry(entries[0]),
            entry.key == "r\(setup.index)/k\(key)", let value = entry.number, response.consulIndex == entry.modifyIndex,
            entry.createIndex <= entry.modifyIndex
        else {
            violations.append(
                Violation(rule: "answers make sense", text: "\(histories[key].name): \(String(decoding: response.body, as: UTF8.self))"))
            return nil
        }
        return (value, entry.modifyIndex)
    }

    // MARK: - The end

    func stop() { isStopped = true }
    var isIdle: Bool { clients.allSatisfy { !$0.caller.isBusy } }

    func readFinalState(_ hub: ClientHub) {
        let address = ClientAddress(workload: setup.index, client: clients.count, token: 0)
        finals = FinalReads(of: histories.indices.map { path($0) + "?consistent" }, from: hub.usable, address: address)
        finals?.resume(hub)
    }

    private func finalRead(_ job: FinalReads.Done, _ response: HTTPClientResponse, _ hub: ClientHub) {
        let pending = Pending(key: job.tag, action: .read(0, index: 0), mode: .consistent, invoked: job.invoked)
        record(read: pending, .consistent, response, client: clients.count, hub)
    }

    var hasFinalState: Bool { finals?.isDone ?? false }

    func verdict() -> WorkloadVerdict {
        var verdict = WorkloadVerdict(name: name, violations: violations)
        var operations = 0
        for history in histories {
            operations += history.operations.count
            switch history.check() {
            case .linearizable: break
            case .violated(let text): verdict.violations.append(Violation(rule: "linearizability", text: text))
            case .undecided(let text): verdict.undecided.append(text)
            }
        }
        verdict.counts = [
            ("operations", operations), ("writes", answeredWrites), ("consistent-reads", answeredReads[0]),
            ("default-reads", answeredReads[1]), ("stale-reads", answeredReads[2]),
        ]
        return verdict
    }
}

extension RegisterHistory.Action {
    var isUnconditional: Bool {
        switch self {
        case .put, .delete: true
        default: false
        }
    }
}
