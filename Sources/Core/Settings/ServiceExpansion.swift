// What a definition stands for: catalog rows and checks with their defaults. Shared by the API and configuration files.
// Spec: behaviour §6.6, config §8, http-1 §4.4.

/// One check of a service or node: what the catalog is told and how it is run.
public struct CheckRegistration: Hashable, Sendable {
    public var check: HealthCheck
    /// nil for maintenance checks, which nothing runs.
    public var definition: CheckDefinition?
    public init(check: HealthCheck, definition: CheckDefinition?) {
        self.check = check
        self.definition = definition
    }
}

/// A service with all its checks.
public struct ServiceRegistration: Hashable, Sendable {
    public var service: NodeService
    public var checks: [CheckRegistration]
    /// Empty: the agent's default.
    public var token: String
    public init(service: NodeService, checks: [CheckRegistration], token: String) {
        self.service = service
        self.checks = checks
        self.token = token
    }
}

extension ServiceDefinition {
    /// `check`, unless it is empty, and `checks` behind it: the order that numbers them.
    ///
    /// Configuration files number `checks` first (config §8); their reader therefore appends `check` to `checks`.
    public var allChecks: [CheckDefinition] {
        guard let check, check != CheckDefinition() else { return checks }
        return [check] + checks
    }

    /// The id, or the name where none is given.
    public var effectiveID: String { id.isEmpty ? name : id }

    /// Upstreams without a type are services.
    public mutating func fillInUpstreamTypes() {
        proxy?.fillInUpstreamTypes()
        if let inner = sidecar?.definition {
            var inner = inner
            inner.fillInUpstreamTypes()
            sidecar = SidecarDefinition(inner)
        }
    }

    /// The row of the catalog, with the defaults of id, weights and tagged addresses.
    public func nodeService() -> NodeService {
        var service = NodeService()
        service.kind = kind
        service.id = effectiveID
        service.service = name
        service.tags = tags
        service.address = address
        service.taggedAddresses = taggedAddresses
        service.meta = meta
        service.port = port
        service.weights = weights ?? Weights()
        service.enableTagOverride = enableTagOverride
        service.proxy = proxy ?? ConnectProxyConfig()
        service.proxy.fillInUpstreamTypes()
        service.connect.native = connectNative
        service.addTaggedAddresses()
        return service
    }
}

extension ConnectProxyConfig {
    mutating func fillInUpstreamTypes() {
        guard var list = upstreams else { return }
        for at in list.indices where list[at].destinationType.isEmpty { list[at].destinationType = "service" }
        upstreams = list
    }
}

extension NodeService {
    /// A literal address is also the tagged address of its family, unless one was given.
    mutating func addTaggedAddresses() {
        guard let literal = IPAddress(address) else { return }
        var tagged = taggedAddresses ?? [:]
        for name in literal.isIPv4 ? ["lan_ipv4", "wan_ipv4"] : ["lan_ipv6", "wan_ipv6"] where tagged[name] == nil {
            tagged[name] = ServiceAddress(address: address, port: port)
        }
        taggedAddresses = tagged
    }

    /// The checks of this service, with their ids, names and first statuses.
    public func registrations(of definitions: [CheckDefinition], node: String) -> [CheckRegistration] {
        definitions.enumerated().map { at, definition in
            var check = HealthCheck()
            check.node = node
            check.checkID = definition.checkID
            if check.checkID.isEmpty { check.checkID = definitions.count == 1 ? "service:\(id)" : "service:\(id):\(at + 1)" }
            check.name = definition.name.isEmpty ? "Service '\(service)' check" : definition.name
            check.status = definition.status.isEmpty ? CheckStatus.critical : definition.status
            check.notes = definition.notes
            check.serviceID = id
            check.serviceName = service
            check.serviceTags = tags
            check.type = definition.typeName
            return CheckRegistration(check: check, definition: definition)
        }
    }

    /// The id of the sidecar that `connect.sidecar_service` registers for this service.
    var sidecarID: String { NodeService.sidecarID(of: id) }
    static func sidecarID(of id: String) -> String { id + "-sidecar-proxy" }
}

extension CheckDefinition {
    /// A check that was registered on its own. `service` is the one that it names.
    func registration(node: String, service: NodeService?) -> CheckRegistration {
        var check = HealthCheck()
        check.node = node
        check.checkID = checkID.isEmpty ? name : checkID
        check.name = name
        check.status = status.isEmpty ? CheckStatus.critical : status
        check.notes = notes
        check.serviceID = serviceID
        check.serviceName = service?.service ?? ""
        check.serviceTags = service?.tags
        check.type = typeName
        return CheckRegistration(check: check, definition: self)
    }
}

/// The ports that sidecars without one of their own get.
public struct SidecarPorts: Sendable {
    public var first: Int
    public var last: Int
    public init(first: Int, last: Int) {
        self.first = first
        self.last = last
    }

    /// The previous port of this sidecar where that lies in the range, else the first that no service uses.
    ///
    /// `services` are all that are registered with the agent.
    func assign(to id: String, among services: some Sequence<NodeService>) throws(TextError) -> Int {
        if first < 1 || last < 1 { throw TextError("no port provided for sidecar_service and auto-assignment disabled in config") }
        var used = LookupSet<Int>()
        for service in services where service.port >= first && service.port <= last {
            if service.id == id { return service.port }
            used.insert(service.port)
        }
        var port = first
        while port <= last {
            if !used.contains(port) { return port }
            port += 1
        }
        throw TextError("no port provided for sidecar_service and none left in the configured range [\(first), \(last)]")
    }
}

extension ServiceDefinition {
    /// This definition, nested in that of `parent`, as the sidecar that it stands for.
    ///
    /// `token` is the parent's. Throws when no port is left.
    func sidecarRegistration(
        of parent: NodeService, token: String, node: String, ports: SidecarPorts, among services: some Sequence<NodeService>
    ) throws(TextError) -> ServiceRegistration {
        var definition = self
        definition.id = parent.sidecarID
        if definition.name.isEmpty { definition.name = parent.service + "-sidecar-proxy" }
        if definition.kind.isEmpty { definition.kind = ServiceKind.connectProxy }
        if definition.address.isEmpty { definition.address = parent.address }
        if (definition.meta ?? [:]).isEmpty && !(parent.meta ?? [:]).isEmpty { definition.meta = parent.meta }
        if (definition.tags ?? []).isEmpty && !(parent.tags ?? []).isEmpty { definition.tags = parent.tags }
        var proxy = definition.proxy ?? ConnectProxyConfig()
        if proxy.destinationServiceName.isEmpty { proxy.destinationServiceName = parent.service }
        if proxy.destinationServiceID.isEmpty { proxy.destinationServiceID = parent.id }
        if proxy.localServiceAddress.isEmpty { proxy.localServiceAddress = "127.0.0.1" }
        if proxy.localServicePort < 1 { proxy.localServicePort = parent.port }
        definition.proxy = proxy
        if definition.port < 1 { definition.port = try ports.assign(to: definition.id, among: services) }

        var service = definition.nodeService()
        service.locallyRegisteredAsSidecar = true
        var checks = definition.allChecks
        if checks.isEmpty { checks = ServiceDefinition.sidecarChecks(parent: parent, sidecar: service) }
        return ServiceRegistration(
            service: service, checks: service.registrations(of: checks, node: node), token: self.token.isEmpty ? token : self.token)
    }

    private static func sidecarChecks(parent: NodeService, sidecar: NodeService) -> [CheckDefinition] {
        var listening = CheckDefinition()
        listening.name = "Connect Sidecar Listening"
        listening.tcp = HostPort.join(sidecar.proxy.localServiceAddress, sidecar.port)
        listening.interval = .seconds(10)
        var aliasing = CheckDefinition()
        aliasing.name = "Connect Sidecar Aliasing \(parent.id)"
        aliasing.aliasService = parent.id
        return [listening, aliasing]
    }
}
