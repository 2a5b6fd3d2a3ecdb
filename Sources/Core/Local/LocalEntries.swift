// What the local state holds for each service and check. Spec: behaviour §6.1.

/// Where a registration came from; decides which permission for scripts counts.
enum RegistrationSource: String, Sendable {
    /// A configuration file, or the agent itself.
    case local
    /// The HTTP API.
    case remote
}

final class LocalService: SyncedEntry {
    var service: NodeService
    var token: String
    var source: RegistrationSource
    /// Kept in the data directory (or would be, if there were one).
    var persisted: Bool
    var sync = SyncState()

    init(service: NodeService, token: String, source: RegistrationSource, persisted: Bool) {
        self.service = service
        self.token = token
        self.source = source
        self.persisted = persisted
    }
}

final class LocalCheck: SyncedEntry {
    var check: HealthCheck
    /// nil for maintenance checks and for those that only the catalog knows (and that are to be deleted there).
    var definition: CheckDefinition?
    var token: String
    var source: RegistrationSource
    var persisted: Bool
    var sync = SyncState()
    var runner = RunnerState.none
    /// When it became critical; nil while it is not, and before its first result.
    var criticalSince: Instant?
    /// Restored at start, and its status is not known yet: neither has the catalog been asked nor has it run. The catalog is not told of it.
    var awaitsCatalog = false
    /// What its state file holds, or will once all writes are done; nil without one.
    var keptState: PersistedFile.State?
    /// As the last update of a TTL check gave it.
    var lastNote = ""

    init(_ registration: CheckRegistration, token: String, source: RegistrationSource, persisted: Bool) {
        check = registration.check
        definition = registration.definition
        self.token = token
        self.source = source
        self.persisted = persisted
    }

    /// For how long it may be critical before its service is deregistered; nil for ever.
    var deregistersAfter: Duration? {
        guard let limit = definition?.deregisterCriticalServiceAfter, limit > .zero, !check.serviceID.isEmpty else { return nil }
        return max(limit, CheckRunner.deregisterMinimum)
    }

    /// Whether it has been critical for so long that its service is to be deregistered.
    func isOverdue(at now: Instant) -> Bool {
        guard let limit = deregistersAfter, let since = criticalSince else { return false }
        return now - since > limit && !planted(.criticalServiceStays)
    }
}

/// What keeps a check's status up to date.
enum RunnerState {
    /// Nothing, as for maintenance checks.
    case none
    case ttl(TTLRunner)
    case probe(ProbeRunner)
    case alias(AliasRunner)
}

struct TTLRunner {
    let ttl: Duration
    let outputLimit: Int
}

/// A check that the driver performs every so often. Spec: behaviour §7.2.
struct ProbeRunner {
    let probe: CheckProbe
    let interval: Duration
    let timeout: Duration
    let outputLimit: Int
    let successesNeeded: Int
    let failuresNeeded: Int
    var successes: Int
    var failures: Int
    /// The probe under way.
    var token: UInt64?

    /// Counts a result; returns whether it is to be shown.
    mutating func counts(_ status: String) -> Bool {
        if status == CheckStatus.critical {
            successes = 0
            failures = min(failures + 1, failuresNeeded + (planted(.failureThresholdLate) ? 1 : 0))
            return failures >= failuresNeeded + (planted(.failureThresholdLate) ? 1 : 0) - (planted(.failureThresholdOff) ? 1 : 0)
        }
        if !planted(.failuresNotReset) { failures = 0 }
        successes = min(successes + 1, successesNeeded)
        return successes >= successesNeeded || planted(.successThresholdIgnored)
    }
}

/// A check that shows the health of a service or node. Spec: behaviour §7.9.
struct AliasRunner {
    /// Empty: this agent's local state.
    let node: String
    /// Empty: the node's own checks only.
    let serviceID: String
    /// The read under way, for another node's checks.
    var token: UInt64?
    /// Of the last answer.
    var index: UInt64 = 0
    var failedAttempts = 0
    var startedAt = Instant.zero
    /// What the checks came to while it is being asked whether the service exists.
    var found: [HealthCheck]?

    init(node: String, serviceID: String) {
        self.node = node
        self.serviceID = serviceID
    }
}
