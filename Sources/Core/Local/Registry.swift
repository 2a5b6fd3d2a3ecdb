/// The services and checks of this agent, and what is known of how the catalog agrees with them.
final class Registry {
    var services = SyncedEntries<LocalService>()
    private(set) var checks = SyncedEntries<LocalCheck>()
    /// The checks of every service, deleted ones too; those of the node itself under the empty id.
    private var checksByService = LookupTable<ByteString, SortedMap<ByteString, LocalCheck>>()
    var nodeInfoInSync = false
    /// Alias checks of this node's services, and those of them that are to be evaluated before the event is done.
    private(set) var aliasIDs: [ByteString] = []
    var dueAliases: [ByteString] = []

    // MARK: Look-up

    func liveService(_ id: ByteString) -> LocalService? { services.live(id) }
    func liveCheck(_ id: ByteString) -> LocalCheck? { checks.live(id) }

    var liveServices: [NodeService] { services.all.compactMap { $0.value.sync.deleted ? nil : $0.value.service } }
    var liveChecks: [HealthCheck] { checks.all.compactMap { $0.value.sync.deleted ? nil : $0.value.check } }

    /// The checks of a service, or of the node itself for an empty id, in the order of their ids.
    func checks(ofService id: String) -> [(id: ByteString, entry: LocalCheck)] {
        guard let found = checksByService[ByteString(id)] else { return [] }
        return found.compactMap { $0.value.sync.deleted ? nil : (id: $0.key, entry: $0.value) }
    }

    /// A service with the checks that concern it: its own and the node's.
    func health(of service: NodeService) -> ServiceHealth {
        var concerned = checks(ofService: "")
        if !service.id.isEmpty { concerned += checks(ofService: service.id) }
        concerned.sort { $0.id < $1.id }
        return ServiceHealth(service: service, checks: concerned.map(\.entry.check))
    }

    /// What `/v1/agent/self` counts.
    var statistics: LocalStatistics {
        var counts = LocalStatistics()
        counts.services = services.all.count { !$0.value.sync.deleted }
        for (_, entry) in checks.all where !entry.sync.deleted {
            counts.checks += 1
            switch entry.runner {
            case .ttl: counts.ttlChecks += 1
            case .probe(let runner): if case .script = runner.probe { counts.monitors += 1 }
            case .none, .alias: break
            }
        }
        return counts
    }

    // MARK: Changes

    func put(_ id: ByteString, _ entry: LocalCheck) {
        if let old = checks[id] { unlink(id, old) }
        checksByService[ByteString(entry.check.serviceID), default: [:]][id] = entry
        checks.put(id, entry)
    }

    func checkChanged(_ id: ByteString) { checks.changed(id) }
    func deleteCheck(_ id: ByteString) { checks.delete(id) }
    func setCheckInSync(_ id: ByteString, _ inSync: Bool) { checks.setInSync(id, inSync) }

    func forgetCheck(_ id: ByteString) {
        if let old = checks[id] { unlink(id, old) }
        checks.forget(id)
    }

    /// The catalog has dropped a service, and its checks with it.
    func forgetService(_ id: ByteString) {
        guard let entry = services[id] else { return }
        services.forget(id)
        for (checkID, check) in checksByService[ByteString(entry.service.id)] ?? [:] where check.sync.deleted { forgetCheck(checkID) }
    }

    private func unlink(_ id: ByteString, _ entry: LocalCheck) {
        let service = ByteString(entry.check.serviceID)
        guard var others = checksByService.removeValue(forKey: service) else { return }
        others[id] = nil
        if !others.isEmpty { checksByService[service] = others }
    }

    // MARK: Aliases

    func addAlias(_ id: ByteString) {
        aliasIDs.append(id)
        markAlias(id)
    }

    func removeAlias(_ id: ByteString) {
        aliasIDs.removeAll { $0 == id }
        dueAliases.removeAll { $0 == id }
    }

    func markAlias(_ id: ByteString) { if !dueAliases.contains(id) { dueAliases.append(id) } }

    /// Checks or the existence of a service have changed; an empty id stands for the node's own checks, which concern every alias.
    func markAliases(ofService serviceID: String) {
        for id in aliasIDs {
            guard let entry = liveCheck(id), case .alias(let runner) = entry.runner else { continue }
            if serviceID.isEmpty || sameBytes(runner.serviceID, serviceID) { markAlias(id) }
        }
    }
}

public struct LocalStatistics: Hashable, Sendable {
    public var services = 0
    public var checks = 0
    public var ttlChecks = 0
    /// Script checks.
    public var monitors = 0
    public init() {}
}
