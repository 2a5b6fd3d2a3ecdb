// Comparing what is registered with what the catalog holds. Spec: behaviour §6.3.

/// The two reads of a full sync.
struct Comparison {
    let servicesToken: UInt64
    let checksToken: UInt64
    /// An outer nil: not answered yet.
    var services: (node: Row<Node>, services: [Row<ServiceInstance>])??
    var checks: [Row<HealthCheck>]?
}

extension CatalogSync {
    func startComparison(_ effects: inout [LocalEffect]) {
        let comparison = Comparison(servicesToken: context.makeToken(), checksToken: context.makeToken())
        activity = .comparing(comparison)
        let settings = context.settings
        var options = QueryOptions()
        options.datacenter = settings.identity.datacenter
        // A server that has just started may not have caught up: what it says of checks that take their status from it would be old.
        if !registry.checks.all.contains(where: { $0.value.awaitsCatalog }) {
            options.allowStale = true
            options.maxStaleDuration = .seconds(2)
        }
        effects.append(.read(comparison.servicesToken, .catalog(.nodeServiceList(node: settings.identity.nodeName)), options))
        effects.append(.read(comparison.checksToken, .health(.nodeChecks(node: settings.identity.nodeName)), options))
    }

    func finishedRead(
        _ token: UInt64, _ result: Result<(result: QueryResult, index: UInt64), TextError>, _ now: Instant, _ effects: inout [LocalEffect]
    ) {
        guard case .comparing(var comparison) = activity, token == comparison.servicesToken || token == comparison.checksToken else {
            return
        }
        switch result {
        case .success((.nodeServices(let found), _)) where token == comparison.servicesToken: comparison.services = .some(found)
        case .success((.checks(let rows), _)) where token == comparison.checksToken: comparison.checks = rows
        case .success: return failedFullSync("unexpected answer", now, &effects)
        case .failure(let complaint): return failedFullSync(complaint.text, now, &effects)
        }
        activity = .comparing(comparison)
        guard let found = comparison.services, let checks = comparison.checks else { return }
        compareNode(found?.node.value)
        compareServices(found?.services ?? [], &effects)
        compareChecks(checks)
        startPass(isFull: true, now, &effects)
    }

    private func failedFullSync(_ text: String, _ now: Instant, _ effects: inout [LocalEffect]) {
        activity = .none
        context.log(.error, "failed to sync remote state", [("error", text)], subsystem: "agent.anti_entropy", &effects)
        schedule.finishedFull(succeeded: false, at: now, &context.random)
    }

    private func compareNode(_ node: Node?) {
        guard let node, sameBytes(node.id, context.settings.identity.nodeID) else {
            registry.nodeInfoInSync = false
            return
        }
        if (node.taggedAddresses ?? [:]) != context.settings.nodeTaggedAddresses
            || (node.meta ?? [:]) != context.settings.registeredNodeMeta
        {
            registry.nodeInfoInSync = false
        }
    }

    private func compareServices(_ rows: [Row<ServiceInstance>], _ effects: inout [LocalEffect]) {
        var remote = LookupSet<ByteString>()
        for row in rows {
            let theirs = row.value.service
            let id = ByteString(theirs.id)
            remote.insert(id)
            guard let entry = registry.services[id] else {
                // The servers' own service belongs to the leader.
                if theirs.id != "consul", !planted(.unknownServiceStays) { registry.services.put(id, unknownService(theirs)) }
                continue
            }
            if entry.sync.deleted {
                registry.services.setInSync(id, false)
                continue
            }
            if entry.service.enableTagOverride && entry.service.tags != theirs.tags {
                entry.service.tags = theirs.tags
                registry.services.changed(id)
                watches.changed(id, isPaused: isPaused, &effects)
            }
            registry.services.setInSync(id, entry.service.isSame(as: theirs))
        }
        for (id, _) in registry.services.all where !remote.contains(id) && !planted(.missingServiceIgnored) {
            registry.services.setInSync(id, false)
        }
    }

    /// Something registered under this node's name that this agent knows nothing of: to be deleted.
    private func unknownService(_ service: NodeService) -> LocalService {
        let entry = LocalService(service: service, token: "", source: .local, persisted: false)
        entry.sync.deleted = true
        return entry
    }

    private func compareChecks(_ rows: [Row<HealthCheck>]) {
        var remote = LookupSet<ByteString>()
        for row in rows {
            let id = ByteString(row.value.checkID)
            remote.insert(id)
            guard let entry = registry.checks[id] else {
                if row.value.checkID != CheckStatus.serfHealth || planted(.serfHealthRemoved), !planted(.unknownCheckStays) {
                    let unknown = CheckRegistration(check: row.value, definition: nil)
                    let entry = LocalCheck(unknown, token: "", source: .local, persisted: false)
                    entry.sync.deleted = true
                    registry.put(id, entry)
                }
                continue
            }
            if entry.sync.deleted {
                registry.setCheckInSync(id, false)
                continue
            }
            if entry.awaitsCatalog { adopt(row.value, entry) }
            let ignoresOutput = context.settings.checks.updateInterval > .zero && deferrals[id] != nil
            registry.setCheckInSync(id, entry.check.isSame(as: row.value, ignoringOutput: ignoresOutput))
        }
        for (id, entry) in registry.checks.all {
            if !remote.contains(id), !planted(.missingCheckIgnored) { registry.setCheckInSync(id, false) }
            guard entry.awaitsCatalog else { continue }
            // The catalog has never heard of it.
            entry.awaitsCatalog = false
            registry.markAliases(ofService: entry.check.serviceID)
        }
    }

    /// A check that was restored at start keeps the status that the catalog has, until its first run has ended: what is healthy does not
    /// turn critical because its agent starts again.
    private func adopt(_ row: HealthCheck, _ entry: LocalCheck) {
        entry.awaitsCatalog = false
        guard DefinitionRules.isStatus(row.status) else { return }
        entry.check.status = row.status
        entry.check.output = context.settings.reloadable.discardCheckOutput ? "" : row.output
        registry.markAliases(ofService: entry.check.serviceID)
    }
}
