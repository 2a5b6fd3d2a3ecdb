/// Requests that wait for a service to change: `/v1/agent/service/:id?hash=`. Spec: behaviour §2.5, http-1 §4.3.
final class ServiceWatches {
    struct Watch {
        let service: ByteString
        /// Of the content that the client knows.
        let hash: String
    }

    private static let defaultWait: Duration = .seconds(300)
    private static let maximumWait: Duration = .seconds(600)
    /// Requests that may wait at the same time; further ones are answered at once.
    private static let limit = 100_000

    private let context: LocalContext
    private let registry: Registry
    private var byRequest = LookupTable<RequestID, Watch>()
    private var byService = LookupTable<ByteString, [RequestID]>()
    /// Services that changed while sync was paused, in the order of their changes.
    private var missed: [ByteString] = []
    private var timers = DeadlineQueue<RequestID>()

    init(_ context: LocalContext, _ registry: Registry) {
        self.context = context
        self.registry = registry
    }

    var count: Int { byRequest.count }
    var deadline: Instant? { timers.first }

    /// Answers with the service, or waits while its content is what the client knows.
    func answer(_ request: RequestID, id: ByteString, hash: String, wait: Duration, _ now: Instant, _ effects: inout [LocalEffect]) {
        if !hash.isEmpty, let entry = registry.liveService(id), context.codec.contentHash(entry.service) == hash,
            count < ServiceWatches.limit
        {
            let limit = wait > .zero ? min(wait, ServiceWatches.maximumWait) : ServiceWatches.defaultWait
            byRequest[request] = Watch(service: id, hash: hash)
            byService[id, default: []].append(request)
            timers[request] = now + limit + context.random.duration(below: limit / 16)
            return
        }
        respond(to: request, service: id, &effects)
    }

    private func respond(to request: RequestID, service id: ByteString, _ effects: inout [LocalEffect]) {
        if let entry = registry.liveService(id) {
            effects.append(.respond(request, .service(entry.service)))
        } else {
            effects.append(.respond(request, .refused(.notFound("unknown service ID: \(id.string)"))))
        }
    }

    /// The service has changed, come or gone. `isPaused`: half a reload is not to be seen.
    func changed(_ id: ByteString, isPaused: Bool, _ effects: inout [LocalEffect]) {
        guard let waiting = byService[id] else { return }
        if isPaused {
            if !missed.contains(id) { missed.append(id) }
            return
        }
        let hash = registry.liveService(id).map { context.codec.contentHash($0.service) }
        for request in waiting {
            guard let watch = byRequest[request], hash != watch.hash else { continue }
            remove(request)
            respond(to: request, service: id, &effects)
        }
    }

    /// Changes are shown again.
    func resume(_ effects: inout [LocalEffect]) {
        let ids = missed
        missed = []
        for id in ids { changed(id, isPaused: false, &effects) }
    }

    /// Answers those that have waited long enough.
    func wake(_ now: Instant, _ effects: inout [LocalEffect]) {
        while let request = timers.popExpired(at: now) {
            guard let watch = remove(request) else { continue }
            respond(to: request, service: watch.service, &effects)
        }
    }

    /// The request waits no longer.
    @discardableResult
    func remove(_ request: RequestID) -> Watch? {
        guard let watch = byRequest.removeValue(forKey: request) else { return nil }
        timers[request] = nil
        var others = byService[watch.service] ?? []
        others.removeAll { $0 == request }
        byService[watch.service] = others.isEmpty ? nil : others
        return watch
    }
}
