/// What a `LocalRequest` comes to. `AgentJSON` renders it.
public enum LocalAnswer: Sendable {
    /// The change is durable and the catalog has been told.
    case done
    case services([NodeService])
    case checks([HealthCheck])
    case service(NodeService)
    /// nil for an unknown service.
    case healthByID(ServiceHealth?, id: String, text: Bool)
    case healthByName([ServiceHealth], name: String, text: Bool)
    case refused(LocalRefusal)
}

/// Why a request is not carried out; the texts are the reference's.
public enum LocalRefusal: Error, Hashable, Sendable {
    /// There is no such service.
    case notFound(String)
    /// What was asked for is not possible, or the disk would not keep it.
    case failed(String)
    /// The token does not allow it.
    case denied(String)

    static func unknownService(_ id: String) -> LocalRefusal { .notFound("No service registered with ID \(GoQuote.quote(id))") }
}

/// A local service and the checks that concern it.
public struct ServiceHealth: Sendable {
    public let service: NodeService
    public let checks: [HealthCheck]
    public let status: AggregatedStatus

    init(service: NodeService, checks: [HealthCheck]) {
        self.service = service
        self.checks = checks
        status = AggregatedStatus(checks)
    }
}

/// What several checks come to.
public enum AggregatedStatus: String, Sendable {
    case passing, warning, critical, maintenance

    init(_ checks: some Sequence<HealthCheck>) {
        var found = AggregatedStatus.passing
        for check in checks {
            if MaintenanceCheck.isOne(check.checkID) {
                self = .maintenance
                return
            }
            if check.status == CheckStatus.critical {
                found = .critical
            } else if check.status == CheckStatus.warning && found == .passing {
                found = .warning
            }
        }
        self = found
    }
}
