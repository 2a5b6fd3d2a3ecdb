import Core

/// Clients that write and read a few keys, save archives of the whole state, and restore them: all of it together must be linearizable.
/// Damaged archives must be refused and change nothing.
final class SnapshotWorkload: Workload {
    private enum Pending {
        case action(SnapshotHistory.Action, tolerance: Duration)
        case save(isStale: Bool)
        case restoreDamaged

        static func read(_ key: Int, tolerance: Duration) -> Pending { .action(.read(key: key, 0), tolerance: tolerance) }
    }

    private struct Client {
        var caller = Caller()
        var token: UInt64 = 0
        var pending: (what: Pending, invoked: Instant)?
    }

    private struct Archive {
        var bytes: [UInt8]
        var values: [Int32]
    }

    /// The latest ones; older ones are not restored any more.
    private static let archivesMax = 4

    let name = WorkloadKind.snapshot.name
    private var setup: WorkloadSetup
    private var clients: [Client]
    private var history: SnapshotHistory
    private var archives: [Archive] = []
    private var lastValue: Int32 = 0
    private var isStopped = false
    private var finals: FinalReads?
    private var violations: [Violation] = []
    private var saved = 0
    private var restored = 0
    private var refused = 0

    init(_ setup: WorkloadSetup) {
        self.setup = setup
        clients = Array(repeating: Client(), count: setup.options.clients)
        history = SnapshotHistory(keys: setup.options.objects)
    }

    private func key(_ number: Int) -> String { "a\(setup.index)/k\(number)" }
    private func path(_ number: Int) -> String { "/v1/kv/" + key(number) }

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
        guard !isStopped, clients[client].token == token, !clients[client].caller.isBusy else { return }
        begin(client, hub)
    }

    private func begin(_ client: Int, _ hub: ClientHub) {
        let number = setup.random.int(in: 0...history.keys - 1)
        let server = clients[client].caller.begin(hub, &setup.random)
        var (method, target, body) = ("GET", path(number), [UInt8]())
        let what: Pending
        switch setup.random.int(in: 0...99) {
        case ..<30:
            lastValue += 1
            (method, body) = ("PUT", Array("v\(lastValue)".utf8))
            what = .action(.put(key: number, lastValue), tolerance: .zero)
        case ..<35:
            method = "DELETE"
            what = .action(.delete(key: number), tolerance: .zero)
        case ..<47:
            let isStale = setup.random.chance(0.3)
            target = "/v1/snapshot" + (isStale ? "?stale" : "")
            what = .save(isStale: isStale)
        case ..<53 where !archives.isEmpty:
            let archive = setup.random.pick(archives)
            (method, target, body) = ("PUT", "/v1/snapshot", archive.bytes)
            what = .action(.restore(archive.values), tolerance: .zero)
        case ..<56 where !archives.isEmpty:
            let whole = setup.random.pick(archives).bytes
            (method, target, body) = ("PUT", "/v1/snapshot", Array(whole.dropLast(setup.random.int(in: 1...whole.count))))
            what = .restoreDamaged
        case ..<75:
            target += "?consistent"
            what = .read(number, tolerance: .zero)
        default: what = .read(number, tolerance: setup.run.defaultReadTolerance)
        }
        clients[client].pending = (what, hub.now)
        hub.ask(address(client), server: server, method, target, body: body)
    }

    // MARK: - Answers

    func answered(_ from: ClientAddress, _ answer: ClientAnswer, _ hub: ClientHub) {
        if from.client == clients.count {
            if let (job, response) = finals?.take(answer, hub) {
                record(.read(key: job.tag, 0), response, invoked: job.invoked, from.client, hub)
            }
            return
        }
        guard let pending = clients[from.client].pending else { return }
        clients[from.client].pending = nil
        if let response = clients[from.client].caller.end(answer) {
            switch pending.what {
            case .action(let action, let tolerance):
                record(action, response, invoked: pending.invoked - tolerance, from.client, hub)
            case .save(let isStale):
                record(archive: response, invoked: isStale ? nil : pending.invoked, from.client, hub)
            case .restoreDamaged:
                refused += 1
                if response.status == 200 { complain("damaged archives are refused", "one was restored") }
            }
        } else if case .failed(let failure) = answer, failure != .refused, case .action(let action, _) = pending.what {
            append(action, isDone: false, invoked: pending.invoked, from.client, hub)
        }
        if !isStopped { scheduleNext(from.client, hub) }
    }

    private func complain(_ rule: String, _ text: String) { violations.append(Violation(rule: rule, text: text)) }

    private func append(_ action: SnapshotHistory.Action, isDone: Bool, invoked: Instant, _ client: Int, _ hub: ClientHub) {
        history.append(.init(action: action, isDone: isDone, invoked: invoked, returned: hub.now, client: client))
    }

    private func record(_ action: SnapshotHistory.Action, _ response: HTTPClientResponse, invoked: Instant, _ client: Int, _ hub: ClientHub)
    {
        var (action, isDone) = (action, response.status == 200)
        switch action {
        case .put, .delete: isDone = response.boolean ?? false
        case .restore: if isDone { restored += 1 }
        case .read(let number, _):
            guard let value = value(response, number) else { return }
            (action, isDone) = (.read(key: number, value), true)
        case .save: preconditionFailure("archives are recorded as such")
        }
        append(action, isDone: isDone, invoked: invoked, client, hub)
    }

    /// Zero for an absent key; nil for an answer that tells nothing.
    private func value(_ response: HTTPClientResponse, _ number: Int) -> Int32? {
        if response.status == 404 && response.body.isEmpty { return 0 }
        guard response.status == 200 else { return nil }
        guard let entries = response.json?.list, entries.count == 1, let entry = KeyEntry(entries[0]), entry.key == key(number),
            let value = entry.number
        else {
            complain("answers make sense", String(decoding: response.body, as: UTF8.self))
            return nil
        }
        return value
    }

    /// `invoked` is nil for an archive whose state may be old.
    private func record(archive response: HTTPClientResponse, invoked: Instant?, _ client: Int, _ hub: ClientHub) {
        guard response.status == 200 else { return }
        do {
            let archive = Archive(bytes: response.body, values: try values(in: response.body))
            archives.append(archive)
            if archives.count > Self.archivesMax { archives.removeFirst() }
            saved += 1
            if let invoked {
                append(.save(archive.values), isDone: true, invoked: invoked, client, hub)
            } else {
                history.appendStaleSave(archive.values, returned: hub.now, client: client)
            }
        } catch {
            complain("archives are whole", "\(error)")
        }
    }

    private func values(in archive: [UInt8]) throws -> [Int32] {
        var reader = ArchiveReader(archive, tools: PlainArchives())
        var decoder = SnapshotDecoder()
        reading: while true {
            switch try reader.next() {
            case .working: break
            case .state(let piece): try decoder.feed(piece)
            case .done: break reading
            }
        }
        let store = try decoder.finish()
        return (0..<history.keys).map { number in
            guard
                case .success((.entries(let found), _)) = store.evaluate(
                    .kv(.get(key: ByteString(key(number)))), options: QueryOptions(), authorizer: .allowAll),
                let text = found.first?.entry.value
            else { return 0 }
            return Int32(String(decoding: text.dropFirst(), as: UTF8.self)) ?? -1
        }
    }

    // MARK: - The end

    func stop() { isStopped = true }
    var isIdle: Bool { clients.allSatisfy { !$0.caller.isBusy } }

    func readFinalState(_ hub: ClientHub) {
        let address = ClientAddress(workload: setup.index, client: clients.count, token: 0)
        finals = FinalReads(of: (0..<history.keys).map { path($0) + "?consistent" }, from: hub.usable, address: address)
        finals?.resume(hub)
    }

    var hasFinalState: Bool { finals?.isDone ?? false }

    func verdict() -> WorkloadVerdict {
        var verdict = WorkloadVerdict(name: name, violations: violations)
        switch history.check() {
        case .linearizable: break
        case .violated(let text): verdict.violations.append(Violation(rule: "linearizability", text: text))
        case .undecided(let text): verdict.undecided.append(text)
        }
        verdict.counts = [
            ("operations", history.operations.count), ("saved", saved), ("restored", restored), ("damaged-refused", refused),
        ]
        return verdict
    }
}
