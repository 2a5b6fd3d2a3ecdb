import Core

/// Clients that do everything that can be done with keys, sessions, transactions and the catalog, each in a part of its own, of which it has an
/// exact model by the specification (`ReferenceModel`, `NodeModel`); and watchers that follow those parts.
///
/// Checked: every answer is the one that the model gives, every consistent read shows exactly the model's state, with indexes that move when
/// something changes and only then. What the watchers see is judged by `BlockedReads`. After an answer that tells nothing a client goes on in
/// a new part, since nobody knows what became of the old one.
final class ModelWorkload: Workload {
    fileprivate enum Expected {
        /// The answer is `true`, or `false`.
        case outcome(Bool)
        /// Either: it is not known when a lock-delay ends. The model follows the answer.
        case either(ReferenceModel.Operation)
        /// A transaction is carried out, or these of its operations fail.
        case failures([Int])
        /// The request is refused with an error.
        case refusal
        /// A session is made in this slot.
        case creation(Int, deletes: Bool, ReferenceModel.Dependence)
        case keys
        case key(String)
        case names
        case session(Int)
        case node(NodeModel.Question)
    }

    private struct Writer {
        var model = ReferenceModel()
        var node = NodeModel()
        var generation = 0
        var expected: Expected?
        var caller = Caller()
        var token: UInt64 = 0
        /// Keys that may not be locked until then for certain. When they may be again depends on when a server has applied the session's end.
        var delayed: [(key: String, certainUntil: Instant)] = []
        /// Sessions of this part have this lock-delay.
        var lockDelay: Duration = .zero
        var isDone = false
    }

    private struct Watcher {
        var target = ""
        var server = 0
        var index: UInt64 = 0
        var rounds = 0
        var token: UInt64 = 0
        var isBusy = false
    }

    let name = WorkloadKind.model.name
    private var setup: WorkloadSetup
    private var writers: [Writer]
    private var watchers: [Watcher]
    private var isStopped = false
    private var isFinal = false
    private var done = 0
    private var compared = 0
    private var parts = 0

    init(_ setup: WorkloadSetup) {
        self.setup = setup
        writers = Array(repeating: Writer(), count: max(1, setup.options.clients / 2))
        watchers = Array(repeating: Watcher(), count: max(2, setup.options.clients))
        for writer in writers.indices { startPart(writer) }
    }

    private func prefix(_ writer: Int) -> String { "m\(setup.index)/\(writer)-\(writers[writer].generation)/" }
    private func address(writer: Int) -> ClientAddress { .init(workload: setup.index, client: writer, token: writers[writer].token) }
    private func address(watcher: Int) -> ClientAddress {
        .init(workload: setup.index, client: writers.count + watcher, token: watchers[watcher].token)
    }

    private func startPart(_ number: Int) {
        parts += 1
        writers[number].generation += 1
        writers[number].model = ReferenceModel()
        writers[number].node = NodeModel(
            name: "mn\(setup.index)c\(number)g\(writers[number].generation)", id: setup.random.uuid(), number: number)
        writers[number].expected = nil
        writers[number].delayed = []
        writers[number].lockDelay = setup.run.judgesLockDelays && setup.random.chance(0.5) ? .seconds(setup.random.int(in: 1...6)) : .zero
    }

    func start(_ hub: ClientHub) {
        for writer in writers.indices { rest(writer, hub) }
        for watcher in watchers.indices { restWatcher(watcher, hub) }
    }

    private func rest(_ writer: Int, _ hub: ClientHub) {
        writers[writer].token += 1
        hub.wake(address(writer: writer), after: setup.pause())
    }

    private func restWatcher(_ watcher: Int, _ hub: ClientHub) {
        watchers[watcher].token += 1
        hub.wake(address(watcher: watcher), after: setup.random.duration(below: .milliseconds(100)))
    }

    func timer(client: Int, token: UInt64, _ hub: ClientHub) {
        if client < writers.count {
            guard writers[client].token == token, !writers[client].caller.isBusy, !writers[client].isDone else { return }
            if isFinal { look(client, .keys, hub) } else if !isStopped { act(client, hub) }
        } else {
            let watcher = client - writers.count
            if watchers[watcher].token == token, !watchers[watcher].isBusy, !isStopped { watch(watcher, hub) }
        }
    }

    // MARK: - Doing

    private func ask(_ number: Int, _ method: String, _ target: String, body: [UInt8] = [], _ expected: Expected, _ hub: ClientHub) {
        writers[number].expected = expected
        let server = writers[number].caller.begin(hub, &setup.random)
        hub.ask(address(writer: number), server: server, method, target, body: body)
    }

    private func act(_ number: Int, _ hub: ClientHub) {
        if !writers[number].node.isThere, setup.random.chance(0.5) { return catalog(number, hub) }
        if let delay = writers[number].delayed.last, hub.now < delay.certainUntil, setup.random.chance(0.8) {
            return pursue(delay.key, number, hub)
        }
        switch setup.random.int(in: 0...99) {
        case ..<30: keyOperation(number, hub)
        case ..<38: transaction(number, hub)
        case ..<46: sessionOperation(number, hub)
        case ..<56: catalog(number, hub)
        default: read(number, hub)
        }
    }

    /// Tries to lock a key during its lock-delay.
    private func pursue(_ key: String, _ number: Int, _ hub: ClientHub) {
        guard let slot = writers[number].model.sessions.firstIndex(where: { $0 != nil }) else { return sessionOperation(number, hub) }
        let operation = ReferenceModel.Operation.lock(key: key, value: someValue(), session: slot)
        guard setup.random.chance(0.4) else { return lock(key, operation, number, hub) }
        let body = TransactionBody([operation], prefix: prefix(number), sessions: writers[number].model.sessions).json
        ask(number, "PUT", "/v1/txn?consistent", body: body, .either(operation), hub)
    }

    private func lock(_ key: String, _ operation: ReferenceModel.Operation, _ number: Int, _ hub: ClientHub) {
        guard case .lock(_, let value, let session) = operation, let id = writers[number].model.sessions[session]?.id else {
            return sessionOperation(number, hub)
        }
        let target = "/v1/kv/\(prefix(number))\(key)?acquire=\(id)"
        if writers[number].delayed.contains(where: { $0.key == key }) {
            return ask(number, "PUT", target, body: value, .either(operation), hub)
        }
        send(number, "PUT", target, value, operation, hub)
    }

    /// Few keys, so that all that can happen to one happens.
    private func someKey() -> String { setup.random.pick(["a", "b", "d/a", "d/b", "d/e/f", "dx"]) }
    private func someValue() -> [UInt8] { Array("v\(setup.random.int(in: 0...9))".utf8) }

    private func operation(_ model: ReferenceModel) -> ReferenceModel.Operation {
        let key = someKey()
        let known: UInt64 = model.modified(key) ?? 0
        let created: UInt64 = model.keys[key]?.created ?? 0
        let index: UInt64 = setup.random.pick([known, known, known, 0, known + 1, created])
        let session = setup.random.int(in: 0...1)
        switch setup.random.int(in: 0...11) {
        case 0...2: return .set(key: key, value: someValue(), flags: setup.random.pick([0, 7, 1 << 40, .max]))
        case 3...4: return .cas(key: key, value: someValue(), index: index)
        case 5: return .delete(key: key)
        case 6: return .deleteCAS(key: key, index: max(1, index))
        case 7: return .deleteTree(prefix: setup.random.pick(["d/", "d", "d/e/", ""]))
        case 8...9: return .lock(key: key, value: someValue(), session: session)
        default: return .unlock(key: key, value: someValue(), session: session)
        }
    }

    private func keyOperation(_ number: Int, _ hub: ClientHub, locks: Bool = false) {
        var operation = operation(writers[number].model)
        if locks { operation = .lock(key: someKey(), value: someValue(), session: setup.random.int(in: 0...1)) }
        guard writers[number].model.isKnown(operation) else { return read(number, hub) }
        let base = "/v1/kv/" + prefix(number)
        func id(_ slot: Int) -> String? { writers[number].model.sessions[slot]?.id }
        switch operation {
        case .set(let key, let value, let flags): send(number, "PUT", "\(base)\(key)?flags=\(flags)", value, operation, hub)
        case .cas(let key, let value, let index): send(number, "PUT", "\(base)\(key)?cas=\(index)", value, operation, hub)
        case .delete(let key): send(number, "DELETE", base + key, [], operation, hub)
        case .deleteCAS(let key, let index): send(number, "DELETE", "\(base)\(key)?cas=\(index)", [], operation, hub)
        case .deleteTree(let prefix): send(number, "DELETE", "\(base)\(prefix)?recurse", [], operation, hub)
        case .lock(let key, _, _): lock(key, operation, number, hub)
        case .unlock(let key, let value, let session):
            guard let id = id(session) else { return sessionOperation(number, hub) }
            send(number, "PUT", "\(base)\(key)?release=\(id)", value, operation, hub)
        default: break
        }
    }

    private func send(
        _ number: Int, _ method: String, _ target: String, _ body: [UInt8], _ operation: ReferenceModel.Operation, _ hub: ClientHub
    ) {
        let outcome = writers[number].model.apply(operation)
        ask(number, method, target, body: body, .outcome(outcome), hub)
    }

    private func transaction(_ number: Int, _ hub: ClientHub) {
        var operations: [ReferenceModel.Operation] = []
        var trial = writers[number].model
        for _ in 0..<setup.random.int(in: 1...5) {
            var next = operation(trial)
            let key = someKey()
            if setup.random.chance(0.4) {
                next = setup.random.pick([
                    .get(key: key), .checkIndex(key: key, index: max(1, (trial.modified(key) ?? 1) + UInt64(setup.random.int(in: 0...1)))),
                    .checkSession(key: key, session: setup.random.int(in: 0...1)), .checkNotExists(key: key),
                ])
            }
            switch next {
            case .lock(let key, _, let session):
                if trial.sessions[session] == nil || writers[number].delayed.contains(where: { $0.key == key }) { continue }
            case .unlock(_, _, let session), .checkSession(_, let session): if trial.sessions[session] == nil { continue }
            default: break
            }
            guard trial.isKnown(next) else { continue }
            operations.append(next)
            _ = trial.apply(next)
        }
        guard !operations.isEmpty else { return read(number, hub) }
        let body = TransactionBody(operations, prefix: prefix(number), sessions: writers[number].model.sessions).json
        // Reads alone are carried out where they are asked; the others are one entry of the log.
        let failures = writers[number].model.apply(all: operations)
        ask(number, "PUT", "/v1/txn?consistent", body: body, .failures(failures), hub)
    }

    private func sessionOperation(_ number: Int, _ hub: ClientHub) {
        let slot = setup.random.int(in: 0...1)
        let node = writers[number].node
        if writers[number].model.sessions[slot] != nil, setup.random.chance(0.6) { return keyOperation(number, hub, locks: true) }
        guard let session = writers[number].model.sessions[slot] else {
            if !node.isThere || node.nodeCheck == CheckStatus.critical, setup.random.chance(0.5) {
                // Neither without a node nor on a critical check.
                let body = SessionRequests.session(
                    node: node.name, lockDelay: .zero, deletes: false, node.isThere ? .nodeCheck : .nothing)
                return ask(number, "PUT", "/v1/session/create", body: body, .refusal, hub)
            }
            guard node.isThere else { return catalog(number, hub) }
            if setup.random.chance(0.2) {
                // A session that nobody made holds nothing.
                let target = "/v1/kv/\(prefix(number))\(someKey())?acquire=\(setup.random.uuid())"
                return ask(number, "PUT", target, body: someValue(), .refusal, hub)
            }
            let deletes = setup.random.chance(0.5)
            let dependence = setup.random.pick(node.passing)
            let body = SessionRequests.session(node: node.name, lockDelay: writers[number].lockDelay, deletes: deletes, dependence)
            return ask(number, "PUT", "/v1/session/create", body: body, .creation(slot, deletes: deletes, dependence), hub)
        }
        noteDelays(number, hub) { $0 == slot }
        writers[number].model.end(session: slot)
        ask(number, "PUT", "/v1/session/destroy/\(session.id)", .outcome(true), hub)
    }

    /// Sessions end with the next request: what they hold may not be locked for a while.
    private func noteDelays(_ number: Int, _ hub: ClientHub, _ ends: (Int) -> Bool) {
        let length = writers[number].lockDelay
        guard length > .zero else { return }
        for (key, entry) in writers[number].model.keys {
            guard let holder = entry.session, ends(holder) else { continue }
            writers[number].delayed.removeAll { $0.key == key }
            writers[number].delayed.append((key, hub.now + setup.certain(length, hub)))
        }
    }

    private func catalog(_ number: Int, _ hub: ClientHub) {
        let before = writers[number].node
        let (target, body) = writers[number].node.change(&setup.random)
        let after = writers[number].node
        let sessions = writers[number].model.sessions
        if after.endsSessions(since: before) {
            noteDelays(number, hub) { _ in true }
            writers[number].model.endSessions { _ in true }
        } else {
            func ends(_ dependence: ReferenceModel.Dependence) -> Bool { after.ends(dependence, since: before) }
            noteDelays(number, hub) { sessions[$0].map { ends($0.dependsOn) } ?? false }
            writers[number].model.endSessions(ends)
        }
        ask(number, "PUT", target, body: body, .outcome(true), hub)
    }

    private func read(_ number: Int, _ hub: ClientHub) {
        switch setup.random.int(in: 0...9) {
        case ..<4: look(number, .keys, hub)
        case ..<6: look(number, .key(someKey()), hub)
        case 6: look(number, .names, hub)
        case 7: look(number, .session(setup.random.int(in: 0...1)), hub)
        default: look(number, .node(setup.random.pick(NodeModel.Question.allCases)), hub)
        }
    }

    private func look(_ number: Int, _ expected: Expected, _ hub: ClientHub) {
        // Default reads show the same, unless clocks do what the lease does not allow for.
        let isDefault = setup.run.defaultReadTolerance == .zero && setup.random.chance(0.5)
        let mode = isDefault ? "" : "consistent"
        let base = "/v1/kv/" + prefix(number)
        switch expected {
        case .keys: ask(number, "GET", "\(base)?recurse&\(mode)", expected, hub)
        case .key(let key): ask(number, "GET", "\(base)\(key)?\(mode)", expected, hub)
        case .names: ask(number, "GET", "\(base)?keys&separator=/&\(mode)", expected, hub)
        case .session(let slot):
            guard let id = writers[number].model.sessions[slot]?.id else { return look(number, .keys, hub) }
            ask(number, "GET", "/v1/session/info/\(id)?\(mode)", expected, hub)
        case .node(let question): ask(number, "GET", writers[number].node.path(question) + "?" + mode, expected, hub)
        default: preconditionFailure("nothing to look at")
        }
    }

    // MARK: - Watching

    private func watch(_ number: Int, _ hub: ClientHub) {
        if watchers[number].rounds == 0 {
            let writer = setup.random.int(in: 0...writers.count - 1)
            let base = "/v1/kv/" + prefix(writer)
            let node = writers[writer].node
            let session = writers[writer].model.sessions.compactMap { $0?.id }.first ?? setup.random.uuid()
            let targets =
                [base + someKey(), base + "?recurse", base + "d/?recurse&narrow", base + "d?keys&narrow", base + "?keys&separator=/"]
                + NodeModel.Question.allCases.map { node.path($0) }
                + [
                    "/v1/session/info/" + session, "/v1/session/node/" + node.name, "/v1/session/list", "/v1/catalog/nodes",
                    "/v1/catalog/services", "/v1/health/state/critical", "/v1/health/state/any",
                ]
            watchers[number].target = setup.random.pick(targets)
            watchers[number].server = setup.random.pick(hub.usable)
            watchers[number].index = 0
            watchers[number].rounds = setup.random.int(in: 3...12)
        }
        watchers[number].rounds -= 1
        watchers[number].isBusy = true
        let target = watchers[number].target
        // The mode stays with the target, so that each has answers of one kind.
        let mode = target.utf8.count % 3 == 0 ? "" : "stale&"
        let wait = "\(mode)index=\(watchers[number].index)&wait=3s"
        hub.ask(
            address(watcher: number), server: watchers[number].server, "GET", target + (target.contains("?") ? "&" : "?") + wait,
            timeout: .seconds(12))
    }

    private func watched(_ number: Int, _ answer: ClientAnswer, _ hub: ClientHub) {
        watchers[number].isBusy = false
        if case .response(let response) = answer, response.status != 500, let index = response.consulIndex {
            watchers[number].index = index < watchers[number].index ? 0 : index
        } else {
            watchers[number].rounds = 0
        }
        if !isStopped { restWatcher(number, hub) }
    }

    // MARK: - Answers

    func answered(_ from: ClientAddress, _ answer: ClientAnswer, _ hub: ClientHub) {
        guard from.client < writers.count else { return watched(from.client - writers.count, answer, hub) }
        let number = from.client
        let response = writers[number].caller.end(answer)
        guard let expected = writers[number].expected.take() else { return }
        if let response, response.status != 500 || expected.isRefusal {
            judge(number, expected, response, hub)
        } else if isFinal {
            return hub.wake(address(writer: number), after: .milliseconds(250))
        } else if expected.changes {
            startPart(number)
        }
        if isFinal { writers[number].isDone = true } else if !isStopped { rest(number, hub) }
    }

    private func judge(_ number: Int, _ expected: Expected, _ response: HTTPClientResponse, _ hub: ClientHub) {
        done += 1
        var difference: String?
        switch expected {
        case .outcome(let outcome):
            if response.boolean != outcome { difference = "answered \(text(response)), expected \(outcome)" }
        case .either(let operation):
            let certain = writers[number].delayed.contains { delay in
                if case .lock(let key, _, _) = operation { delay.key == key && hub.now < delay.certainUntil } else { false }
            }
            if response.boolean == true || response.status == 200 && response.json?["Results"] != nil {
                if certain { difference = "a lock was acquired during its lock-delay" }
                if !writers[number].model.apply(operation) { difference = "a lock was acquired that another session holds" }
            }
        case .failures(let failures):
            let found = response.json?["Errors"]?.list?.map { Int($0["OpIndex"]?.number ?? 0) } ?? []
            if found != failures { difference = "a transaction fails at \(found), expected \(failures): \(text(response))" }
        case .refusal:
            if response.boolean == true || response.json?["ID"] != nil { difference = "what must be refused was done: \(text(response))" }
        case .creation(let slot, let deletes, let dependence):
            if let id = response.json?["ID"]?.text {
                writers[number].model.sessions[slot] = .init(id: id, deletes: deletes, dependsOn: dependence)
            } else {
                difference = "no session was made: \(text(response))"
            }
        case .keys: difference = compareKeys(number, response)
        case .key(let key):
            difference = writers[number].model.compare(key, response.json?.list?.first.flatMap { relative($0, number) })
        case .names:
            let found = response.json?.list?.compactMap { $0.text?.dropFirst(prefix(number).count) }.map(String.init) ?? []
            let names = writers[number].model.names(cutAt: "/")
            if found != names { difference = "the keys are \(found), expected \(names)" }
        case .session(let slot):
            let shown = response.json?.list?.first
            let session = writers[number].model.sessions[slot]
            if (shown != nil) != (session != nil) {
                difference = "session \(session?.id ?? "") is \(shown == nil ? "not " : "")there"
            } else if let shown, let session, shown["Behavior"]?.text != (session.deletes ? "delete" : "release") {
                difference = "session \(session.id) has the behaviour \(shown["Behavior"]?.text ?? "none")"
            }
        case .node(let question): difference = writers[number].node.compare(question, response)
        }
        if let index = response.consulIndex { note(index, number) }
        guard let difference else { return }
        hub.world.report(
            Violation(rule: "the state is the model's", text: "\(prefix(number)) at \(timestamp(hub.now)): \(difference)"))
    }

    private func note(_ index: UInt64, _ number: Int) { writers[number].model.seen = max(writers[number].model.seen, index) }

    private func text(_ response: HTTPClientResponse) -> String {
        "\(response.status) \(String(decoding: response.body.prefix(200), as: UTF8.self))"
    }

    /// The entry if it is one of this part.
    private func relative(_ entry: DynamicValue, _ number: Int) -> DynamicValue? {
        entry["Key"]?.text?.hasPrefix(prefix(number)) == true ? entry : nil
    }

    private func compareKeys(_ number: Int, _ response: HTTPClientResponse) -> String? {
        compared += 1
        var shown: SortedMap<String, DynamicValue> = [:]
        for entry in response.json?.list ?? [] {
            guard let key = entry["Key"]?.text, key.hasPrefix(prefix(number)) else { return "a key of somebody else is listed" }
            shown[String(key.dropFirst(prefix(number).count))] = entry
        }
        for key in Array(shown.map(\.key)) + Array(writers[number].model.keys.map(\.key)) {
            if let difference = writers[number].model.compare(key, shown[key]) { return difference }
        }
        if let newest = writers[number].model.listIndex, let index = response.consulIndex, index != newest {
            return "the list reports index \(index), its newest key has \(newest)"
        }
        return nil
    }

    // MARK: - The end

    func stop() { isStopped = true }
    var isIdle: Bool { writers.allSatisfy { !$0.caller.isBusy } && watchers.allSatisfy { !$0.isBusy } }
    var hasFinalState: Bool { isFinal && writers.allSatisfy(\.isDone) }

    func readFinalState(_ hub: ClientHub) {
        isFinal = true
        for writer in writers.indices { look(writer, .keys, hub) }
    }

    func verdict() -> WorkloadVerdict {
        var verdict = WorkloadVerdict(name: name)
        verdict.counts = [("answers", done), ("compared", compared), ("parts", parts)]
        return verdict
    }
}

extension ModelWorkload.Expected {
    /// Whether the request may have changed something.
    fileprivate var changes: Bool {
        switch self {
        case .outcome, .either, .failures, .creation: true
        case .refusal, .keys, .key, .names, .session, .node: false
        }
    }

    fileprivate var isRefusal: Bool { if case .refusal = self { true } else { false } }
}
