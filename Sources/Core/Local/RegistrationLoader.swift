/// Registers what configuration files and the data directory hold, at start and at a reload. Spec: behaviour §6.7, config §20, §21.
final class RegistrationLoader {
    private let context: LocalContext
    private let registry: Registry
    private let registrations: Registrations
    private let runner: CheckRunner
    private let watches: ServiceWatches
    private let unsyncedFiles: UnsyncedFiles

    init(
        _ context: LocalContext, _ registry: Registry, _ registrations: Registrations, _ runner: CheckRunner,
        _ watches: ServiceWatches, _ unsyncedFiles: UnsyncedFiles
    ) {
        (self.context, self.registry, self.registrations, self.runner) = (context, registry, registrations, runner)
        (self.watches, self.unsyncedFiles) = (watches, unsyncedFiles)
    }

    /// See `LocalState.load`.
    func load(_ files: [LocalFile], at now: Instant, into effects: inout [LocalEffect]) throws(TextError) {
        try loadServices(now, &effects)
        if !planted(.registrationNotLoaded) { restoreServices(files, now, &effects) }
        try loadChecks(now, &effects)
        if !planted(.checkNotLoaded) { restoreChecks(files, now, &effects) }
        // Until they have run, what the catalog says of them holds: it may be more than that they are new.
        for (_, entry) in registry.checks.all {
            switch entry.runner {
            case .none: break
            case .ttl, .probe, .alias: entry.awaitsCatalog = !planted(.stateNotLoaded)
            }
        }
        restoreStates(files, now, &effects)
    }

    /// See `LocalState.reload`. Sync is paused meanwhile.
    func reload(_ new: Reloadable, at now: Instant, into effects: inout [LocalEffect]) throws(TextError) {
        let keptServices = registry.services.all.filter { !$0.value.sync.deleted && $0.value.persisted }.map(\.value)
        let keptChecks = registry.checks.all.filter { !$0.value.sync.deleted && $0.value.persisted }.map(\.value)
        let previous = registry.checks.all.filter { !$0.value.sync.deleted }
        let persists = context.settings.checks.persistsRegistrations
        try examine(new, keeping: persists ? keptServices.map(\.service.id) : [])
        if context.settings.reloadable.nodeMeta != new.nodeMeta { registry.nodeInfoInSync = false }
        unload(&effects)
        context.settings.reloadable = new
        try loadServices(now, &effects)
        if persists { restore(keptServices, now, &effects) }
        try loadChecks(now, &effects)
        if persists { restore(keptChecks, now, &effects) }
        for (id, old) in previous { keepState(of: old, id, now) }
    }

    /// Refuses a configuration before anything of the old one is gone.
    private func examine(_ new: Reloadable, keeping kept: [String]) throws(TextError) {
        let running = context.settings.reloadable, node = context.settings.identity.nodeName
        context.settings.reloadable = new
        defer { context.settings.reloadable = running }
        var ids = LookupSet<ByteString>()
        for id in kept { ids.insert(ByteString(id)) }
        for definition in new.services {
            let service = definition.nodeService()
            let registration = ServiceRegistration(
                service: service, checks: service.registrations(of: definition.allChecks, node: node), token: "")
            try examine(registration, ofConfiguration: definition.name)
            ids.insert(ByteString(service.id))
            if definition.sidecar != nil { ids.insert(ByteString(service.sidecarID)) }
        }
        for definition in new.checks {
            if !definition.serviceID.isEmpty && !ids.contains(ByteString(definition.serviceID)) {
                throw RegistrationLoader.failed(check: definition, "ServiceID \(GoQuote.quote(definition.serviceID)) does not exist")
            }
            try examine(definition.registration(node: node, service: nil), ofConfiguration: definition)
        }
    }

    private func unload(_ effects: inout [LocalEffect]) {
        // The files stay: what is persisted comes back.
        for (id, entry) in registry.checks.all where !entry.sync.deleted {
            registrations.stop(id, entry, &effects)
            registry.deleteCheck(id)
        }
        for (id, entry) in registry.services.all where !entry.sync.deleted {
            registry.services.delete(id)
            watches.changed(id, isPaused: true, &effects)
        }
    }

    /// A check that exists again has the status it had.
    private func keepState(of old: LocalCheck, _ id: ByteString, _ now: Instant) {
        guard let entry = registry.liveCheck(id), entry !== old else { return }
        entry.check.status = old.check.status
        entry.check.output = context.settings.reloadable.discardCheckOutput ? "" : old.check.output
        entry.criticalSince = old.criticalSince
        entry.awaitsCatalog = old.awaitsCatalog
        entry.keptState = old.keptState
        entry.lastNote = old.lastNote
        if entry.criticalSince != nil && entry.deregistersAfter != nil { runner.armReaper(now) }
        registry.markAliases(ofService: entry.check.serviceID)
    }

    // MARK: Configuration

    private func loadServices(_ now: Instant, _ effects: inout [LocalEffect]) throws(TextError) {
        for definition in context.settings.reloadable.services {
            let prefix = "Failed to validate sidecar for service \(GoQuote.quote(definition.name)): "
            for registration in try registrations.registrations(of: definition, token: definition.token, sidecarError: prefix) {
                try examine(registration, ofConfiguration: definition.name)
                registrations.register(registration, source: .local, persisted: false, now, &effects)
            }
        }
    }

    private func loadChecks(_ now: Instant, _ effects: inout [LocalEffect]) throws(TextError) {
        for definition in context.settings.reloadable.checks {
            let service = definition.serviceID.isEmpty ? nil : registry.liveService(ByteString(definition.serviceID))?.service
            if !definition.serviceID.isEmpty && service == nil {
                throw RegistrationLoader.failed(check: definition, "ServiceID \(GoQuote.quote(definition.serviceID)) does not exist")
            }
            var registration = definition.registration(node: context.settings.identity.nodeName, service: service)
            // The reference shows no type for these.
            registration.check.type = ""
            try examine(registration, ofConfiguration: definition)
            registrations.register(registration, token: definition.token, source: .local, persisted: false, now, &effects)
        }
    }

    private func examine(_ registration: ServiceRegistration, ofConfiguration name: String) throws(TextError) {
        if let problem = registration.checks.lazy.compactMap(\.definition).compactMap(DefinitionRules.check).first {
            throw TextError("Failed to validate checks for service \(GoQuote.quote(name)): \(problem)")
        }
        do throws(TextError) {
            try registrations.examine(registration, source: .local)
        } catch {
            throw TextError("Failed to register service \(GoQuote.quote(name)): \(error.text)")
        }
    }

    private func examine(_ registration: CheckRegistration, ofConfiguration definition: CheckDefinition) throws(TextError) {
        do throws(TextError) {
            try registrations.examine(registration, source: .local)
        } catch {
            throw RegistrationLoader.failed(check: definition, error.text)
        }
    }

    private static func failed(check: CheckDefinition, _ text: String) -> TextError {
        TextError("Failed to register check '\(check.name)': \(text)")
    }

    // MARK: What was registered over HTTP

    private func restore(_ kept: [LocalService], _ now: Instant, _ effects: inout [LocalEffect]) {
        for entry in kept {
            let service = PersistedFile.Service(service: entry.service, token: entry.token, source: entry.source)
            restore(service, file: PersistedFile.service(ByteString(entry.service.id), context.md5Hex), now, &effects)
        }
    }

    private func restore(_ kept: [LocalCheck], _ now: Instant, _ effects: inout [LocalEffect]) {
        for entry in kept {
            let registration = CheckRegistration(check: entry.check, definition: entry.definition)
            let check = PersistedFile.Check(registration, token: entry.token, source: entry.source)
            restore(check, file: PersistedFile.check(ByteString(entry.check.checkID), context.md5Hex), now, &effects)
        }
    }

    private func restoreServices(_ files: [LocalFile], _ now: Instant, _ effects: inout [LocalEffect]) {
        for file in files where file.name.utf8.starts(with: PersistedFile.services.utf8) {
            if file.name.utf8.starts(with: PersistedFile.serviceConfigs.utf8) { continue }
            if PersistedFile.isTemporary(file.name) {
                context.log(.warn, "Ignoring temporary service file", [("file", file.name)], &effects)
                continue
            }
            do throws(TextError) {
                restore(try context.codec.service(file.bytes), file: file.name, now, &effects)
            } catch {
                context.log(.error, "Failed decoding service file", [("file", file.name), ("error", error.text)], &effects)
            }
        }
    }

    private func restoreChecks(_ files: [LocalFile], _ now: Instant, _ effects: inout [LocalEffect]) {
        for file in files where file.name.utf8.starts(with: PersistedFile.checks.utf8) {
            if file.name.utf8.starts(with: PersistedFile.checkStates.utf8) { continue }
            if PersistedFile.isTemporary(file.name) {
                context.log(.warn, "Ignoring temporary check file", [("file", file.name)], &effects)
                continue
            }
            do throws(TextError) {
                restore(try context.codec.check(file.bytes), file: file.name, now, &effects)
            } catch {
                context.log(.error, "Failed decoding check file", [("file", file.name), ("error", error.text)], &effects)
            }
        }
    }

    private func restore(_ found: PersistedFile.Service, file: String, _ now: Instant, _ effects: inout [LocalEffect]) {
        var service = found.service
        service.addTaggedAddresses()
        let id = ByteString(service.id)
        let registration = ServiceRegistration(service: service, checks: [], token: found.token)
        do throws(TextError) {
            let source = try RegistrationLoader.source(found.source)
            if service.id.isEmpty { throw TextError("ServiceID missing") }
            try registrations.examine(registration, source: source)
            if registry.liveService(id) != nil {
                context.log(.debug, "service exists, not restoring from file", [("service", id.string), ("file", file)], &effects)
                unsyncedFiles.add(.remove(file: file))
                return
            }
            registrations.register(registration, source: source, persisted: true, now, &effects)
            context.log(.debug, "restored service definition from file", [("service", id.string), ("file", file)], &effects)
        } catch {
            context.log(.warn, "Failed to restore service", [("service", id.string), ("file", file), ("error", error.text)], &effects)
            unsyncedFiles.add(.remove(file: file))
        }
    }

    private func restore(_ found: PersistedFile.Check, file: String, _ now: Instant, _ effects: inout [LocalEffect]) {
        var registration = found.registration
        registration.check.node = context.settings.identity.nodeName
        // Unless its state was kept, nobody knows how it is.
        registration.check.status = CheckStatus.critical
        registration.check.output = ""
        let id = ByteString(registration.check.checkID)
        do throws(TextError) {
            let source = try RegistrationLoader.source(found.source)
            // One that another agent can run is kept, critical, with its file.
            try registrations.examine(registration, source: source, runnable: false)
            if !registration.check.serviceID.isEmpty && registry.liveService(ByteString(registration.check.serviceID)) == nil {
                throw TextError("ServiceID \(GoQuote.quote(registration.check.serviceID)) does not exist")
            }
            if registry.liveCheck(id) != nil {
                context.log(.debug, "check exists, not restoring from file", [("check", id.string), ("file", file)], &effects)
                unsyncedFiles.add(.remove(file: file))
                return
            }
            registrations.register(registration, token: found.token, source: source, persisted: true, now, &effects)
            context.log(.debug, "restored health check from file", [("check", id.string), ("file", file)], &effects)
        } catch {
            context.log(.warn, "Failed to restore check", [("check", id.string), ("file", file), ("error", error.text)], &effects)
            unsyncedFiles.add(.remove(file: file))
        }
    }

    private static func source(_ text: String) throws(TextError) -> RegistrationSource {
        if text.isEmpty { return .local }
        guard let source = RegistrationSource(rawValue: text) else { throw TextError("invalid source \(GoQuote.quote(text))") }
        return source
    }

    /// The last statuses of TTL checks, where they have not expired meanwhile.
    private func restoreStates(_ files: [LocalFile], _ now: Instant, _ effects: inout [LocalEffect]) {
        for file in files where file.name.utf8.starts(with: PersistedFile.checkStates.utf8) && !PersistedFile.isTemporary(file.name) {
            let state: PersistedFile.State
            do throws(TextError) {
                state = try context.codec.state(file.bytes)
            } catch {
                context.log(.error, "failed decoding check state", [("file", file.name), ("error", error.text)], &effects)
                continue
            }
            let id = ByteString(state.checkID)
            let isAlive = state.expires > context.unixSeconds(now) && DefinitionRules.isStatus(state.status)
            guard isAlive, let entry = registry.liveCheck(id), case .ttl = entry.runner else {
                context.log(.debug, "check state expired, not restoring", [("check", id.string)], &effects)
                unsyncedFiles.add(.remove(file: file.name))
                continue
            }
            entry.check.status = state.status
            entry.check.output = context.settings.reloadable.discardCheckOutput ? "" : state.output
            entry.awaitsCatalog = false
            entry.keptState = state
            registry.markAliases(ofService: entry.check.serviceID)
        }
    }
}
