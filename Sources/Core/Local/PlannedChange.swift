/// A change of what is registered that has been examined and will be made once its files are durable.
struct PlannedChange {
    enum Action {
        /// It is so already.
        case none
        case registerServices([ServiceRegistration], replaceChecks: Bool)
        case registerCheck(CheckRegistration, token: String)
        case removeService(ByteString)
        case removeCheck(ByteString)
        /// nil: of the node.
        case enterMaintenance(NodeService?, CheckRegistration, token: String)
        case leaveMaintenance(NodeService?, check: ByteString)
        /// Its checks have been critical for too long.
        case reap(service: ByteString, check: ByteString)
    }

    /// nil when no client waits for it, or no longer.
    var requester: RequestID?
    let action: Action
    /// In the order in which they take effect: a new service after its checks, a removed one before them, so that a crash in between
    /// never leaves a service without its checks.
    var files: [FileChange]
    /// The services and checks that it concerns: two changes that share none can be made in any order.
    let services: [ByteString]
    let checks: [ByteString]

    /// The same, where somebody else has removed a file that was to be removed, or the folder of such files with them; nil if the name is
    /// neither. A file's folder is synced all the same: the removal may not be durable.
    func without(_ name: String) -> PlannedChange? {
        var rest = self
        if let at = files.firstIndex(where: { $0.isRemoval(of: name) }) {
            rest.files[at] = .gone(file: files[at].file)
            return rest
        }
        rest.files.removeAll { if case .gone = $0 { sameBytes($0.folder, name) } else { false } }
        return rest.files.count < files.count ? rest : nil
    }
}

/// Maintenance mode as what is registered. Spec: behaviour §6.10.
extension MaintenanceCheck {
    /// The check of a service, or of the node for nil.
    static func registration(of service: NodeService?, reason: String, node: String) -> CheckRegistration {
        let what = name(of: service)
        var check = HealthCheck()
        check.node = node
        check.checkID = (service.map { id(ofService: $0.id) } ?? nodeID).string
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
        return CheckRegistration(check: check, definition: nil)
    }

    static func name(of service: NodeService?) -> String { service == nil ? "Node" : "Service" }
}
