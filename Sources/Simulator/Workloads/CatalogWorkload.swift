import Core

/// Writers that register new states of service instances (or write keys), and watchers that follow them with blocking queries.
///
/// Checked: an index never goes back, what is shown was written, and no wake-up is lost: when all is healed and the watchers
/// block, one more write per subject must reach every watcher without any query running into its end.
final class CatalogWorkload: Workload {
    private struct Writer {
        var subject: Int
        var instance: Int
        var version = 0
        var caller = Caller()
        var token: UInt64 = 0
        /// The final write still has to be acknowledged.
        var owesFinalWrite = false
    }

    private struct Watcher {
        var subject: Int
        var mode: ReadMode
        var server: Int?
        var wasGood = true
        var token: UInt64 = 0
        var isBusy = false
        var index: UInt64 = 0
        var asked: UInt64 = 0
        var invoked = Instant.zero
        /// It blocks with the long wait of the end, or did.
        var isFinal = false
        /// What it saw last, with every query that was answered.
        var versions: [Int] = []
    }

    /// At the end, from the last acknowledged write until every watcher must have seen it.
    private static let wakeUpLimit: Duration = .seconds(45)

    let name = WorkloadKind.catalog.name
    private var setup: WorkloadSetup
    private let subjects: [WatchSubject]
    private var histories: [WatchHistory]
    private var writers: [Writer] = []
    private var watchers: [Watcher] = []
    private let instances: Int
    private var violations: [Violation] = []
    private var isStopped = false
    private var isFinal = false
    private var isWriting = false
    private var finalWritesDone: Instant?
    private(set) var hasFinalState = false
    private var written = 0

    init(_ setup: WorkloadSetup) {
        self.setup = setup
        let objects = setup.options.objects
        instances = max(1, setup.options.clients / 2 / objects)
        subjects = (0..<objects).map { $0 % 2 == 0 ? .prefix("w\(setup.index)/\($0)/") : .service("svc\(setup.index)x\($0)") }
        let count = instances
        histories = subjects.map { WatchHistory(name: $0.name, instances: count) }
        for subject in 0..<objects {
            for instance in 0..<instances { writers.append(Writer(subject: subject, instance: instance)) }
        }
        for number in 0..<max(objects, setup.options.clients - writers.count) {
            let mode: ReadMode = number % 5 == 4 ? .stale : number % 5 == 3 ? .consistent : .leader
            watchers.append(Watcher(subject: number % objects, mode: mode, versions: []))
        }
    }

    // Clients are numbered: writers, watchers, and one that looks after the end.
    private func address(writer: Int) -> ClientAddress { .init(workload: setup.index, client: writer, token: writers[writer].token) }
    private func address(watcher: Int) -> ClientAddress {
        .init(workload: setup.index, client: writers.count + watcher, token: watchers[watcher].token)
    }
    private var overseer: ClientAddress { .init(workload: setup.index, client: writers.count + watchers.count, token: 0) }

    func start(_ hub: ClientHub) {
        for writer in writers.indices { rest(writer, hub) }
        for watcher in watchers.indices { hub.wake(address(watcher: watcher), after: setup.random.duration(below: .seconds(1))) }
    }

    private func rest(_ writer: Int, _ hub: ClientHub) {
        writers[writer].token += 1
        let mean = Double(writers.count) / max(setup.options.rate, 0.001)
        hub.wake(address(writer: writer), after: setup.random.interval(mean: .nanoseconds(Int64(1e9 * mean))))
    }

    func timer(client: Int, token: UInt64, _ hub: ClientHub) {
        if client < writers.count {
            guard writers[client].token == token, !writers[client].caller.isBusy else { return }
            if !isStopped || writers[client].owesFinalWrite { write(client, hub) }
        } else if client < writers.count + watchers.count {
            let watcher = client - writers.count
            if watchers[watcher].token == token, !watchers[watcher].isBusy { watch(watcher, hub) }
        } else {
            oversee(hub)
        }
    }

    private func write(_ number: Int, _ hub: ClientHub) {
        writers[number].version += 1
        let writer = writers[number]
        let server = writers[number].caller.begin(hub, &setup.random)
        let removes = !writer.owesFinalWrite && writer.version > 1 && setup.random.chance(0.1)
        histories[writer.subject].begin(instance: writer.instance, version: writer.version, removes: removes, at: hub.now)
        let (method, target, body) = subjects[writer.subject].write(instance: writer.instance, version: removes ? nil : writer.version)
        hub.ask(address(writer: number), server: server, method, target, body: body)
    }

    private func watch(_ number: Int, _ hub: ClientHub) {
        let watcher = watchers[number]
        var server = hub.pick(last: watcher.server, wasGood: watcher.wasGood, &setup.random)
        // A watch of one server's state stays with it.
        if watcher.mode == .stale, watcher.wasGood, let last = watcher.server, hub.usable.contains(last) { server = last }
        watchers[number].server = server
        watchers[number].isBusy = true
        watchers[number].invoked = hub.now
        watchers[number].isFinal = isFinal
        // A stale index of one server means nothing to another.
        if watcher.mode == .stale, server != watcher.server { watchers[number].index = 0 }
        watchers[number].asked = watchers[number].index
        let wait = isFinal ? 300 : 15
        var parameters = watcher.mode.parameter
        if watchers[number].index > 0 {
            parameters += (parameters.isEmpty ? "" : "&") + "index=\(watchers[number].index)&wait=\(wait)s"
        }
        let limit: Duration = .seconds(wait) + .seconds(wait) / 16 + .seconds(10)
        hub.ask(address(watcher: number), server: server, "GET", subjects[watcher.subject].target(parameters), timeout: limit)
    }

    // MARK: - Answers

    func answered(_ from: ClientAddress, _ answer: ClientAnswer, _ hub: ClientHub) {
        if from.client < writers.count {
            writeAnswered(from.client, answer, hub)
        } else if from.client < writers.count + watchers.count {
            watchAnswered(from.client - writers.count, answer, hub)
        }
    }

    private func writeAnswered(_ number: Int, _ answer: ClientAnswer, _ hub: ClientHub) {
        if writers[number].caller.end(answer)?.boolean == true {
            written += 1
            writers[number].owesFinalWrite = false
            histories[writers[number].subject].acknowledge(
                instance: writers[number].instance, version: writers[number].version, at: hub.now)
        }
        if !isStopped || writers[number].owesFinalWrite { rest(number, hub) }
    }

    private func watchAnswered(_ number: Int, _ answer: ClientAnswer, _ hub: ClientHub) {
        watchers[number].isBusy = false
        watchers[number].wasGood = false
        watchers[number].token += 1
        let watcher = watchers[number]
        guard case .response(let response) = answer, response.status != 500, let index = response.consulIndex,
            let versions = subjects[watcher.subject].versions(response, instances: instances)
        else {
            if case .response(let response) = answer, response.status != 500 {
                violations.append(Violation(rule: "answers make sense", text: String(decoding: response.body, as: UTF8.self)))
            }
            return hub.wake(address(watcher: number), after: .milliseconds(200))
        }
        watchers[number].wasGood = true
        watchers[number].versions = versions
        histories[watcher.subject].append(
            .init(
                watcher: number, asked: watcher.asked, index: index, invoked: watcher.invoked, returned: hub.now,
                isStale: watcher.mode == .stale, versions: versions))
        // An index that went back starts the watch anew (http-1 §1.9).
        watchers[number].index = index < watcher.index ? 0 : index
        hub.wake(address(watcher: number), after: setup.random.duration(below: .milliseconds(20)))
    }

    // MARK: - The end

    func stop() { isStopped = true }
    /// Watchers never stop; their queries are reads.
    var isIdle: Bool { writers.allSatisfy { !$0.caller.isBusy } }

    func readFinalState(_ hub: ClientHub) {
        isFinal = true
        hub.wake(overseer, after: .milliseconds(500))
    }

    /// First all watchers must block anew, then one more write per instance is done, then all must see it.
    private func oversee(_ hub: ClientHub) {
        guard !hasFinalState else { return }
        if let done = finalWritesDone {
            let blind = watchers.indices.first { !hasSeenAll($0) }
            if blind == nil {
                hasFinalState = true
                return
            }
            if hub.now > done + Self.wakeUpLimit, let blind {
                let watcher = watchers[blind]
                hub.world.report(
                    Violation(
                        rule: "no wake-up is lost",
                        text:
                            "\(histories[watcher.subject].name): watcher \(blind) (\(watcher.mode), s\((watcher.server ?? 0) + 1)) blocks with index "
                            + "\(watcher.asked) since \(timestamp(watcher.invoked)) and last saw \(watcher.versions), "
                            + "the last write was acknowledged at \(timestamp(done))"))
                return
            }
        } else if writers.contains(where: { $0.owesFinalWrite }) || writers.contains(where: { $0.caller.isBusy }) {
            // Acknowledgements are outstanding.
        } else if isWriting {
            finalWritesDone = hub.now
        } else if watchers.allSatisfy({ $0.isFinal && $0.isBusy && $0.asked > 0 }) {
            isWriting = true
            for writer in writers.indices {
                writers[writer].owesFinalWrite = true
                write(writer, hub)
            }
        }
        hub.wake(overseer, after: .milliseconds(500))
    }

    private func hasSeenAll(_ number: Int) -> Bool {
        let watcher = watchers[number]
        let newest = writers.filter { $0.subject == watcher.subject }
        guard watcher.versions.count == instances else { return false }
        return newest.allSatisfy { writer in
            watcher.versions[writer.instance] == writer.version
                || histories[watcher.subject].mayEnd(instance: writer.instance, with: watcher.versions[writer.instance])
        }
    }

    func verdict() -> WorkloadVerdict {
        var verdict = WorkloadVerdict(name: name, violations: violations)
        let forgets = setup.run.tombstoneTTL < .minutes(5)
        for history in histories {
            verdict.violations += history.violations(tolerance: setup.run.defaultReadTolerance, forgets: forgets)
        }
        verdict.counts = [("writes", written), ("watch-answers", histories.reduce(0) { $0 + $1.answers.count })]
        return verdict
    }
}
