// Start, reload and the files of the data directory. Spec: behaviour §6.7, config §20, §21.

extension LocalState {
    /// Registers what configuration and data directory hold. To be called once, before anything else.
    ///
    /// `files` are those below `services/` and `checks/`. Damaged ones are logged and left alone; nothing else stops the start but a
    /// definition in the configuration, whose complaint is returned.
    public func load(_ files: [LocalFile], at now: Instant, into effects: inout [LocalEffect]) -> Complaint? {
        startedAt = now
        do {
            try loadServices(now, &effects)
            restoreServices(files, now, &effects)
            try loadChecks(now, &effects)
            restoreChecks(files, now, &effects)
            restoreStates(files, now, &effects)
        } catch {
            return error
        }
        settle(at: now, &effects)
        return nil
    }

    /// Takes the services, checks and metadata of a new configuration; what was registered over HTTP stays, and so do all statuses.
    ///
    /// What is wrong with the new definitions is returned; then nothing has changed, unless sidecars have run out of ports.
    public func reload(_ new: AgentConfig, at now: Instant, into effects: inout [LocalEffect]) -> Complaint? {
        let keptServices = services.filter { !$0.value.sync.deleted && $0.value.persisted }.map(\.value)
        let keptChecks = checks.filter { !$0.value.sync.deleted && $0.value.persisted }.map(\.value)
        let previous = checks.filter { !$0.value.sync.deleted }
        do {
            try examine(new, keeping: new.persistsRegistrations ? keptServices.map(\.service.id) : [])
        } catch {
            return error
        }
        pauses += 1
        defer {
            handle(.resume, at: now, into: &effects)
        }
        if config.registeredNodeMeta != new.registeredNodeMeta || config.nodeTaggedAddresses != new.nodeTaggedAddresses {
            nodeInfoInSync = false
        }
        unload(&effects)
        config = new
        do {
            try loadServices(now, &effects)
            if new.persistsRegistrations { restore(keptServices, now, &effects) }
            try loadChecks(now, &effects)
            if new.persistsRegistrations { restore(keptChecks, now, &effects) }
        } catch {
            return error
        }
        for (id, old) in previous { keepState(of: old, id, now) }
        return nil
    }

    /// Refuses a configuration before anything of the old one is gone.
    private func examine(_ new: AgentConfig, keeping kept: [String]) throws(Complaint) {
        let running = config
        config = new
        defer { config = running }
        var ids = LookupSet<ByteString>()
        for id in kept { ids.insert(ByteString(id)) }
        for definition in new.services {
            let service = definition.nodeService()
            let registration = ServiceRegistration(
                service: service, checks: service.registrations(of: definition.allChecks, node: new.nodeName), token: "")
            try examine(registration, ofConfiguration: definition.name)
            ids.insert(ByteString(service.id))
            if definition.sidecar != nil { ids.insert(ByteString(service.sidecarID)) }
        }
        for definition in new.checks {
            if !definition.serviceID.isEmpty && !ids.contains(ByteString(definition.serviceID)) {
                throw LocalState.failed(check: definition, "ServiceID \(GoQuote.quote(definition.serviceID)) does not exist")
            }
            try examine(definition.registration(node: new.nodeName, service: nil), ofConfiguration: definition)
        }
    }

    private func unload(_ effects: inout [LocalEffect]) {
        // The files stay: what is persisted comes back.
        for (id, entry) in checks where !entry.sync.deleted {
            stopRunner(id, entry, &effects)
            entry.sync.deleted = true
            entry.sync.changed()
        }
        for (id, entry) in services where !entry.sync.deleted {
            entry.sync.deleted = true
            entry.sync.changed()
            watches.noteMissed(id)
        }
    }

    /// A check that exists again has the status it had.
    private func keepState(of old: LocalCheck, _ id: ByteString, _ now: Instant) {
        guard let entry = liveCheck(id), entry !== old else { return }
        entry.check.status = old.check.status
        entry.check.output = config.discardCheckOutput ? "" : old.check.output
        entry.criticalSince = old.criticalSince
        entry.hasStateFile = old.hasStateFile
        entry.lastNote = old.lastNote
        if entry.criticalSince != nil && entry.deregistersAfter != nil { armReaper(now) }
        markAliases(ofService: entry.check.serviceID)
    }

    // MARK: Configuration

    private func loadServices(_ now: Instant, _ effects: inout [LocalEffect]) throws(Complaint) {
        for definition in config.services {
            let prefix = "Failed to validate sidecar for service \(GoQuote.quote(definition.name)): "
            for registration in try registrations(of: definition, token: definition.token, sidecarError: prefix) {
                try examine(registration, ofConfiguration: definition.name)
                apply(registration, source: .local, persistence: .none, now, &effects)
            }
        }
    }

    private func loadChecks(_ now: Instant, _ effects: inout [LocalEffect]) throws(Complaint) {
        for definition in config.checks {
            let service = definition.serviceID.isEmpty ? nil : liveService(ByteString(definition.serviceID))?.service
            if !definition.serviceID.isEmpty && service == nil {
                throw LocalState.failed(check: definition, "ServiceID \(GoQuote.quote(definition.serviceID)) does not exist")
            }
            var registration = definition.registration(node: config.nodeName, service: service)
            // The reference shows no type for these.
            registration.check.type = ""
            try examine(registration, ofConfiguration: definition)
            apply(registration, token: definition.token, source: .local, persistence: .none, now, &effects)
        }
    }

    private func examine(_ registration: ServiceRegistration, ofConfiguration name: String) throws(Complaint) {
        if let problem = registration.checks.lazy.compactMap(\.definition).compactMap(DefinitionRules.check).first {
            throw Complaint("Failed to validate checks for service \(GoQuote.quote(name)): \(problem)")
        }
        do throws(Complaint) {
            try examine(registration, source: .local)
        } catch {
            throw Complaint("Failed to register service \(GoQuote.quote(name)): \(error.text)")
        }
    }

    private func examine(_ registration: CheckRegistration, ofConfiguration definition: CheckDefinition) throws(Complaint) {
        do throws(Complaint) {
            try examine(registration, source: .local)
        } catch {
            throw LocalState.failed(check: definition, error.text)
        }
    }

    private static func failed(check: CheckDefinition, _ text: String) -> Complaint {
        Complaint("Failed to register check '\(check.name)': \(text)")
    }

    // MARK: What was registered over HTTP

    private func restore(_ kept: [LocalService], _ now: Instant, _ effects: inout [LocalEffect]) {
        for entry in kept {
            let service = PersistedFile.Service(service: entry.service, token: entry.token, source: entry.source)
            restore(service, file: PersistedFile.service(ByteString(entry.service.id), md5Hex), now, &effects)
        }
    }

    private func restore(_ kept: [LocalCheck], _ now: Instant, _ effects: inout [LocalEffect]) {
        for entry in kept {
            let registration = CheckRegistration(check: entry.check, definition: entry.definition)
            let check = PersistedFile.Check(registration, token: entry.token, source: entry.source)
            restore(check, file: PersistedFile.check(ByteString(entry.check.checkID), md5Hex), now, &effects)
        }
    }

    private func restoreServices(_ files: [LocalFile], _ now: Instant, _ effects: inout [LocalEffect]) {
        for file in files where file.name.utf8.starts(with: PersistedFile.services.utf8) {
            if file.name.utf8.starts(with: PersistedFile.serviceConfigs.utf8) { continue }
            if PersistedFile.isTemporary(file.name) {
                log(.warn, "Ignoring temporary service file", [("file", file.name)], &effects)
                continue
            }
            do throws(GoError) {
                restore(try PersistedFile.Service(file.bytes), file: file.name, now, &effects)
            } catch {
                log(.error, "Failed decoding service file", [("file", file.name), ("error", error.text)], &effects)
            }
        }
    }

    private func restoreChecks(_ files: [LocalFile], _ now: Instant, _ effects: inout [LocalEffect]) {
        for file in files where file.name.utf8.starts(with: PersistedFile.checks.utf8) {
            if file.name.utf8.starts(with: PersistedFile.checkStates.utf8) { continue }
            if PersistedFile.isTemporary(file.name) {
                log(.warn, "Ignoring temporary check file", [("file", file.name)], &effects)
                continue
            }
            do throws(GoError) {
                restore(try PersistedFile.Check(file.bytes), file: file.name, now, &effects)
            } catch {
                log(.error, "Failed decoding check file", [("file", file.name), ("error", error.text)], &effects)
            }
        }
    }

    private func restore(_ found: PersistedFile.Service, file: String, _ now: Instant, _ effects: inout [LocalEffect]) {
        var service = found.service
        service.addTaggedAddresses()
        let id = ByteString(service.id)
        let registration = ServiceRegistration(service: service, checks: [], token: found.token)
        do throws(Complaint) {
            let source = try LocalState.source(found.source)
            if service.id.isEmpty { throw Complaint("ServiceID missing") }
            try examine(registration, source: source)
            if liveService(id) != nil {
                log(.debug, "service exists, not restoring from file", [("service", id.string), ("file", file)], &effects)
                effects.append(.removeFile(file))
                return
            }
            apply(registration, source: source, persistence: .kept, now, &effects)
            log(.debug, "restored service definition from file", [("service", id.string), ("file", file)], &effects)
        } catch {
            log(.warn, "Failed to restore service", [("service", id.string), ("file", file), ("error", error.text)], &effects)
            effects.append(.removeFile(file))
        }
    }

    private func restore(_ found: PersistedFile.Check, file: String, _ now: Instant, _ effects: inout [LocalEffect]) {
        var registration = found.registration
        registration.check.node = config.nodeName
        // Unless its state was kept, nobody knows how it is.
        registration.check.status = CheckStatus.critical
        registration.check.output = ""
        let id = ByteString(registration.check.checkID)
        do throws(Complaint) {
            let source = try LocalState.source(found.source)
            try examine(registration, source: source)
            if !registration.check.serviceID.isEmpty && liveService(ByteString(registration.check.serviceID)) == nil {
                throw Complaint("ServiceID \(GoQuote.quote(registration.check.serviceID)) does not exist")
            }
            if liveCheck(id) != nil {
                log(.debug, "check exists, not restoring from file", [("check", id.string), ("file", file)], &effects)
                effects.append(.removeFile(file))
                return
            }
            apply(registration, token: found.token, source: source, persistence: .kept, now, &effects)
            log(.debug, "restored health check from file", [("check", id.string), ("file", file)], &effects)
        } catch {
            log(.warn, "Failed to restore check", [("check", id.string), ("file", file), ("error", error.text)], &effects)
            effects.append(.removeFile(file))
        }
    }

    private static func source(_ text: String) throws(Complaint) -> RegistrationSource {
        if text.isEmpty { return .local }
        guard let source = RegistrationSource(rawValue: text) else { throw Complaint("invalid source \(GoQuote.quote(text))") }
        return source
    }

    /// The last statuses of TTL checks, where they have not expired meanwhile.
    private func restoreStates(_ files: [LocalFile], _ now: Instant, _ effects: inout [LocalEffect]) {
        for file in files where file.name.utf8.starts(with: PersistedFile.checkStates.utf8) && !PersistedFile.isTemporary(file.name) {
            let state: PersistedFile.State
            do throws(GoError) {
                state = try PersistedFile.State(file.bytes)
            } catch {
                log(.error, "failed decoding check state", [("file", file.name), ("error", error.text)], &effects)
                continue
            }
            let id = ByteString(state.checkID)
            let isAlive = state.expires > unixSeconds(now) && DefinitionRules.isStatus(state.status)
            guard isAlive, let entry = liveCheck(id), case .ttl = entry.runner else {
                log(.debug, "check state expired, not restoring", [("check", id.string)], &effects)
                effects.append(.removeFile(file.name))
                continue
            }
            entry.check.status = state.status
            entry.check.output = config.discardCheckOutput ? "" : state.output
            entry.hasStateFile = true
            markAliases(ofService: entry.check.serviceID)
        }
    }

    // MARK: Writing

    private func unixSeconds(_ now: Instant) -> Int64 { (now.nanoseconds &+ config.wallClockOffset) / 1_000_000_000 }

    func persistService(_ entry: LocalService, _ effects: inout [LocalEffect]) {
        guard config.persistsRegistrations else { return }
        let file = PersistedFile.Service(service: entry.service, token: entry.token, source: entry.source)
        effects.append(.persist(file: PersistedFile.service(ByteString(entry.service.id), md5Hex), file.encoded()))
    }

    func persistCheck(_ entry: LocalCheck, _ effects: inout [LocalEffect]) {
        guard config.persistsRegistrations else { return }
        let registration = CheckRegistration(check: entry.check, definition: entry.definition)
        let file = PersistedFile.Check(registration, token: entry.token, source: entry.source)
        effects.append(.persist(file: PersistedFile.check(ByteString(entry.check.checkID), md5Hex), file.encoded()))
    }

    /// Long TTLs are to survive a restart.
    func persistState(_ id: ByteString, _ entry: LocalCheck, _ ttl: Duration, _ now: Instant, _ effects: inout [LocalEffect]) {
        guard config.persistsRegistrations else { return }
        entry.hasStateFile = true
        let state = PersistedFile.State(
            checkID: entry.check.checkID, output: entry.check.output, status: entry.check.status, expires: unixSeconds(now + ttl))
        effects.append(.persist(file: PersistedFile.checkState(id, md5Hex), state.encoded()))
    }
}
