// Requests that wait for a service to change: `/v1/agent/service/:id?hash=`. Spec: behaviour §2.5, http-1 §4.3.

struct ServiceWatch {
    var service: ByteString
    /// Of the content that the client knows.
    var hash: String
    var pretty: Bool
}

/// Who waits for what.
struct ServiceWatches {
    private var byRequest = LookupTable<RequestID, ServiceWatch>()
    private var byService = LookupTable<ByteString, [RequestID]>()
    /// Services that changed while sync was paused, in the order of their changes.
    private var missed: [ByteString] = []

    var count: Int { byRequest.count }

    subscript(id: RequestID) -> ServiceWatch? { byRequest[id] }

    /// Waiting for this service, in the order of their arrival.
    func requests(for service: ByteString) -> [RequestID] { byService[service] ?? [] }

    mutating func add(_ id: RequestID, _ watch: ServiceWatch) {
        byRequest[id] = watch
        byService[watch.service, default: []].append(id)
    }

    @discardableResult
    mutating func remove(_ id: RequestID) -> ServiceWatch? {
        guard let watch = byRequest.removeValue(forKey: id) else { return nil }
        var others = byService[watch.service] ?? []
        others.removeAll { $0 == id }
        byService[watch.service] = others.isEmpty ? nil : others
        return watch
    }

    mutating func noteMissed(_ service: ByteString) {
        if byService[service] != nil && !missed.contains(service) { missed.append(service) }
    }

    mutating func takeMissed() -> [ByteString] {
        defer { missed = [] }
        return missed
    }
}

extension LocalState {
    private static let defaultWait: Duration = .seconds(300)
    private static let maximumWait: Duration = .seconds(600)
    /// Requests that may wait at the same time; further ones are answered at once.
    private static let watchLimit = 100_000

    /// Answers with the service, or waits while its content is what the client knows.
    func answerService(
        _ request: RequestID, id: ByteString, hash: String, wait: Duration, pretty: Bool, _ now: Instant, _ effects: inout [LocalEffect]
    ) {
        if !hash.isEmpty, let entry = liveService(id), AgentJSON.contentHash(entry.service) == hash, watches.count < LocalState.watchLimit {
            let limit = wait > .zero ? min(wait, LocalState.maximumWait) : LocalState.defaultWait
            watches.add(request, ServiceWatch(service: id, hash: hash, pretty: pretty))
            timers[.watch(request)] = now + limit + random.duration(below: limit / 16)
            return
        }
        respond(to: request, service: id, pretty: pretty, &effects)
    }

    private func respond(to request: RequestID, service id: ByteString, pretty: Bool, _ effects: inout [LocalEffect]) {
        guard let entry = liveService(id) else {
            effects.append(.respond(request, Answer.plain(404, "unknown service ID: \(id.string)")))
            return
        }
        effects.append(.respond(request, AgentJSON.service(entry.service, pretty: pretty)))
    }

    /// The service has changed, come or gone.
    func wakeWatches(of id: ByteString, _ effects: inout [LocalEffect]) {
        let waiting = watches.requests(for: id)
        if waiting.isEmpty { return }
        // Half a registration or reload is not to be seen.
        if pauses > 0 { return watches.noteMissed(id) }
        let hash = liveService(id).map { AgentJSON.contentHash($0.service) }
        for request in waiting {
            guard let watch = watches[request], hash != watch.hash else { continue }
            watches.remove(request)
            timers[.watch(request)] = nil
            respond(to: request, service: id, pretty: watch.pretty, &effects)
        }
    }

    func watchTimedOut(_ request: RequestID, _ effects: inout [LocalEffect]) {
        guard let watch = watches.remove(request) else { return }
        respond(to: request, service: watch.service, pretty: watch.pretty, &effects)
    }

    /// The client of a request has gone.
    func cancel(_ request: RequestID) {
        if watches.remove(request) != nil { timers[.watch(request)] = nil }
        for at in waiters.indices where waiters[at].id == request { waiters[at].cancelled = true }
        if case .sending(var pass) = activity, let at = pass.waiters.firstIndex(where: { $0.id == request }) {
            pass.waiters[at].cancelled = true
            activity = .sending(pass)
        }
    }
}
