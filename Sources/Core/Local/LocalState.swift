/// The services and checks registered with this agent, the checks' runs, and the agreement of the catalog with all of it.
///
/// Its parts: `Registry` holds what is registered, `Registrations` changes it, `ChangeQueue` makes clients' changes durable first,
/// `RegistrationLoader` reads configuration and data directory, `CheckRunner` keeps statuses up to date, `CatalogSync` tells the catalog.
/// Departures from the reference: a registration is checked completely and is durable before anything changes, so nothing has to be
/// rolled back; an alias check does not look at itself; checks that are read at start keep the catalog's status until they have run.
public final class LocalState {
    let context: LocalContext
    let registry = Registry()
    private let watches: ServiceWatches
    private let sync: CatalogSync
    private let unsyncedFiles: UnsyncedFiles
    private let runner: CheckRunner
    private let registrations: Registrations
    private let changes: ChangeQueue
    private let loader: RegistrationLoader

    /// `random` is this machine's own; `md5Hex` serves to name files only.
    public init(settings: AgentSettings, random: Random, codec: any RegistrationCodec, md5Hex: @escaping @Sendable ([UInt8]) -> String) {
        context = LocalContext(settings: settings, random: random, codec: codec, md5Hex: md5Hex)
        watches = ServiceWatches(context, registry)
        sync = CatalogSync(context, registry, watches)
        unsyncedFiles = UnsyncedFiles(context)
        runner = CheckRunner(context, registry, sync, unsyncedFiles)
        registrations = Registrations(context, registry, runner, sync, watches, unsyncedFiles)
        changes = ChangeQueue(context, registry, registrations, sync, unsyncedFiles)
        loader = RegistrationLoader(context, registry, registrations, runner, watches, unsyncedFiles)
    }

    /// When to call with `.wake`; nil for never.
    public var deadline: Instant? {
        var earliest = runner.deadline
        earliest.bringForward(to: sync.deadline)
        earliest.bringForward(to: watches.deadline)
        return earliest
    }

    public func handle(_ event: LocalEvent, at now: Instant, into effects: inout [LocalEffect]) {
        if runner.startedAt == nil { runner.startedAt = now }
        switch event {
        case .request(let id, let request, let authorizer): handle(request, id, authorizer, now, &effects)
        case .cancelled(let id):
            watches.remove(id)
            changes.cancel(id)
            sync.cancel(id)
        case .readResult(let token, let result):
            if !runner.finishedAliasRead(token, result, now, &effects) { sync.finishedRead(token, result, now, &effects) }
        case .writeResult(let token, let result): sync.finishedWrite(token, result, now, &effects)
        case .probed(let token, let outcome): runner.probed(token, outcome, now, &effects)
        case .diskCompleted(let token, let failure):
            if !unsyncedFiles.completed(token, failure, &effects) { _ = changes.completed(token, failure, now, &effects) }
        case .startSyncing: sync.startSyncing(now)
        case .synchronize: sync.schedule.trigger(.full)
        case .members(let count): sync.schedule.members = count
        case .pause: sync.pause()
        case .resume: if sync.resume() { watches.resume(&effects) }
        case .wallClock(let offset): context.settings.wallClockOffset = offset
        case .wake: break
        case .shutDown: unsyncedFiles.flush(all: true, &effects)
        }
        settle(at: now, &effects)
    }

    /// Runs what has become due and starts what can be started.
    private func settle(at now: Instant, _ effects: inout [LocalEffect]) {
        watches.wake(now, &effects)
        for (service, check) in runner.wake(now, &effects) { changes.add(.reap(service: service, check: check), for: nil, &effects) }
        changes.proceed(now, &effects)
        runner.evaluateDueAliases(now, &effects)
        sync.settle(now, &effects)
        unsyncedFiles.flush(&effects)
    }

    // MARK: Configuration and data directory

    /// Registers what configuration and data directory hold. To be called once, before anything else.
    ///
    /// `files` are those below `services/` and `checks/`. Damaged ones are logged and left alone; nothing else stops the start but a
    /// definition in the configuration, whose complaint is returned.
    public func load(_ files: [LocalFile], at now: Instant, into effects: inout [LocalEffect]) -> TextError? {
        runner.startedAt = now
        do throws(TextError) {
            try loader.load(files, at: now, into: &effects)
        } catch {
            return error
        }
        settle(at: now, &effects)
        return nil
    }

    /// Takes the services, checks and metadata of a new configuration; what was registered over HTTP stays, and so do all statuses.
    ///
    /// What is wrong with the new definitions is returned; then nothing has changed, unless sidecars have run out of ports.
    public func reload(_ new: Reloadable, at now: Instant, into effects: inout [LocalEffect]) -> TextError? {
        sync.pause()
        var complaint: TextError?
        do throws(TextError) {
            try loader.reload(new, at: now, into: &effects)
        } catch {
            complaint = error
        }
        handle(.resume, at: now, into: &effects)
        return complaint
    }

    // MARK: Requests

    private func handle(
        _ request: LocalRequest, _ id: RequestID, _ authorizer: Authorizer, _ now: Instant, _ effects: inout [LocalEffect]
    ) {
        let answer: LocalAnswer
        switch request {
        case .services, .checks, .healthByID, .healthByName: answer = read(request, authorizer)
        case .service(let service, let hash, let wait):
            if let entry = registry.liveService(ByteString(service)), !authorizer.sees(service: entry.service.service) {
                answer = .refused(.denied(Denied().text))
            } else {
                return watches.answer(id, id: ByteString(service), hash: hash, wait: wait, now, &effects)
            }
        case .updateCheck(let check, let status, let output):
            do throws(LocalRefusal) {
                if let entry = registry.liveCheck(ByteString(check)) { try registrations.permit(entry.check, authorizer) }
                try runner.updateTTL(ByteString(check), status, output: output, now, &effects)
                return sync.answerWhenSent(id)
            } catch {
                answer = .refused(error)
            }
        case .registerService, .deregisterService, .serviceMaintenance, .nodeMaintenance, .registerCheck, .deregisterCheck:
            return changes.add(.client(request, authorizer), for: id, &effects)
        }
        effects.append(.respond(id, answer))
    }

    /// Services and checks that the caller may not see are left out.
    private func read(_ request: LocalRequest, _ authorizer: Authorizer) -> LocalAnswer {
        switch request {
        case .services(let filter):
            return .services(
                registry.liveServices.filter { authorizer.sees(service: $0.service) && (filter?.matches(AgentServiceRow($0)) ?? true) })
        case .checks(let filter, let complaint):
            let found = registry.liveChecks
            if let complaint, !found.isEmpty { return .refused(.failed(complaint)) }
            let node = context.settings.identity.nodeName
            return .checks(
                found.filter { check in
                    let permission = check.serviceName.isEmpty ? Permission.nodeRead(node) : .serviceRead(check.serviceName)
                    return authorizer.allows(permission) && (filter?.matches(check) ?? true)
                })
        case .healthByID(let id, let text):
            guard let entry = registry.liveService(ByteString(id)) else { return .healthByID(nil, id: id, text: text) }
            guard authorizer.sees(service: entry.service.service) else { return .refused(.denied(Denied().text)) }
            return .healthByID(registry.health(of: entry.service), id: id, text: text)
        case .healthByName(let name, let text):
            guard authorizer.allows(.serviceRead(name)) else { return .refused(.denied(Denied().text)) }
            let found = registry.liveServices.filter { sameBytes($0.service, name) }
            return .healthByName(found.map { registry.health(of: $0) }, name: name, text: text)
        default: preconditionFailure("the others are no reads, or wait")
        }
    }

    // MARK: Looking

    /// What `/v1/agent/self` counts.
    public var statistics: LocalStatistics { registry.statistics }

    /// Whether a user event is meant for this node and its services.
    func concerns(_ event: EventMessage) -> Bool {
        event.concerns(node: context.settings.identity.nodeName, services: registry.liveServices)
    }
}
