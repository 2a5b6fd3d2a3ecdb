// What a request would change, and which files keep it. Spec: http-1 §4, behaviour §6.6-6.7, §6.10.

extension Registrations {
    /// Examines a request against what is registered now; refuses what may not or cannot be done. Nothing changes.
    func plan(_ request: LocalRequest, for requester: RequestID?, _ authorizer: Authorizer) throws(LocalRefusal) -> PlannedChange {
        switch request {
        case .registerService(let definition, let token, let replaceChecks):
            return try planRegistration(of: definition, token, replaceChecks: replaceChecks, for: requester, authorizer)
        case .registerCheck(let definition, let token): return try planRegistration(of: definition, token, for: requester, authorizer)
        case .deregisterService(let service):
            let id = ByteString(service)
            if let entry = registry.liveService(id) { try permit(entry.service, authorizer) }
            return planRemoval(ofService: id, .removeService(id), for: requester)
        case .deregisterCheck(let check):
            let id = ByteString(check)
            if let entry = registry.liveCheck(id) { try permit(entry.check, authorizer) }
            return planRemoval(ofCheck: id, .removeCheck(id), for: requester)
        case .serviceMaintenance(let service, let enable, let reason, let token):
            guard let entry = registry.liveService(ByteString(service)) else {
                throw .unknownService(service)
            }
            try permit(entry.service, authorizer)
            return planMaintenance(of: entry.service, enable: enable, reason: reason, token: token, for: requester)
        case .nodeMaintenance(let enable, let reason, let token):
            try permit(nil, authorizer)
            return planMaintenance(of: nil, enable: enable, reason: reason, token: token, for: requester)
        case .services, .checks, .service, .healthByID, .healthByName, .updateCheck:
            preconditionFailure("these change nothing that has files")
        }
    }

    private func planRegistration(
        of definition: ServiceDefinition, _ token: String, replaceChecks: Bool, for requester: RequestID?, _ authorizer: Authorizer
    ) throws(LocalRefusal) -> PlannedChange {
        try permit(definition.nodeService(), authorizer)
        if let existing = registry.liveService(ByteString(definition.effectiveID)) { try permit(existing.service, authorizer) }
        var found: [ServiceRegistration]
        do throws(TextError) {
            found = try registrations(of: definition, token: token, sidecarError: "Bad request: Invalid SidecarService: ")
            for registration in found { try examine(registration, source: .remote) }
        } catch {
            throw .failed(error.text)
        }
        var files: [FileChange] = []
        var services: [ByteString] = [], checks: [ByteString] = []
        for registration in found {
            for check in registration.checks {
                checks.append(ByteString(check.check.checkID))
                files += write(check, token: registration.token, source: .remote)
            }
            if replaceChecks {
                for id in checksReplaced(by: registration) {
                    checks.append(id)
                    files += removal(ofCheck: id)
                }
            }
            services.append(ByteString(registration.service.id))
            files += write(registration.service, token: registration.token, source: .remote)
        }
        return PlannedChange(
            requester: requester, action: .registerServices(found, replaceChecks: replaceChecks), files: FileChange.oneForEach(files),
            services: services, checks: checks)
    }

    private func planRegistration(
        of definition: CheckDefinition, _ token: String, for requester: RequestID?, _ authorizer: Authorizer
    ) throws(LocalRefusal) -> PlannedChange {
        let service = definition.serviceID.isEmpty ? nil : registry.liveService(ByteString(definition.serviceID))?.service
        let registration = definition.registration(node: context.settings.identity.nodeName, service: service)
        let id = ByteString(registration.check.checkID)
        try permit(registration.check, authorizer)
        if let existing = registry.liveCheck(id) { try permit(existing.check, authorizer) }
        if !definition.serviceID.isEmpty && service == nil {
            throw .failed("ServiceID \(GoQuote.quote(definition.serviceID)) does not exist")
        }
        do throws(TextError) {
            try examine(registration, source: .remote)
        } catch {
            throw .failed(error.text)
        }
        return PlannedChange(
            requester: requester, action: .registerCheck(registration, token: token),
            files: write(registration, token: token, source: .remote), services: service.map { [ByteString($0.id)] } ?? [], checks: [id])
    }

    func planRemoval(ofService id: ByteString, _ action: PlannedChange.Action, for requester: RequestID?) -> PlannedChange {
        var files: [FileChange] = []
        var services = [id], checks: [ByteString] = []
        var next = registry.liveService(id)
        while let entry = next {
            if isKept(entry.persisted) { files.append(.remove(file: PersistedFile.service(ByteString(entry.service.id), context.md5Hex))) }
            for check in registry.checks(ofService: entry.service.id) {
                checks.append(check.id)
                files += removal(ofCheck: check.id)
            }
            next = nil
            if let sidecar = sidecar(of: entry) {
                services.append(sidecar.id)
                next = sidecar.entry
            }
        }
        return PlannedChange(requester: requester, action: action, files: files, services: services, checks: checks)
    }

    /// Whether the check is still one that has been critical for so long that its service is to go.
    func isOverdue(_ check: ByteString, of service: ByteString, _ now: Instant) -> Bool {
        guard let entry = registry.liveCheck(check), ByteString(entry.check.serviceID) == service else { return false }
        return entry.isOverdue(at: now)
    }

    /// Writes anew the files of what is registered, which a change that is not made has removed; nil if there are none.
    func planRewrite(of change: PlannedChange) -> PlannedChange? {
        var files: [FileChange] = []
        for id in change.checks { if let entry = registry.liveCheck(id), isKept(entry.persisted) { files += write(entry) } }
        for id in change.services { if let entry = registry.liveService(id), isKept(entry.persisted) { files += write(entry) } }
        if files.isEmpty { return nil }
        return PlannedChange(requester: nil, action: .none, files: files, services: change.services, checks: change.checks)
    }

    private func planRemoval(ofCheck id: ByteString, _ action: PlannedChange.Action, for requester: RequestID?) -> PlannedChange {
        let service = registry.liveCheck(id)?.check.serviceID ?? ""
        return PlannedChange(
            requester: requester, action: action, files: removal(ofCheck: id), services: service.isEmpty ? [] : [ByteString(service)],
            checks: [id])
    }

    /// Of the node, or of a service that exists. Doing it twice changes nothing.
    private func planMaintenance(
        of service: NodeService?, enable: Bool, reason: String, token: String, for requester: RequestID?
    ) -> PlannedChange {
        let registration = MaintenanceCheck.registration(of: service, reason: reason, node: context.settings.identity.nodeName)
        let id = ByteString(registration.check.checkID)
        let services = service.map { [ByteString($0.id)] } ?? []
        if enable == (registry.liveCheck(id) != nil) {
            return PlannedChange(requester: requester, action: .none, files: [], services: services, checks: [id])
        }
        if !enable {
            return PlannedChange(
                requester: requester, action: .leaveMaintenance(service, check: id), files: removal(ofCheck: id), services: services,
                checks: [id])
        }
        return PlannedChange(
            requester: requester, action: .enterMaintenance(service, registration, token: token),
            files: write(registration, token: token, source: .local), services: services, checks: [id])
    }

    // MARK: Permissions

    /// The denial of a change says what is missing.
    private func permit(change permission: Permission, _ authorizer: Authorizer) throws(LocalRefusal) {
        if !authorizer.allows(permission) { throw .denied(Denied(missing: permission).text) }
    }

    /// A service, or the node for nil. Whoever registers a proxy takes part in the service behind it.
    private func permit(_ service: NodeService?, _ authorizer: Authorizer) throws(LocalRefusal) {
        guard let service else { return try permit(change: .nodeWrite(context.settings.identity.nodeName), authorizer) }
        try permit(change: .serviceWrite(service.service), authorizer)
        if service.kind == ServiceKind.connectProxy {
            try permit(change: .serviceWrite(service.proxy.destinationServiceName), authorizer)
        }
    }

    func permit(_ check: HealthCheck, _ authorizer: Authorizer) throws(LocalRefusal) {
        let node = context.settings.identity.nodeName
        try permit(change: check.serviceName.isEmpty ? .nodeWrite(node) : .serviceWrite(check.serviceName), authorizer)
    }

    // MARK: Files

    private func isKept(_ persisted: Bool) -> Bool { persisted && context.settings.checks.persistsRegistrations }

    private func write(_ service: NodeService, token: String, source: RegistrationSource) -> [FileChange] {
        guard context.settings.checks.persistsRegistrations else { return [] }
        let file = PersistedFile.Service(service: service, token: token, source: source)
        return [.write(file: PersistedFile.service(ByteString(service.id), context.md5Hex), bytes: context.codec.encode(file))]
    }

    private func write(_ check: CheckRegistration, token: String, source: RegistrationSource) -> [FileChange] {
        guard context.settings.checks.persistsRegistrations else { return [] }
        let file = PersistedFile.Check(taking(over: check), token: token, source: source)
        return [.write(file: PersistedFile.check(ByteString(check.check.checkID), context.md5Hex), bytes: context.codec.encode(file))]
    }

    private func removal(ofCheck id: ByteString) -> [FileChange] {
        guard let entry = registry.liveCheck(id), isKept(entry.persisted) else { return [] }
        return [.remove(file: PersistedFile.check(id, context.md5Hex))]
    }

    /// The files of entries as they are.
    func write(_ entry: LocalService) -> [FileChange] { write(entry.service, token: entry.token, source: entry.source) }

    func write(_ entry: LocalCheck) -> [FileChange] {
        write(CheckRegistration(check: entry.check, definition: entry.definition), token: entry.token, source: entry.source)
    }
}
