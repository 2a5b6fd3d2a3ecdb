@testable import Core

/// A local state with a clock, a data directory and a catalog in memory.
final class LocalHarness {
    let state: LocalState
    let router: Router
    private(set) var now = Instant(nanoseconds: 1_000_000_000)

    // The catalog under this node's name.
    var node: Node?
    var services: [String: NodeService] = [:]
    var checks: [String: HealthCheck] = [:]
    /// What the catalog holds of every other node.
    var othersChecks: [HealthCheck] = []
    /// The outcomes of the next writes and reads, instead of the catalog's.
    var writeError: String?
    var readError: String?
    /// What the catalog says to the writes that it refuses.
    var refusal: (WriteRequest) -> String? = { _ in nil }
    /// Answers are held back until `deliver`.
    var holdsAnswers = false
    private var held: [LocalEvent] = []

    // What the local state has asked for.
    private(set) var writes: [WriteRequest] = []
    private(set) var reads: [(at: Instant, query: ReadQuery, options: QueryOptions)] = []
    private(set) var responses: [RequestID: HTTPResponse] = [:]
    private var pretty: [RequestID: Bool] = [:]
    private(set) var probes: [(token: UInt64, at: Instant, probe: CheckProbe, timeout: Duration, limit: Int)] = []
    private(set) var cancelledProbes: [UInt64] = []
    private(set) var files: [String: [UInt8]] = [:]
    private(set) var batches: [[DiskOperation]] = []
    /// What the disk says to the operations that it names, instead of performing them.
    var diskFailure: (DiskOperation) -> DiskError? = { _ in nil }
    /// Batches are held back until `deliverBatches`.
    var holdsDisk = false
    private var heldBatches: [(token: UInt64, operations: [DiskOperation])] = []
    private(set) var logs: [String] = []
    private var nextRequest: UInt64 = 1

    static func settings(_ change: (inout AgentSettings) -> Void = { _ in }) -> AgentSettings {
        var settings = AgentSettings()
        settings.identity.nodeName = "n1"
        settings.identity.nodeID = "deadbeef-0000-4000-8000-00000000c0de"
        settings.reloadable.logLevel = .debug
        change(&settings)
        return settings
    }

    init(_ settings: AgentSettings = LocalHarness.settings(), files: [String: [UInt8]] = [:], seed: UInt64 = 7) {
        self.files = files
        state = LocalState(settings: settings, random: Random(seed: seed), codec: RegistrationJSON()) { bytes in
            // Any text that is different for each id serves.
            bytes.map { String($0, radix: 16) }.joined()
        }
        router = Router(APIContext(from: settings))
    }

    convenience init(files: [String: [UInt8]] = [:], _ change: (inout AgentSettings) -> Void) {
        self.init(LocalHarness.settings(change), files: files)
    }

    // MARK: Driving

    @discardableResult
    func load() -> TextError? {
        let found = files.keys.sorted().map { LocalFile(name: $0, bytes: files[$0]!) }
        var effects: [LocalEffect] = []
        let complaint = state.load(found, at: now, into: &effects)
        perform(effects)
        return complaint
    }

    /// Loads, starts to sync and does the first full sync.
    func start() {
        load()
        send(.startSyncing)
    }

    func reload(_ new: AgentSettings) -> TextError? {
        var effects: [LocalEffect] = []
        let complaint = state.reload(new.reloadable, at: now, into: &effects)
        perform(effects)
        return complaint
    }

    func send(_ event: LocalEvent) {
        var effects: [LocalEffect] = []
        state.handle(event, at: now, into: &effects)
        perform(effects)
    }

    /// Lets time pass, with a wake at every deadline.
    func advance(_ length: Duration) {
        let end = now + length
        while let deadline = state.deadline, deadline <= end {
            now = max(now, deadline)
            send(.wake)
        }
        now = end
    }

    /// Writes to the catalog whose answers are held back.
    var underWay: Int { held.count }

    func deliver() {
        let events = held
        held = []
        for event in events { send(event) }
    }

    /// Sends a request; the answer, if there is one already.
    @discardableResult
    func request(_ line: String, _ body: String = "", headers: [(name: String, value: String)] = []) -> HTTPResponse? {
        responses[begin(line, body, headers: headers)]
    }

    func begin(_ line: String, _ body: String = "", headers: [(name: String, value: String)] = []) -> RequestID {
        let id = RequestID(nextRequest)
        nextRequest += 1
        switch router.call(line, body: body, headers: headers) {
        case .immediate(let response): responses[id] = response
        case .agent(.local(let request), let isPretty):
            pretty[id] = isPretty
            send(.request(id, request, .allowAll))
        default: preconditionFailure("\(line) is no matter of the local state")
        }
        return id
    }

    func probed(_ outcome: CheckOutcome) { send(.probed(probes.last!.token, outcome)) }

    func forgetHistory() {
        writes = []
        reads = []
        logs = []
    }

    // MARK: Looking

    func check(_ id: String) -> HealthCheck? { state.registry.liveCheck(ByteString(id))?.check }
    func text(_ line: String) -> String { request(line)?.text ?? "(no answer)" }

    func status(_ line: String, _ body: String = "") -> String {
        guard let response = request(line, body) else { return "(no answer)" }
        return "\(response.status) \(response.text)"
    }

    // MARK: Effects

    private func perform(_ effects: [LocalEffect]) {
        for effect in effects {
            switch effect {
            case .read(let token, let query, let options):
                reads.append((now, query, options))
                answer(.readResult(token, read(query)))
            case .write(let token, let request):
                writes.append(request)
                if let text = writeError ?? refusal(request) {
                    answer(.writeResult(token, .failure(TextError(text))))
                } else {
                    apply(request)
                    answer(.writeResult(token, .success(.none)))
                }
            case .probe(let token, let probe, let timeout, let limit): probes.append((token, now, probe, timeout, limit))
            case .cancelProbe(let token): cancelledProbes.append(token)
            case .disk(let token, let operations):
                batches.append(operations)
                if holdsDisk { heldBatches.append((token, operations)) } else { write(token, operations) }
            case .respond(let id, let answer): responses[id] = AgentJSON.response(answer, pretty: pretty[id] ?? false)
            case .log(_, let subsystem, let text): logs.append("\(subsystem): \(text)")
            }
        }
    }

    var hasHeldBatches: Bool { !heldBatches.isEmpty }

    /// Batches that somebody waits for: those with a sync, and the removals.
    var hasHeldChanges: Bool { heldBatches.contains { isChange($0.operations) } }

    private func isChange(_ operations: [DiskOperation]) -> Bool {
        operations.contains { if case .sync = $0 { true } else if case .syncDirectory = $0 { true } else { false } }
    }

    func deliverChanges() {
        guard let at = heldBatches.firstIndex(where: { isChange($0.operations) }) else { return }
        let batch = heldBatches.remove(at: at)
        write(batch.token, batch.operations)
    }

    func removeFiles() { files = [:] }

    /// Performs the batches that wait; those that follow from them wait again.
    func deliverBatches() {
        let held = heldBatches
        heldBatches = []
        for batch in held { write(batch.token, batch.operations) }
    }

    private func write(_ token: UInt64, _ operations: [DiskOperation]) {
        for operation in operations {
            if let failure = diskFailure(operation) ?? write(operation) { return send(.diskCompleted(token, failure)) }
        }
        send(.diskCompleted(token, nil))
    }

    private func write(_ operation: DiskOperation) -> DiskError? {
        switch operation {
        case .write(let file, let offset, let bytes):
            precondition(offset == 0, "files are written from their start")
            files[file] = bytes
        case .truncate(let file, let size): files[file] = Array(files[file]!.prefix(size))
        case .rename(let from, let to):
            guard let bytes = files.removeValue(forKey: from) else { return .notFound(from) }
            files[to] = bytes
        case .remove(let file): if files.removeValue(forKey: file) == nil { return .notFound(file) }
        case .sync, .syncDirectory: break
        case .read: preconditionFailure("files are read at start only")
        }
        return nil
    }

    private func answer(_ event: LocalEvent) { if holdsAnswers { held.append(event) } else { send(event) } }

    private func read(_ query: ReadQuery) -> Result<(result: QueryResult, index: UInt64), TextError> {
        if let readError { return .failure(TextError(readError)) }
        switch query {
        case .catalog(.nodeServiceList(let name)):
            guard name == "n1" else { return .success((.nodeServices(nil), 5)) }
            guard let node else { return .success((.nodeServices(nil), 5)) }
            let rows = services.keys.sorted().map { Row(ServiceInstance(node: "n1", service: services[$0]!)) }
            return .success((.nodeServices((node: Row(node), services: rows)), 5))
        case .health(.nodeChecks(let name)) where name != "n1": return .success((.checks(othersChecks.map { Row($0) }), 5))
        case .health(.nodeChecks): return .success((.checks(checks.keys.sorted().map { Row(checks[$0]!) }), 5))
        default: return .failure(TextError("no such query"))
        }
    }

    private func apply(_ request: WriteRequest) {
        switch request {
        case .register(let request):
            if !request.skipNodeUpdate || node == nil {
                var found = Node()
                found.id = request.id
                found.node = request.node
                found.address = request.address
                found.taggedAddresses = request.taggedAddresses
                found.meta = request.nodeMeta
                node = found
            }
            if let service = request.service { services[service.id] = service }
            for check in (request.checks ?? []) + (request.check.map { [$0] } ?? []) { checks[check.checkID] = check }
        case .deregister(let request):
            if !request.serviceID.isEmpty {
                services[request.serviceID] = nil
                checks = checks.filter { $0.value.serviceID != request.serviceID }
            }
            if !request.checkID.isEmpty { checks[request.checkID] = nil }
        default: preconditionFailure("the local state registers and deregisters only")
        }
    }
}
