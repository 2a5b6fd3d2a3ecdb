// Adding and removing services. Spec: behaviour §6.6.

extension LocalState {
    /// What a definition registers: the service, and its sidecar if it has one.
    ///
    /// `sidecarError` puts the words before what is wrong with the sidecar. Nothing changes.
    func registrations(
        of definition: ServiceDefinition, token: String, sidecarError: String
    ) throws(Complaint) -> [ServiceRegistration] {
        let service = definition.nodeService()
        let checks = service.registrations(of: definition.allChecks, node: config.nodeName)
        var found = [ServiceRegistration(service: service, checks: checks, token: token)]
        if let sidecar = definition.sidecar?.definition {
            let ports = SidecarPorts(first: config.sidecarMinPort, last: config.sidecarMaxPort)
            let others = services.lazy.filter { !$0.value.sync.deleted }.map(\.value.service)
            do throws(Complaint) {
                if let problem = sidecar.allChecks.lazy.compactMap(DefinitionRules.check).first { throw Complaint(problem) }
                found.append(
                    try sidecar.sidecarRegistration(of: service, token: token, node: config.nodeName, ports: ports, among: others))
            } catch {
                throw Complaint(sidecarError + error.text)
            }
        }
        return found
    }

    /// Refuses what may not be registered, so that applying cannot fail.
    func examine(_ registration: ServiceRegistration, source: RegistrationSource) throws(Complaint) {
        if registration.service.service.isEmpty { throw Complaint("Service name missing") }
        if let problem = DefinitionRules.taggedAddresses(registration.service.taggedAddresses) { throw Complaint(problem) }
        for check in registration.checks { try examine(check, source: source) }
    }

    /// Adds or replaces a service and its checks; other checks of the service stay unless `replaceChecks`.
    func apply(
        _ registration: ServiceRegistration, source: RegistrationSource, persistence: Persistence, replaceChecks: Bool = false,
        _ now: Instant, _ effects: inout [LocalEffect]
    ) {
        let service = registration.service
        warnOfNames(service, &effects)
        let id = ByteString(service.id)
        let entry: LocalService
        if let old = services[id] {
            entry = old
            entry.service = service
            entry.token = registration.token
            entry.source = source
            entry.persisted = persistence != .none
            entry.sync.deleted = false
        } else {
            entry = LocalService(service: service, token: registration.token, source: source, persisted: persistence != .none)
            services[id] = entry
        }
        entry.sync.changed()
        let old = checkIDs(ofService: service.id)
        for check in registration.checks {
            apply(check, token: registration.token, source: source, persistence: persistence, now, &effects)
        }
        if replaceChecks {
            for checkID in old where !registration.checks.contains(where: { ByteString($0.check.checkID) == checkID }) {
                removeCheck(checkID, &effects)
            }
        }
        if persistence == .written { persistService(entry, &effects) }
        schedule.trigger(.changes)
        markAliases(ofService: service.id)
        wakeWatches(of: id, &effects)
    }

    private func warnOfNames(_ service: NodeService, _ effects: inout [LocalEffect]) {
        if let warning = DefinitionRules.undiscoverable("Service name", service.service) {
            log(.warn, warning, [("service", service.service)], &effects)
        }
        for tag in service.tags ?? [] {
            if let warning = DefinitionRules.undiscoverable("Service tag", tag) { log(.debug, warning, [("tag", tag)], &effects) }
        }
    }

    /// Removes a service, its checks and the sidecar that was registered with it. False for an unknown one.
    @discardableResult
    func removeService(_ id: ByteString, _ effects: inout [LocalEffect]) -> Bool {
        guard let entry = liveService(id) else {
            log(.warn, "Failed to deregister service", [("service", id.string), ("error", "Service not found")], &effects)
            return false
        }
        for checkID in checkIDs(ofService: entry.service.id) { removeCheck(checkID, &effects) }
        entry.sync.deleted = true
        entry.sync.changed()
        if entry.persisted && config.persistsRegistrations {
            effects.append(.removeFile(PersistedFile.service(id, md5Hex)))
        }
        log(.debug, "removed service", [("service", id.string)], &effects)
        schedule.trigger(.changes)
        markAliases(ofService: entry.service.id)
        wakeWatches(of: id, &effects)
        let sidecarID = ByteString(entry.service.sidecarID)
        if let sidecar = liveService(sidecarID), sidecar.service.locallyRegisteredAsSidecar { removeService(sidecarID, &effects) }
        return true
    }

    // MARK: Reaping

    /// Deregisters the services whose checks have been critical for too long (behaviour §6.8).
    func reap(_ now: Instant, _ effects: inout [LocalEffect]) {
        var doomed: [(service: ByteString, check: ByteString)] = []
        var more = false
        for (id, entry) in checks where !entry.sync.deleted {
            guard let limit = entry.deregistersAfter, let since = entry.criticalSince else { continue }
            if now - since > limit { doomed.append((ByteString(entry.check.serviceID), id)) } else { more = true }
        }
        for (service, check) in doomed where liveService(service) != nil {
            removeService(service, &effects)
            log(
                .info, "Check for service has been critical for too long; deregistered service",
                [("service", service.string), ("check", check.string)], &effects)
        }
        if more { armReaper(now) }
    }

    /// The reaper sleeps while no check that it could act on is critical.
    func armReaper(_ now: Instant) {
        guard timers[.reap] == nil else { return }
        let interval = max(1, config.checkReapInterval.nanoseconds)
        let elapsed = (now - (startedAt ?? now)).nanoseconds
        timers[.reap] = (startedAt ?? now) + .nanoseconds((elapsed / interval + 1) * interval)
    }
}
