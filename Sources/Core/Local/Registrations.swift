/// Adding, replacing and removing services and checks. Spec: behaviour §6.5-6.6, §6.8, §6.10.
///
/// What is to be added is examined completely before anything changes, so that nothing has to be rolled back.
final class Registrations {
    let context: LocalContext
    let registry: Registry
    private let runner: CheckRunner
    private let sync: CatalogSync
    private let watches: ServiceWatches
    private let states: UnsyncedFiles

    init(
        _ context: LocalContext, _ registry: Registry, _ runner: CheckRunner, _ sync: CatalogSync, _ watches: ServiceWatches,
        _ states: UnsyncedFiles
    ) {
        (self.context, self.registry, self.runner) = (context, registry, runner)
        (self.sync, self.watches, self.states) = (sync, watches, states)
    }

    // MARK: Examining

    /// What a definition registers: the service, and its sidecar if it has one.
    ///
    /// `sidecarError` puts the words before what is wrong with the sidecar. Nothing changes.
    func registrations(
        of definition: ServiceDefinition, token: String, sidecarError: String
    ) throws(TextError) -> [ServiceRegistration] {
        let settings = context.settings
        let service = definition.nodeService()
        let checks = service.registrations(of: definition.allChecks, node: settings.identity.nodeName)
        var found = [ServiceRegistration(service: service, checks: checks, token: token)]
        if let sidecar = definition.sidecar?.definition {
            let ports = SidecarPorts(first: settings.addresses.sidecarMinPort, last: settings.addresses.sidecarMaxPort)
            do throws(TextError) {
                if let problem = sidecar.allChecks.lazy.compactMap(DefinitionRules.check).first { throw TextError(problem) }
                found.append(
                    try sidecar.sidecarRegistration(
                        of: service, token: token, node: settings.identity.nodeName, ports: ports, among: registry.liveServices))
            } catch {
                throw TextError(sidecarError + error.text)
            }
        }
        return found
    }

    /// Refuses what may not be registered, so that registering cannot fail.
    func examine(_ registration: ServiceRegistration, source: RegistrationSource) throws(TextError) {
        if registration.service.service.isEmpty { throw TextError("Service name missing") }
        if let problem = DefinitionRules.taggedAddresses(registration.service.taggedAddresses) { throw TextError(problem) }
        for check in registration.checks { try examine(check, source: source) }
    }

    /// `runnable`: refuses the kinds of checks that this agent cannot run.
    func examine(_ registration: CheckRegistration, source: RegistrationSource, runnable: Bool = true) throws(TextError) {
        if registration.check.checkID.isEmpty { throw TextError("CheckID missing") }
        guard let definition = registration.definition else { return }
        if let problem = DefinitionRules.check(definition) { throw TextError("Check is not valid: " + problem) }
        if definition.isScript {
            let settings = context.settings
            if source == .local && !settings.checks.enableLocalScripts && !settings.checks.enableScripts {
                throw TextError(
                    "Scripts are disabled on this agent; to enable, configure 'enable_script_checks' or "
                        + "'enable_local_script_checks' to true")
            }
            if source == .remote && !settings.checks.enableScripts {
                throw TextError(
                    "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true")
            }
        }
        // A new check that never gets a result: better none than one that lies.
        if runnable, let problem = definition.kindToRun.problem { throw TextError(problem) }
    }

    // MARK: Services

    /// Adds or replaces a service and its checks; other checks of the service stay unless `replaceChecks`.
    ///
    /// `persisted`: the data directory holds its files.
    func register(
        _ registration: ServiceRegistration, source: RegistrationSource, persisted: Bool, replaceChecks: Bool = false, _ now: Instant,
        _ effects: inout [LocalEffect]
    ) {
        let service = registration.service
        warnOfNames(service, &effects)
        let id = ByteString(service.id)
        let entry: LocalService
        if let old = registry.services[id] {
            entry = old
            entry.service = service
            entry.token = registration.token
            entry.source = source
            entry.persisted = persisted
            entry.sync.deleted = false
        } else {
            entry = LocalService(service: service, token: registration.token, source: source, persisted: persisted)
        }
        registry.services.put(id, entry)
        let others = checksReplaced(by: registration)
        for check in registration.checks {
            register(check, token: registration.token, source: source, persisted: persisted, now, &effects)
        }
        if replaceChecks { for other in others { removeCheck(other, &effects) } }
        sync.trigger()
        registry.markAliases(ofService: service.id)
        watches.changed(id, isPaused: sync.isPaused, &effects)
    }

    /// The checks that a service has now and would not have if it were registered anew.
    func checksReplaced(by registration: ServiceRegistration) -> [ByteString] {
        registry.checks(ofService: registration.service.id).map(\.id).filter { id in
            !registration.checks.contains { ByteString($0.check.checkID) == id }
        }
    }

    private func warnOfNames(_ service: NodeService, _ effects: inout [LocalEffect]) {
        if let warning = DefinitionRules.undiscoverable("Service name", service.service) {
            context.log(.warn, warning, [("service", service.service)], &effects)
        }
        for tag in service.tags ?? [] {
            if let warning = DefinitionRules.undiscoverable("Service tag", tag) { context.log(.debug, warning, [("tag", tag)], &effects) }
        }
    }

    /// The sidecar that was registered with a service, if it is there.
    func sidecar(of entry: LocalService) -> (id: ByteString, entry: LocalService)? {
        let id = ByteString(entry.service.sidecarID)
        guard let sidecar = registry.liveService(id), sidecar.service.locallyRegisteredAsSidecar else { return nil }
        return (id, sidecar)
    }

    /// Removes a service, its checks and the sidecar that was registered with it. False for an unknown one.
    @discardableResult
    func removeService(_ id: ByteString, _ effects: inout [LocalEffect]) -> Bool {
        guard let entry = registry.liveService(id) else {
            context.log(.warn, "Failed to deregister service", [("service", id.string), ("error", "Service not found")], &effects)
            return false
        }
        for check in registry.checks(ofService: entry.service.id) { removeCheck(check.id, &effects) }
        registry.services.delete(id)
        context.log(.debug, "removed service", [("service", id.string)], &effects)
        sync.trigger()
        registry.markAliases(ofService: entry.service.id)
        watches.changed(id, isPaused: sync.isPaused, &effects)
        if let sidecar = sidecar(of: entry) { removeService(sidecar.id, &effects) }
        return true
    }

    // MARK: Checks

    /// A check as it will be: one that replaces another keeps its status and output.
    func taking(over registration: CheckRegistration) -> CheckRegistration {
        var result = registration
        if let old = registry.liveCheck(ByteString(registration.check.checkID)) {
            result.check.status = old.check.status
            result.check.output = old.check.output
        }
        if context.settings.reloadable.discardCheckOutput { result.check.output = "" }
        return result
    }

    func register(
        _ registration: CheckRegistration, token: String, source: RegistrationSource, persisted: Bool, _ now: Instant,
        _ effects: inout [LocalEffect]
    ) {
        let id = ByteString(registration.check.checkID)
        let entry = LocalCheck(taking(over: registration), token: token, source: source, persisted: persisted)
        if let old = registry.checks[id] {
            stop(id, old, &effects)
            entry.sync = old.sync
            entry.keptState = old.keptState
            entry.awaitsCatalog = old.awaitsCatalog && !old.sync.deleted
            entry.sync.deleted = false
        }
        registry.put(id, entry)
        runner.start(id, entry, now, &effects)
        sync.trigger()
        registry.markAliases(ofService: entry.check.serviceID)
    }

    /// Ends what keeps a check's status up to date, before it is replaced or removed.
    func stop(_ id: ByteString, _ entry: LocalCheck, _ effects: inout [LocalEffect]) {
        runner.stop(id, entry, &effects)
        sync.cancelDeferral(of: id)
    }

    @discardableResult
    func removeCheck(_ id: ByteString, _ effects: inout [LocalEffect]) -> Bool {
        guard let entry = registry.liveCheck(id) else {
            context.log(.warn, "Failed to deregister check", [("check", id.string), ("error", "Check not found")], &effects)
            return false
        }
        stop(id, entry, &effects)
        registry.deleteCheck(id)
        entry.criticalSince = nil
        entry.awaitsCatalog = false
        if entry.keptState != nil { states.add(.remove(file: PersistedFile.checkState(id, context.md5Hex))) }
        entry.keptState = nil
        context.log(.debug, "removed check", [("check", id.string)], &effects)
        sync.trigger()
        registry.markAliases(ofService: entry.check.serviceID)
        return true
    }

    // MARK: Planned changes

    /// Makes a change whose files are durable.
    func make(_ action: PlannedChange.Action, _ now: Instant, _ effects: inout [LocalEffect]) {
        switch action {
        case .none: break
        case .registerServices(let services, let replaceChecks):
            for service in services {
                register(service, source: .remote, persisted: true, replaceChecks: replaceChecks, now, &effects)
            }
        case .registerCheck(let check, let token): register(check, token: token, source: .remote, persisted: true, now, &effects)
        case .removeService(let id): removeService(id, &effects)
        case .removeCheck(let id): removeCheck(id, &effects)
        case .enterMaintenance(let service, let check, let token):
            register(check, token: token, source: .local, persisted: true, now, &effects)
            logMaintenance("entered", service, &effects)
        case .leaveMaintenance(let service, let check):
            removeCheck(check, &effects)
            logMaintenance("left", service, &effects)
        case .reap(let service, let check):
            guard registry.liveService(service) != nil else { return }
            removeService(service, &effects)
            context.log(
                .info, "Check for service has been critical for too long; deregistered service",
                [("service", service.string), ("check", check.string)], &effects)
        }
    }

    private func logMaintenance(_ verb: String, _ service: NodeService?, _ effects: inout [LocalEffect]) {
        let pairs = service.map { [("service", $0.id)] } ?? []
        context.log(.info, "\(MaintenanceCheck.name(of: service)) \(verb) maintenance mode", pairs, &effects)
    }
}

extension CheckDefinition {
    enum Kind {
        case ttl, http, tcp, grpc, docker, script, alias, none

        /// Why this agent cannot run it.
        var problem: String? {
            switch self {
            case .grpc: "gRPC checks are not supported by this agent"
            case .docker: "Docker checks are not supported by this agent"
            case .ttl, .http, .tcp, .script, .alias, .none: nil
            }
        }
    }

    /// What is run where several kinds are given (behaviour §7.1).
    var kindToRun: Kind {
        if ttl > .zero { return .ttl }
        guard interval > .zero else { return isAlias ? .alias : .none }
        if !http.isEmpty { return .http }
        if !tcp.isEmpty { return .tcp }
        if !grpc.isEmpty { return .grpc }
        if !dockerContainerID.isEmpty && isScript { return .docker }
        if isScript { return .script }
        return isAlias ? .alias : .none
    }
}
