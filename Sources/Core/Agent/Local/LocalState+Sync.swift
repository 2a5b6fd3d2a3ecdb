// Making the catalog agree with the local state. Spec: behaviour §6.3-6.4.

/// What is being done about the catalog; one thing at a time.
enum SyncActivity {
    case none
    /// A full sync has asked what the catalog holds under this node's name.
    case comparing(Comparison)
    case sending(SyncPass)
}

/// The two reads of a full sync.
struct Comparison {
    let servicesToken: UInt64
    let checksToken: UInt64
    /// An outer nil: not answered yet.
    var services: (node: Row<Node>, services: [Row<ServiceInstance>])??
    var checks: [Row<HealthCheck>]?
}

/// One walk over everything that is out of sync: the node, then services, then checks, each in the order of their ids.
struct SyncPass {
    enum Step {
        case node
        /// Those after this id; nil for all.
        case services(after: ByteString?)
        case checks(after: ByteString?)
    }

    /// The write whose answer is awaited, and the versions that it carries.
    enum Pending {
        case node
        case registerService(ByteString, version: UInt64, checks: [(id: ByteString, version: UInt64)])
        case deregisterService(ByteString, version: UInt64)
        case registerCheck(ByteString, version: UInt64)
        case deregisterCheck(ByteString, version: UInt64)
    }

    let isFull: Bool
    var waiters: [WaitingRequest]
    var step = Step.node
    var token: UInt64 = 0
    var pending: Pending?
}

extension LocalState {
    /// Starts what is due, unless a sync is under way.
    func startSync(_ now: Instant, _ effects: inout [LocalEffect]) {
        while case .none = activity {
            switch schedule.poll(at: now, paused: pauses > 0, &random) {
            case .full: startComparison(&effects)
            case .changes: startPass(isFull: false, now, &effects)
            case nil:
                if waiters.isEmpty { return }
                startPass(isFull: false, now, &effects)
            }
        }
    }

    // MARK: Comparing

    private func startComparison(_ effects: inout [LocalEffect]) {
        let comparison = Comparison(servicesToken: makeToken(), checksToken: makeToken())
        activity = .comparing(comparison)
        var options = QueryOptions()
        options.datacenter = config.datacenter
        options.allowStale = true
        options.maxStaleDuration = .seconds(2)
        effects.append(.read(comparison.servicesToken, .catalog(.nodeServiceList(node: config.nodeName)), options))
        effects.append(.read(comparison.checksToken, .health(.nodeChecks(node: config.nodeName)), options))
    }

    func finishedRead(
        _ token: UInt64, _ result: Result<(result: QueryResult, index: UInt64), Complaint>, _ now: Instant, _ effects: inout [LocalEffect]
    ) {
        if finishedAliasRead(token, result, now, &effects) { return }
        guard case .comparing(var comparison) = activity, token == comparison.servicesToken || token == comparison.checksToken else {
            return
        }
        switch result {
        case .success((.nodeServices(let found), _)) where token == comparison.servicesToken: comparison.services = .some(found)
        case .success((.checks(let rows), _)) where token == comparison.checksToken: comparison.checks = rows
        case .success: return failedFullSync("unexpected answer", now, &effects)
        case .failure(let complaint): return failedFullSync(complaint.text, now, &effects)
        }
        activity = .comparing(comparison)
        guard let found = comparison.services, let checks = comparison.checks else { return }
        compareNode(found?.node.value)
        compareServices(found?.services ?? [], &effects)
        compareChecks(checks)
        startPass(isFull: true, now, &effects)
    }

    private func failedFullSync(_ text: String, _ now: Instant, _ effects: inout [LocalEffect]) {
        activity = .none
        log(.error, "failed to sync remote state", [("error", text)], subsystem: "agent.anti_entropy", &effects)
        schedule.finishedFull(succeeded: false, at: now, &random)
    }

    private func compareNode(_ node: Node?) {
        guard let node, sameBytes(node.id, config.nodeID) else {
            nodeInfoInSync = false
            return
        }
        if (node.taggedAddresses ?? [:]) != config.nodeTaggedAddresses || (node.meta ?? [:]) != config.registeredNodeMeta {
            nodeInfoInSync = false
        }
    }

    private func compareServices(_ rows: [Row<ServiceInstance>], _ effects: inout [LocalEffect]) {
        var remote = LookupSet<ByteString>()
        for row in rows {
            let theirs = row.value.service
            let id = ByteString(theirs.id)
            remote.insert(id)
            guard let entry = services[id] else {
                // The servers' own service belongs to the leader.
                if theirs.id != "consul" { services[id] = unknownService(theirs) }
                continue
            }
            if entry.sync.deleted {
                entry.sync.inSync = false
                continue
            }
            if entry.service.enableTagOverride && entry.service.tags != theirs.tags {
                entry.service.tags = theirs.tags
                entry.sync.version &+= 1
                wakeWatches(of: id, &effects)
            }
            entry.sync.inSync = entry.service.isSame(as: theirs)
        }
        for (id, entry) in services where !remote.contains(id) { entry.sync.inSync = false }
    }

    /// Something registered under this node's name that this agent knows nothing of: to be deleted.
    private func unknownService(_ service: NodeService) -> LocalService {
        let entry = LocalService(service: service, token: "", source: .local, persisted: false)
        entry.sync.deleted = true
        return entry
    }

    private func compareChecks(_ rows: [Row<HealthCheck>]) {
        var remote = LookupSet<ByteString>()
        for row in rows {
            let id = ByteString(row.value.checkID)
            remote.insert(id)
            guard let entry = checks[id] else {
                if row.value.checkID != CheckStatus.serfHealth {
                    let unknown = CheckRegistration(check: row.value, definition: nil)
                    let entry = LocalCheck(unknown, token: "", source: .local, persisted: false)
                    entry.sync.deleted = true
                    checks[id] = entry
                }
                continue
            }
            if entry.sync.deleted {
                entry.sync.inSync = false
                continue
            }
            let ignoresOutput = config.checkUpdateInterval > .zero && timers[.deferred(id)] != nil
            entry.sync.inSync = entry.check.isSame(as: row.value, ignoringOutput: ignoresOutput)
        }
        for (id, entry) in checks where !remote.contains(id) { entry.sync.inSync = false }
    }

    // MARK: Sending

    private func startPass(isFull: Bool, _ now: Instant, _ effects: inout [LocalEffect]) {
        let pass = SyncPass(isFull: isFull, waiters: waiters)
        waiters = []
        advance(pass, now, &effects)
    }

    /// Sends the next thing that is out of sync, or ends the pass.
    private func advance(_ pass: consuming SyncPass, _ now: Instant, _ effects: inout [LocalEffect]) {
        while true {
            switch pass.step {
            case .node:
                pass.step = .services(after: nil)
                if !nodeInfoInSync { return send(.register(nodeRequest()), .node, pass, &effects) }
            case .services(let last):
                guard let (id, entry) = LocalState.next(in: services, after: last, where: { !$0.sync.inSync }) else {
                    pass.step = .checks(after: nil)
                    continue
                }
                pass.step = .services(after: id)
                return sendService(id, entry, pass, &effects)
            case .checks(let last):
                guard let (id, entry) = LocalState.next(in: checks, after: last, where: { !$0.sync.inSync }) else {
                    return finish(pass, error: nil, now, &effects)
                }
                pass.step = .checks(after: id)
                return sendCheck(id, entry, pass, &effects)
            }
        }
    }

    private static func next<Entry>(
        in entries: SortedMap<ByteString, Entry>, after last: ByteString?, where isDue: (Entry) -> Bool
    ) -> (ByteString, Entry)? {
        var at = 0
        if let last {
            at = entries.lowerBound(last)
            if at < entries.count && entries[at].key == last { at += 1 }
        }
        while at < entries.count {
            if isDue(entries[at].value) { return (entries[at].key, entries[at].value) }
            at += 1
        }
        return nil
    }

    private func send(_ request: WriteRequest, _ pending: SyncPass.Pending, _ pass: consuming SyncPass, _ effects: inout [LocalEffect]) {
        pass.token = makeToken()
        pass.pending = pending
        effects.append(.write(pass.token, request))
        activity = .sending(pass)
    }

    func nodeRequest() -> RegisterRequest {
        var request = RegisterRequest()
        request.datacenter = config.datacenter
        request.id = config.nodeID
        request.node = config.nodeName
        request.address = config.advertiseAddress
        request.taggedAddresses = config.nodeTaggedAddresses
        request.nodeMeta = config.registeredNodeMeta
        return request
    }

    func deregisterRequest(token: String) -> DeregisterRequest {
        var request = DeregisterRequest()
        request.datacenter = config.datacenter
        request.node = config.nodeName
        request.token = token
        return request
    }

    private func sendService(_ id: ByteString, _ entry: LocalService, _ pass: consuming SyncPass, _ effects: inout [LocalEffect]) {
        if entry.sync.deleted {
            var request = deregisterRequest(token: entry.token)
            request.serviceID = entry.service.id
            return send(.deregister(request), .deregisterService(id, version: entry.sync.version), pass, &effects)
        }
        var request = nodeRequest()
        request.token = entry.token
        request.service = entry.service
        request.skipNodeUpdate = nodeInfoInSync
        var sent: [(id: ByteString, version: UInt64)] = []
        var found: [HealthCheck] = []
        for (checkID, check) in checks where !check.sync.deleted && !check.sync.inSync {
            guard sameBytes(check.check.serviceID, entry.service.id), check.token == entry.token else { continue }
            timers[.deferred(checkID)] = nil
            sent.append((checkID, check.sync.version))
            found.append(check.check)
        }
        if found.count == 1 { request.check = found[0] } else if !found.isEmpty { request.checks = found }
        send(.register(request), .registerService(id, version: entry.sync.version, checks: sent), pass, &effects)
    }

    private func sendCheck(_ id: ByteString, _ entry: LocalCheck, _ pass: consuming SyncPass, _ effects: inout [LocalEffect]) {
        if entry.sync.deleted {
            var request = deregisterRequest(token: entry.token)
            request.checkID = entry.check.checkID
            return send(.deregister(request), .deregisterCheck(id, version: entry.sync.version), pass, &effects)
        }
        timers[.deferred(id)] = nil
        var request = nodeRequest()
        request.token = entry.token
        if !entry.check.serviceID.isEmpty { request.service = liveService(ByteString(entry.check.serviceID))?.service }
        request.check = entry.check
        request.skipNodeUpdate = nodeInfoInSync
        send(.register(request), .registerCheck(id, version: entry.sync.version), pass, &effects)
    }

    // MARK: Answers

    func finishedWrite(_ token: UInt64, _ result: Result<ApplyResult, Complaint>, _ now: Instant, _ effects: inout [LocalEffect]) {
        guard case .sending(var pass) = activity, pass.token == token, let pending = pass.pending else { return }
        activity = .none
        pass.pending = nil
        let outcome = WriteOutcome(result)
        conclude(pending, outcome, &effects)
        if case .failed(let text) = outcome { return finish(pass, error: text, now, &effects) }
        advance(pass, now, &effects)
    }

    private func finish(_ pass: consuming SyncPass, error: String?, _ now: Instant, _ effects: inout [LocalEffect]) {
        activity = .none
        if let error {
            let text = pass.isFull ? "failed to sync remote state" : "failed to sync changes"
            log(.error, text, [("error", error)], subsystem: "agent.anti_entropy", &effects)
        }
        // The registration itself succeeded; anti-entropy repairs what could not be sent.
        for waiter in pass.waiters where !waiter.cancelled { effects.append(.respond(waiter.id, HTTPResponse(status: 200))) }
        if pass.isFull { schedule.finishedFull(succeeded: error == nil, at: now, &random) }
    }

    private func conclude(_ pending: SyncPass.Pending, _ outcome: WriteOutcome, _ effects: inout [LocalEffect]) {
        switch pending {
        case .node:
            if outcome.settles { nodeInfoInSync = true }
            report(outcome, done: "Synced node info", "Node info update", failed: "Syncing node info failed.", [], &effects)
        case .registerService(let id, let version, let sent):
            if outcome.settles {
                if let entry = services[id], entry.sync.version == version, !entry.sync.deleted { entry.sync.inSync = true }
                for check in sent {
                    if let entry = checks[check.id], entry.sync.version == check.version, !entry.sync.deleted { entry.sync.inSync = true }
                }
                if case .done = outcome { nodeInfoInSync = true }
            }
            report(
                outcome, done: "Synced service", "Service registration", failed: "Syncing service failed.", [("service", id.string)],
                &effects)
        case .deregisterService(let id, let version):
            if let entry = services[id], entry.sync.version == version, entry.sync.deleted {
                if outcome.settles { entry.sync.inSync = true }
                if outcome.confirmsDeletion { forgetService(id) }
            }
            report(
                outcome, done: "Deregistered service", "Service deregistration", failed: "Deregistering service failed.",
                [("service", id.string)], &effects)
        case .registerCheck(let id, let version):
            if outcome.settles {
                if let entry = checks[id], entry.sync.version == version, !entry.sync.deleted { entry.sync.inSync = true }
                if case .done = outcome { nodeInfoInSync = true }
            }
            report(outcome, done: "Synced check", "Check registration", failed: "Syncing check failed.", [("check", id.string)], &effects)
        case .deregisterCheck(let id, let version):
            if let entry = checks[id], entry.sync.version == version, entry.sync.deleted {
                if outcome.settles { entry.sync.inSync = true }
                if outcome.confirmsDeletion { checks[id] = nil }
            }
            report(
                outcome, done: "Deregistered check", "Check deregistration", failed: "Deregistering check failed.", [("check", id.string)],
                &effects)
        }
    }

    /// The catalog dropped a service, and with it its checks.
    private func forgetService(_ id: ByteString) {
        guard let entry = services.removeValue(forKey: id) else { return }
        let gone = checks.filter { $0.value.sync.deleted && sameBytes($0.value.check.serviceID, entry.service.id) }
        for (checkID, _) in gone { checks[checkID] = nil }
    }

    private func report(
        _ outcome: WriteOutcome, done: String, _ what: String, failed: String, _ pairs: [(String, String)], _ effects: inout [LocalEffect]
    ) {
        switch outcome {
        case .done, .unknown: log(.info, done, pairs, &effects)
        case .refused: log(.warn, "\(what) blocked by ACLs", pairs, &effects)
        case .failed(let text): log(.warn, failed, pairs + [("error", text)], &effects)
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

    init(_ result: Result<ApplyResult, Complaint>) {
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
        if case .failed = self { return false }
        return true
    }

    var confirmsDeletion: Bool {
        switch self {
        case .done, .unknown: true
        case .refused, .failed: false
        }
    }
}
