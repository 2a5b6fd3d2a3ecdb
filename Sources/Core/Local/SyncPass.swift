// Sending what differs from the catalog. Spec: behaviour §6.4.

/// One walk over everything that is out of sync: the node, then services, then checks, each in the order of their ids.
///
/// Services are registered at the same time as each other, and so are checks; but the node comes before all, and services, which take
/// their own checks along, before checks that go alone.
struct SyncPass {
    enum Step {
        case node
        case services
        case checks
    }

    /// What is left of a step: the entries behind `last`, and where it began in the middle, those up to there as well.
    struct Walk {
        var last: ByteString?
        /// The step began behind this one and goes on from the start when it has come to the end.
        var wrapsTo: ByteString?
        private(set) var hasWrapped = false

        init(after start: ByteString?) {
            last = start
            wrapsTo = start
        }

        /// The next entry that differs from the catalog.
        mutating func next<Entry>(in entries: SyncedEntries<Entry>) -> (id: ByteString, entry: Entry)? {
            while true {
                if let found = entries.nextUnsynced(after: last) {
                    if hasWrapped, let wrapsTo, found.id > wrapsTo { return nil }
                    last = found.id
                    return found
                }
                guard wrapsTo != nil, !hasWrapped else { return nil }
                hasWrapped = true
                last = nil
            }
        }
    }

    /// A write whose answer is awaited, and the versions that it carries.
    enum Write {
        case node
        case registerService(ByteString, version: UInt64, checks: [(id: ByteString, version: UInt64)])
        case deregisterService(ByteString, version: UInt64)
        case registerCheck(ByteString, version: UInt64)
        case deregisterCheck(ByteString, version: UInt64)

        /// The service or check; nil for the node.
        var id: ByteString? {
            switch self {
            case .node: nil
            case .registerService(let id, _, _), .deregisterService(let id, _), .registerCheck(let id, _), .deregisterCheck(let id, _): id
            }
        }
    }

    /// Writes under way at a time.
    static let windowLimit = 64
    /// A pass that has failed so often ends, although others succeed.
    static let failuresLimit = 16

    let isFull: Bool
    var waiters: [RequestID]
    var step = Step.node
    var walk: Walk
    /// By token.
    var writes = LookupTable<UInt64, Write>()
    /// One at first, one more with each success: a server that cannot be reached costs one attempt.
    var window = 1
    var failures = 0
    var hasSucceeded = false
    /// The first failure. Nothing more is begun once `isEnding`.
    var error: String?
    var isEnding = false

    init(isFull: Bool, waiters: [RequestID], resumingAfter start: ByteString?) {
        self.isFull = isFull
        self.waiters = waiters
        walk = Walk(after: start)
    }
}

extension CatalogSync {
    /// Sends what is out of sync as far as the window allows, or ends the pass.
    func advance(_ pass: consuming SyncPass, _ now: Instant, _ effects: inout [LocalEffect]) {
        activity = .none
        while !pass.isEnding, pass.writes.count < pass.window {
            switch pass.step {
            case .node:
                if pass.writes.isEmpty {
                    guard !registry.nodeInfoInSync else {
                        pass.step = .services
                        continue
                    }
                    send(.register(context.nodeRequest()), .node, &pass, &effects)
                }
                return activity = .sending(pass)
            case .services:
                if let (id, entry) = pass.walk.next(in: registry.services) {
                    sendService(id, entry, &pass, &effects)
                } else if pass.writes.isEmpty {
                    pass.step = .checks
                    pass.walk = SyncPass.Walk(after: pass.walk.wrapsTo)
                } else {
                    return activity = .sending(pass)
                }
            case .checks:
                if let (id, entry) = pass.walk.next(in: registry.checks) {
                    sendCheck(id, entry, &pass, &effects)
                } else {
                    pass.isEnding = true
                }
            }
        }
        if pass.writes.isEmpty { finish(pass, now, &effects) } else { activity = .sending(pass) }
    }

    private func send(_ request: WriteRequest, _ write: SyncPass.Write, _ pass: inout SyncPass, _ effects: inout [LocalEffect]) {
        let token = context.makeToken()
        pass.writes[token] = write
        effects.append(.write(token, request))
    }

    private func sendService(_ id: ByteString, _ entry: LocalService, _ pass: inout SyncPass, _ effects: inout [LocalEffect]) {
        if entry.sync.deleted {
            var request = context.deregisterRequest(token: entry.token)
            request.serviceID = entry.service.id
            return send(.deregister(request), .deregisterService(id, version: entry.sync.version), &pass, &effects)
        }
        var request = context.nodeRequest()
        request.token = entry.token
        request.service = entry.service
        request.skipNodeUpdate = registry.nodeInfoInSync
        var sent: [(id: ByteString, version: UInt64)] = []
        var found: [HealthCheck] = []
        for (checkID, check) in registry.checks(ofService: entry.service.id) where !check.sync.inSync && !check.awaitsCatalog {
            guard check.token == entry.token else { continue }
            cancelDeferral(of: checkID)
            sent.append((checkID, check.sync.version))
            found.append(check.check)
        }
        if found.count == 1 { request.check = found[0] } else if !found.isEmpty { request.checks = found }
        send(.register(request), .registerService(id, version: entry.sync.version, checks: sent), &pass, &effects)
    }

    private func sendCheck(_ id: ByteString, _ entry: LocalCheck, _ pass: inout SyncPass, _ effects: inout [LocalEffect]) {
        if entry.sync.deleted {
            var request = context.deregisterRequest(token: entry.token)
            request.checkID = entry.check.checkID
            return send(.deregister(request), .deregisterCheck(id, version: entry.sync.version), &pass, &effects)
        }
        if entry.awaitsCatalog { return }
        var request = context.nodeRequest()
        request.token = entry.token
        if !entry.check.serviceID.isEmpty {
            guard let service = registry.liveService(ByteString(entry.check.serviceID)) else { return }
            // Its registration has just failed, which this one would as well.
            if pass.error != nil, !service.sync.inSync { return }
            request.service = service.service
        }
        cancelDeferral(of: id)
        request.check = entry.check
        request.skipNodeUpdate = registry.nodeInfoInSync
        send(.register(request), .registerCheck(id, version: entry.sync.version), &pass, &effects)
    }

    // MARK: Answers

    func finishedWrite(_ token: UInt64, _ result: Result<ApplyResult, TextError>, _ now: Instant, _ effects: inout [LocalEffect]) {
        guard case .sending(var pass) = activity, let write = pass.writes.removeValue(forKey: token) else { return }
        // Held once only: the pass is changed in place.
        activity = .none
        let outcome = WriteOutcome(result)
        conclude(write, outcome, &effects)
        if case .failed(let text) = outcome {
            pass.error = pass.error ?? text
            pass.failures += 1
            if resumeAfter == nil { resumeAfter = write.id }
            if !pass.hasSucceeded || pass.failures >= SyncPass.failuresLimit { pass.isEnding = true }
        } else {
            pass.hasSucceeded = true
            pass.window = min(SyncPass.windowLimit, pass.window + 1)
            if planted(.oneWritePerPass) { pass.isEnding = true }
        }
        advance(pass, now, &effects)
    }

    private func finish(_ pass: consuming SyncPass, _ now: Instant, _ effects: inout [LocalEffect]) {
        if let error = pass.error {
            let text = pass.isFull ? "failed to sync remote state" : "failed to sync changes"
            context.log(.error, text, [("error", error)], subsystem: "agent.anti_entropy", &effects)
        }
        // The registration itself succeeded; anti-entropy repairs what could not be sent.
        for waiter in pass.waiters { effects.append(.respond(waiter, .done)) }
        if pass.isFull { schedule.finishedFull(succeeded: pass.error == nil, at: now, &context.random) }
    }

    private func conclude(_ write: SyncPass.Write, _ outcome: WriteOutcome, _ effects: inout [LocalEffect]) {
        switch write {
        case .node:
            if outcome.settles { registry.nodeInfoInSync = true }
            report(outcome, done: "Synced node info", "Node info update", failed: "Syncing node info failed.", [], &effects)
        case .registerService(let id, let version, let sent):
            if outcome.settles {
                if let entry = registry.services[id], entry.sync.version == version || planted(.answerSettlesNewer), !entry.sync.deleted {
                    registry.services.setInSync(id, true)
                }
                for check in sent { settleCheck(check.id, check.version) }
                if case .done = outcome { registry.nodeInfoInSync = true }
            }
            report(
                outcome, done: "Synced service", "Service registration", failed: "Syncing service failed.", [("service", id.string)],
                &effects)
        case .deregisterService(let id, let version):
            if let entry = registry.services[id], entry.sync.version == version && entry.sync.deleted || planted(.deregistrationForgetsNew)
            {
                if outcome.settles { registry.services.setInSync(id, true) }
                if outcome.confirmsDeletion { registry.forgetService(id) }
            }
            report(
                outcome, done: "Deregistered service", "Service deregistration", failed: "Deregistering service failed.",
                [("service", id.string)], &effects)
        case .registerCheck(let id, let version):
            if outcome.settles {
                settleCheck(id, version)
                if case .done = outcome { registry.nodeInfoInSync = true }
            }
            report(outcome, done: "Synced check", "Check registration", failed: "Syncing check failed.", [("check", id.string)], &effects)
        case .deregisterCheck(let id, let version):
            if let entry = registry.checks[id], entry.sync.version == version, entry.sync.deleted {
                if outcome.settles { registry.setCheckInSync(id, true) }
                if outcome.confirmsDeletion { registry.forgetCheck(id) }
            }
            report(
                outcome, done: "Deregistered check", "Check deregistration", failed: "Deregistering check failed.", [("check", id.string)],
                &effects)
        }
    }

    private func settleCheck(_ id: ByteString, _ version: UInt64) {
        if let entry = registry.checks[id], entry.sync.version == version || planted(.answerSettlesNewerCheck), !entry.sync.deleted {
            registry.setCheckInSync(id, true)
        }
    }

    private func report(
        _ outcome: WriteOutcome, done: String, _ what: String, failed: String, _ pairs: [(String, String)], _ effects: inout [LocalEffect]
    ) {
        switch outcome {
        case .done, .unknown: context.log(.info, done, pairs, &effects)
        case .refused: context.log(.warn, "\(what) blocked by ACLs", pairs, &effects)
        case .failed(let text): context.log(.warn, failed, pairs + [("error", text)], &effects)
        }
    }
}

/// How the answer to a write concerns what was sent.
private enum WriteOutcome {
    case done
    /// What was to be deregistered is not there.
    case unknown
    /// ACLs forbid it: not tried again before the next full sync.
    case refused
    case failed(String)

    init(_ result: Result<ApplyResult, TextError>) {
        let text: String
        switch result {
        case .success(.error(let error)): text = error
        case .success: self = .done; return
        case .failure(let complaint): text = complaint.text
        }
        if text.contains("Unknown service") || text.contains("Unknown check") {
            self = .unknown
        } else if text.contains("Permission denied") || text.contains("ACL not found") {
            self = .refused
        } else {
            self = .failed(text)
        }
    }

    /// Whether the entry counts as in sync now.
    var settles: Bool {
        if case .failed = self { return planted(.failedWriteSettles) }
        return true
    }

    var confirmsDeletion: Bool {
        switch self {
        case .done, .unknown: true
        case .refused, .failed: planted(.failedDeletionForgotten)
        }
    }
}
