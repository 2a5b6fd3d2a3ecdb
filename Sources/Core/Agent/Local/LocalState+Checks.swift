// Adding, removing and updating checks. Spec: behaviour §6.5-6.6, §6.10, §7.1-7.2, §7.7.

extension LocalState {
    /// Refuses what may not be registered.
    func examine(_ registration: CheckRegistration, source: RegistrationSource) throws(Complaint) {
        let check = registration.check
        if check.checkID.isEmpty { throw Complaint("CheckID missing") }
        guard let definition = registration.definition else { return }
        if let problem = DefinitionRules.check(definition) { throw Complaint("Check is not valid: " + problem) }
        if definition.isScript {
            if source == .local && !config.enableLocalScriptChecks && !config.enableScriptChecks {
                throw Complaint(
                    "Scripts are disabled on this agent; to enable, configure 'enable_script_checks' or "
                        + "'enable_local_script_checks' to true")
            }
            if source == .remote && !config.enableScriptChecks {
                throw Complaint(
                    "Scripts are disabled on this agent from remote calls; to enable, configure 'enable_script_checks' to true")
            }
        }
        // These two would never get a result; better no check than one that lies.
        switch definition.kindToRun {
        case .grpc: throw Complaint("gRPC checks are not supported by this agent")
        case .docker: throw Complaint("Docker checks are not supported by this agent")
        default: break
        }
    }

    /// Adds a check or replaces one, which keeps its status and output.
    func apply(
        _ registration: CheckRegistration, token: String, source: RegistrationSource, persistence: Persistence, _ now: Instant,
        _ effects: inout [LocalEffect]
    ) {
        let id = ByteString(registration.check.checkID)
        let entry = LocalCheck(registration, token: token, source: source, persisted: persistence != .none)
        if let old = checks[id] {
            stopRunner(id, old, &effects)
            entry.sync = old.sync
            entry.hasStateFile = old.hasStateFile
            if !old.sync.deleted {
                entry.check.status = old.check.status
                entry.check.output = old.check.output
            }
            entry.sync.deleted = false
        }
        entry.sync.changed()
        if config.discardCheckOutput { entry.check.output = "" }
        checks[id] = entry
        startRunner(id, entry, now, &effects)
        if persistence == .written { persistCheck(entry, &effects) }
        schedule.trigger(.changes)
        markAliases(ofService: entry.check.serviceID)
    }

    @discardableResult
    func removeCheck(_ id: ByteString, _ effects: inout [LocalEffect]) -> Bool {
        guard let entry = liveCheck(id) else {
            log(.warn, "Failed to deregister check", [("check", id.string), ("error", "Check not found")], &effects)
            return false
        }
        stopRunner(id, entry, &effects)
        entry.sync.deleted = true
        entry.sync.changed()
        entry.criticalSince = nil
        if config.persistsRegistrations {
            if entry.persisted { effects.append(.removeFile(PersistedFile.check(id, md5Hex))) }
            if entry.hasStateFile { effects.append(.removeFile(PersistedFile.checkState(id, md5Hex))) }
        }
        entry.hasStateFile = false
        log(.debug, "removed check", [("check", id.string)], &effects)
        schedule.trigger(.changes)
        markAliases(ofService: entry.check.serviceID)
        return true
    }

    // MARK: Status

    /// Records a result; tells the catalog at once when the status changes, later when only the output does (behaviour §6.5).
    func updateStatus(_ id: ByteString, _ status: String, output: String, _ now: Instant) {
        guard let entry = liveCheck(id) else { return }
        let output = config.discardCheckOutput ? "" : output
        if status == CheckStatus.critical {
            if entry.criticalSince == nil { entry.criticalSince = now }
            if entry.deregistersAfter != nil { armReaper(now) }
        } else {
            entry.criticalSince = nil
        }
        let sameStatus = entry.check.status == status
        if sameStatus && sameBytes(entry.check.output, output) { return }
        entry.check.output = output
        if sameStatus && config.checkUpdateInterval > .zero {
            if timers[.deferred(id)] == nil {
                timers[.deferred(id)] = now + config.checkUpdateInterval / 2 + random.duration(below: config.checkUpdateInterval)
            }
            // An answer under way carries the old output, which is fine until the timer ends.
            return
        }
        entry.check.status = status
        entry.sync.changed()
        schedule.trigger(.changes)
        markAliases(ofService: entry.check.serviceID)
    }

    /// A client's update of a TTL check; throws when there is none of that id.
    func updateTTL(
        _ id: ByteString, _ status: String, output: String, _ now: Instant, _ effects: inout [LocalEffect]
    ) throws(Complaint) {
        guard let entry = liveCheck(id), case .ttl(let runner) = entry.runner else {
            throw Complaint("CheckID \(GoQuote.quote(id.string)) does not have associated TTL")
        }
        let output = LocalState.limited(output, to: runner.outputLimit)
        entry.lastNote = output
        timers[.check(id)] = now + runner.ttl
        log(.debug, "Check status updated", [("check", id.string), ("status", status)], &effects)
        updateStatus(id, status, output: output, now)
        persistState(id, entry, runner.ttl, now, &effects)
    }

    /// The first `limit` bytes of a note, with what it lost.
    static func limited(_ output: String, to limit: Int) -> String {
        let size = output.utf8.count
        if size <= limit { return output }
        return String(repairing: output.utf8.prefix(limit)) + " ... (captured \(limit) of \(size) bytes)"
    }

    // MARK: Maintenance

    /// Of the node, or of a service that exists. Doing it twice changes nothing.
    func setMaintenance(
        of service: NodeService?, enable: Bool, reason: String, token: String, _ now: Instant, _ effects: inout [LocalEffect]
    ) {
        let id = service.map { MaintenanceCheck.id(ofService: $0.id) } ?? MaintenanceCheck.nodeID
        let pairs = service.map { [("service", $0.id)] } ?? []
        let what = service == nil ? "Node" : "Service"
        if !enable {
            guard liveCheck(id) != nil else { return }
            removeCheck(id, &effects)
            log(.info, "\(what) left maintenance mode", pairs, &effects)
            return
        }
        guard liveCheck(id) == nil else { return }
        var check = HealthCheck()
        check.node = config.nodeName
        check.checkID = id.string
        check.name = "\(what) Maintenance Mode"
        check.status = CheckStatus.critical
        check.notes = reason
        if reason.isEmpty {
            check.notes =
                "Maintenance mode is enabled for this \(what.lowercased()), but no reason was provided. This is a default message."
        }
        check.serviceID = service?.id ?? ""
        check.serviceName = service?.service ?? ""
        check.serviceTags = service?.tags
        check.type = "maintenance"
        apply(CheckRegistration(check: check, definition: nil), token: token, source: .local, persistence: .written, now, &effects)
        log(.info, "\(what) entered maintenance mode", pairs, &effects)
    }
}

extension CheckDefinition {
    enum Kind {
        case ttl, http, tcp, grpc, docker, script, alias, none
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
