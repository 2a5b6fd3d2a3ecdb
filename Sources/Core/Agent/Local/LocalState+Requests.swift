// Answering `/v1/agent/` from the local state. Spec: http-1 §4.

extension LocalState {
    func handle(
        _ request: LocalRequest, _ id: RequestID, _ authorizer: Authorizer, _ pretty: Bool, _ now: Instant, _ effects: inout [LocalEffect]
    ) {
        do throws(Refusal) {
            switch request {
            case .services(let filter): effects.append(.respond(id, serviceList(filter, authorizer, pretty)))
            case .checks(let filter, let complaint): effects.append(.respond(id, try checkList(filter, complaint, authorizer, pretty)))
            case .service(let service, let hash, let wait):
                if let entry = liveService(ByteString(service)) { try permit(toRead: entry.service, authorizer) }
                answerService(id, id: ByteString(service), hash: hash, wait: wait, pretty: pretty, now, &effects)
            case .healthByID(let service, let text):
                let entry = liveService(ByteString(service))
                if let entry { try permit(toRead: entry.service, authorizer) }
                let health = entry.map { self.health(of: $0.service) }
                effects.append(.respond(id, AgentJSON.health(health, id: service, text: text, pretty: pretty)))
            case .healthByName(let name, let text):
                try permit(.serviceRead(name), authorizer)
                let all = services.filter { !$0.value.sync.deleted && sameBytes($0.value.service.service, name) }
                let healths = all.map { health(of: $0.value.service) }
                effects.append(.respond(id, AgentJSON.health(healths, name: name, text: text, pretty: pretty)))
            default:
                try change(request, authorizer, now, &effects)
                // Answered when the catalog has been told.
                waiters.append(WaitingRequest(id: id))
            }
        } catch {
            effects.append(.respond(id, error.response))
        }
    }

    private func change(_ request: LocalRequest, _ authorizer: Authorizer, _ now: Instant, _ effects: inout [LocalEffect]) throws(Refusal) {
        switch request {
        case .registerService(let definition, let token, let replaceChecks):
            try registerService(definition, token, replaceChecks: replaceChecks, authorizer, now, &effects)
        case .deregisterService(let service):
            let id = ByteString(service)
            try permit(removalOf: liveService(id), authorizer)
            removeService(id, &effects)
        case .serviceMaintenance(let service, let enable, let reason, let token):
            guard let entry = liveService(ByteString(service)) else {
                throw Refusal(404, "No service registered with ID \(GoQuote.quote(service))")
            }
            try permit(entry.service, authorizer)
            setMaintenance(of: entry.service, enable: enable, reason: reason, token: token, now, &effects)
        case .nodeMaintenance(let enable, let reason, let token):
            try permit(nil, authorizer)
            setMaintenance(of: nil, enable: enable, reason: reason, token: token, now, &effects)
        case .registerCheck(let definition, let token): try registerCheck(definition, token, authorizer, now, &effects)
        case .deregisterCheck(let check):
            let id = ByteString(check)
            if let entry = liveCheck(id) { try permit(entry.check, authorizer) }
            removeCheck(id, &effects)
        case .updateCheck(let check, let status, let output):
            let id = ByteString(check)
            if let entry = liveCheck(id) { try permit(entry.check, authorizer) }
            do throws(Complaint) {
                try updateTTL(id, status, output: output, now, &effects)
            } catch {
                throw Refusal(500, error.text)
            }
        case .services, .checks, .service, .healthByID, .healthByName: preconditionFailure("reads change nothing")
        }
    }

    private func registerService(
        _ definition: ServiceDefinition, _ token: String, replaceChecks: Bool, _ authorizer: Authorizer, _ now: Instant,
        _ effects: inout [LocalEffect]
    ) throws(Refusal) {
        try permit(definition.nodeService(), authorizer)
        if let existing = liveService(ByteString(definition.effectiveID)) { try permit(existing.service, authorizer) }
        do throws(Complaint) {
            let prefix = "Bad request: Invalid SidecarService: "
            let registrations = try registrations(of: definition, token: token, sidecarError: prefix)
            for registration in registrations { try examine(registration, source: .remote) }
            for registration in registrations {
                apply(registration, source: .remote, persistence: .written, replaceChecks: replaceChecks, now, &effects)
            }
        } catch {
            throw Refusal(500, error.text)
        }
    }

    private func registerCheck(
        _ definition: CheckDefinition, _ token: String, _ authorizer: Authorizer, _ now: Instant, _ effects: inout [LocalEffect]
    ) throws(Refusal) {
        let service = definition.serviceID.isEmpty ? nil : liveService(ByteString(definition.serviceID))?.service
        let registration = definition.registration(node: config.nodeName, service: service)
        try permit(registration.check, authorizer)
        if let existing = liveCheck(ByteString(registration.check.checkID)) { try permit(existing.check, authorizer) }
        if !definition.serviceID.isEmpty && service == nil {
            throw Refusal(500, "ServiceID \(GoQuote.quote(definition.serviceID)) does not exist")
        }
        do throws(Complaint) {
            try examine(registration, source: .remote)
        } catch {
            throw Refusal(500, error.text)
        }
        apply(registration, token: token, source: .remote, persistence: .written, now, &effects)
    }

    // MARK: Permissions

    private func permit(_ permission: Permission, _ authorizer: Authorizer) throws(Refusal) {
        if !authorizer.allows(permission) { throw .failure(Denied().text) }
    }

    private func permit(toRead service: NodeService, _ authorizer: Authorizer) throws(Refusal) {
        try permit(.serviceRead(service.service), authorizer)
    }

    /// The denial of a change says what is missing.
    private func permit(change permission: Permission, _ authorizer: Authorizer) throws(Refusal) {
        if !authorizer.allows(permission) { throw .failure(Denied(missing: permission).text) }
    }

    /// A service, or the node for nil. Whoever registers a proxy takes part in the service behind it.
    private func permit(_ service: NodeService?, _ authorizer: Authorizer) throws(Refusal) {
        guard let service else { return try permit(change: .nodeWrite(config.nodeName), authorizer) }
        try permit(change: .serviceWrite(service.service), authorizer)
        if service.kind == ServiceKind.connectProxy {
            try permit(change: .serviceWrite(service.proxy.destinationServiceName), authorizer)
        }
    }

    private func permit(_ check: HealthCheck, _ authorizer: Authorizer) throws(Refusal) {
        try permit(change: check.serviceName.isEmpty ? .nodeWrite(config.nodeName) : .serviceWrite(check.serviceName), authorizer)
    }

    private func permit(removalOf entry: LocalService?, _ authorizer: Authorizer) throws(Refusal) {
        if let entry { try permit(entry.service, authorizer) }
    }

    // MARK: Reads

    private func serviceList(_ filter: Filter?, _ authorizer: Authorizer, _ pretty: Bool) -> HTTPResponse {
        let found = services.lazy.filter { entry in
            !entry.value.sync.deleted && authorizer.sees(service: entry.value.service.service)
                && (filter?.matches(AgentServiceRow(entry.value.service)) ?? true)
        }
        return AgentJSON.services(Array(found.map(\.value.service)), pretty: pretty)
    }

    private func checkList(_ filter: Filter?, _ complaint: String?, _ authorizer: Authorizer, _ pretty: Bool) throws(Refusal)
        -> HTTPResponse
    {
        if let complaint, checks.contains(where: { !$0.value.sync.deleted }) { throw Refusal(500, complaint) }
        let node = config.nodeName
        let found = checks.lazy.filter { entry in
            let check = entry.value.check
            let permission = check.serviceName.isEmpty ? Permission.nodeRead(node) : .serviceRead(check.serviceName)
            return !entry.value.sync.deleted && authorizer.allows(permission) && (filter?.matches(check) ?? true)
        }
        return AgentJSON.checks(Array(found.map(\.value.check)), pretty: pretty)
    }

    private func health(of service: NodeService) -> AgentJSON.ServiceHealth {
        let concerned = checks.filter { _, entry in
            !entry.sync.deleted && (entry.check.serviceID.isEmpty || sameBytes(entry.check.serviceID, service.id))
        }
        let found = concerned.map(\.value.check)
        return AgentJSON.ServiceHealth(service: service, checks: found, status: AggregatedStatus(found))
    }
}
