// Who may register and deregister what (acl §13.1).

extension RegisterRequest {
    /// Whoever may write a service may repeat what the catalog already says of its node.
    func authorize(_ authorizer: Authorizer, in store: Store) throws(Denied) {
        if changesNode(of: store) { try authorizer.require(.nodeWrite(node)) }
        if let service {
            try authorizer.require(.serviceWrite(service.service))
            if service.kind == "connect-proxy" { try authorizer.require(.serviceWrite(service.proxy.destinationServiceName)) }
            if let existing = store.service(service.id, onNode: node) {
                try authorizer.require(.serviceWrite(existing.value.service.service))
            }
        }
        for check in (checks ?? []) + (check.map { [$0] } ?? []) {
            if check.serviceID.isEmpty {
                try authorizer.require(.nodeWrite(node))
            } else if check.serviceID != service?.id {
                guard let other = store.service(check.serviceID, onNode: node)?.value.service else {
                    throw Denied(text: "Unknown service '\(check.serviceID)' for check '\(check.checkID)'")
                }
                try authorizer.require(.serviceWrite(other.service))
            }
        }
    }

    private func changesNode(of store: Store) -> Bool {
        guard let known = store.node(node)?.value else { return true }
        if skipNodeUpdate { return false }
        return known.id != id || known.address != address || known.datacenter != datacenter || known.meta ?? [:] != nodeMeta ?? [:]
            || known.taggedAddresses ?? [:] != taggedAddresses ?? [:]
    }
}

extension DeregisterRequest {
    /// The right on the node suffices for all that is on it.
    func authorize(_ authorizer: Authorizer, in store: Store) throws(Denied) {
        if authorizer.allows(.nodeWrite(node)) { return }
        if !serviceID.isEmpty {
            guard let service = store.service(serviceID, onNode: node) else { throw Denied(text: "Unknown service '\(serviceID)'") }
            return try authorizer.require(.serviceWrite(service.value.service.service))
        }
        if checkID.isEmpty { throw Denied() }
        guard let check = store.check(checkID, onNode: node)?.value else { throw Denied(text: "Unknown check '\(checkID)'") }
        try authorizer.require(check.serviceID.isEmpty ? .nodeWrite(node) : .serviceWrite(check.serviceName))
    }
}
