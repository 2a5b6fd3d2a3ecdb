// Who sees which rows of the catalog (acl §13.1). What is hidden is left out, and nobody is told.

extension Authorizer {
    func sees(_ node: Node) -> Bool { allows(.nodeRead(node.node)) }

    /// The empty name is that of checks of the node.
    func sees(service name: String) -> Bool { name.isEmpty || allows(.serviceRead(name)) }

    func sees(_ instance: ServiceInstance) -> Bool { allows(.nodeRead(instance.node)) && sees(service: instance.service.service) }

    func sees(_ check: HealthCheck) -> Bool { allows(.nodeRead(check.node)) && sees(service: check.serviceName) }

    /// Leaves the rows of instances that the caller sees.
    func filter(_ rows: inout [CheckServiceNode]) { filter(&rows) { sees($0.service.value) } }
}
