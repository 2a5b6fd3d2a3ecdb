/// Rows of the catalog in the order and with the omissions of the reference. Spec: http-1 §3.
extension JSONWriter {
    /// §3.1
    mutating func node(_ node: Node) {
        beginObject()
        nodeMembers(node, meta: "Meta")
        indexes(node.index)
        endObject()
    }

    private mutating func nodeMembers(_ node: Node, meta: StaticString) {
        member("ID", node.id)
        member("Node", node.node)
        member("Address", node.address)
        member("Datacenter", node.datacenter)
        key("TaggedAddresses")
        stringMap(node.taggedAddresses)
        key(meta)
        stringMap(node.meta)
    }

    /// §3.2. `absentTags`: shows the absence of tags as `null`, as the internal UI and the data directory do.
    mutating func nodeService(_ service: NodeService, absentTags: Bool = false) {
        beginObject()
        optionalMember("Kind", service.kind)
        member("ID", service.id)
        member("Service", service.service)
        key("Tags")
        strings(service.tags ?? (absentTags ? nil : []))
        member("Address", service.address)
        taggedAddresses("TaggedAddresses", service.taggedAddresses)
        key("Meta")
        stringMap(service.meta)
        member("Port", service.port)
        weights("Weights", service.weights)
        member("EnableTagOverride", service.enableTagOverride)
        key("Proxy")
        proxy(service.proxy)
        key("Connect")
        connect(service.connect)
        indexes(service.index)
        endObject()
    }

    /// §3.3
    mutating func serviceNode(_ node: Node, _ service: NodeService) {
        beginObject()
        nodeMembers(node, meta: "NodeMeta")
        member("ServiceKind", service.kind)
        member("ServiceID", service.id)
        member("ServiceName", service.service)
        key("ServiceTags")
        strings(service.tags ?? [])
        member("ServiceAddress", service.address)
        taggedAddresses("ServiceTaggedAddresses", service.taggedAddresses)
        weights("ServiceWeights", service.weights)
        key("ServiceMeta")
        stringMap(service.meta ?? [:])
        member("ServicePort", service.port)
        member("ServiceEnableTagOverride", service.enableTagOverride)
        key("ServiceProxy")
        proxy(service.proxy)
        key("ServiceConnect")
        connect(service.connect)
        indexes(service.index)
        endObject()
    }

    /// §3.6. `absentTags` as with `nodeService`.
    mutating func healthCheck(_ check: HealthCheck, absentTags: Bool = false) {
        beginObject()
        checkMembers(check)
        strings(check.serviceTags ?? (absentTags ? nil : []))
        member("Type", check.type)
        key("Definition")
        definition(check.definition)
        indexes(check.index)
        endObject()
    }

    /// As far as the name of the tags.
    mutating func checkMembers(_ check: HealthCheck) {
        member("Node", check.node)
        member("CheckID", check.checkID)
        member("Name", check.name)
        member("Status", check.status)
        member("Notes", check.notes)
        member("Output", check.output)
        member("ServiceID", check.serviceID)
        member("ServiceName", check.serviceName)
        key("ServiceTags")
    }

    mutating func checks(_ rows: [Row<HealthCheck>]) {
        beginArray()
        for row in rows { healthCheck(row.value) }
        endArray()
    }

    /// §6.4
    mutating func healthNode(_ row: CheckServiceNode) {
        beginObject()
        key("Node")
        node(row.node.value)
        key("Service")
        nodeService(row.service.value.service)
        key("Checks")
        checks(row.checks)
        endObject()
    }

    mutating func weights(_ name: StaticString, _ weights: Weights?) {
        key(name)
        beginObject()
        member("Passing", weights?.passing ?? 1)
        member("Warning", weights?.warning ?? 1)
        endObject()
    }

    /// Left out when empty.
    mutating func taggedAddresses(_ name: StaticString, _ addresses: SortedMap<String, ServiceAddress>?) {
        guard let addresses, !addresses.isEmpty else { return }
        key(name)
        beginObject()
        for (tag, address) in addresses {
            key(tag)
            beginObject()
            member("Address", address.address)
            member("Port", address.port)
            endObject()
        }
        endObject()
    }

    private mutating func connect(_ connect: ServiceConnect) {
        beginObject()
        optionalMember("Native", connect.native)
        endObject()
    }

    /// Durations as text but the TTL, which is a number.
    private mutating func definition(_ definition: HealthCheckDefinition) {
        beginObject()
        optionalMember("Interval", definition.interval)
        if definition.outputMaxSize != 0 {
            key("OutputMaxSize")
            uint(definition.outputMaxSize)
        }
        optionalMember("Timeout", definition.timeout)
        optionalMember("DeregisterCriticalServiceAfter", definition.deregisterCriticalServiceAfter)
        optionalMember("HTTP", definition.http)
        optionalMember("TLSSkipVerify", definition.tlsSkipVerify)
        if let header = definition.header, !header.isEmpty {
            key("Header")
            self.header(header)
        }
        optionalMember("Method", definition.method)
        optionalMember("Body", definition.body)
        optionalMember("TCP", definition.tcp)
        if let arguments = definition.scriptArgs, !arguments.isEmpty {
            key("ScriptArgs")
            strings(arguments)
        }
        optionalMember("DockerContainerID", definition.dockerContainerID)
        optionalMember("Shell", definition.shell)
        optionalMember("GRPC", definition.grpc)
        optionalMember("GRPCUseTLS", definition.grpcUseTLS)
        optionalMember("AliasNode", definition.aliasNode)
        optionalMember("AliasService", definition.aliasService)
        if definition.ttl != .zero {
            key("TTL")
            int64(definition.ttl.nanoseconds)
        }
        endObject()
    }

    mutating func header(_ header: SortedMap<String, [String]>) {
        beginObject()
        for (name, values) in header {
            key(name)
            strings(values)
        }
        endObject()
    }

    /// Left out when zero.
    private mutating func optionalMember(_ name: StaticString, _ value: Duration) {
        guard value != .zero else { return }
        key(name)
        duration(value)
    }
}

/// Proxies. Spec: http-1 §3.4.
extension JSONWriter {
    /// The two spellings of a proxy: that of the catalog and that of the agent, which leaves out more of an upstream.
    enum ProxyForm {
        case catalog, agent
    }

    mutating func proxy(_ proxy: ConnectProxyConfig, form: ProxyForm = .catalog) {
        beginObject()
        optionalMember("DestinationServiceName", proxy.destinationServiceName)
        optionalMember("DestinationServiceID", proxy.destinationServiceID)
        optionalMember("LocalServiceAddress", proxy.localServiceAddress)
        optionalMember("LocalServicePort", proxy.localServicePort)
        optionalConfig(proxy.config)
        if let upstreams = proxy.upstreams, !upstreams.isEmpty {
            key("Upstreams")
            beginArray()
            for item in upstreams { upstream(item, form) }
            endArray()
        }
        meshGateway(proxy.meshGateway)
        key("Expose")
        expose(proxy.expose)
        endObject()
    }

    private mutating func optionalConfig(_ config: DynamicValue?) {
        guard case .map(let members)? = config, !members.isEmpty else { return }
        key("Config")
        dynamic(.map(members))
    }

    private mutating func upstream(_ upstream: Upstream, _ form: ProxyForm) {
        beginObject()
        if form == .catalog || !upstream.destinationType.isEmpty { member("DestinationType", upstream.destinationType) }
        optionalMember("DestinationNamespace", upstream.destinationNamespace)
        member("DestinationName", upstream.destinationName)
        if form == .catalog || !upstream.datacenter.isEmpty { member("Datacenter", upstream.datacenter) }
        optionalMember("LocalBindAddress", upstream.localBindAddress)
        member("LocalBindPort", upstream.localBindPort)
        switch form {
        case .catalog:
            key("Config")
            dynamic(upstream.config ?? .null)
        case .agent: optionalConfig(upstream.config)
        }
        meshGateway(upstream.meshGateway)
        endObject()
    }

    private mutating func meshGateway(_ gateway: MeshGatewayConfig) {
        key("MeshGateway")
        beginObject()
        optionalMember("Mode", gateway.mode)
        endObject()
    }

    private mutating func expose(_ expose: ExposeConfig) {
        beginObject()
        optionalMember("Checks", expose.checks)
        if let paths = expose.paths, !paths.isEmpty {
            key("Paths")
            beginArray()
            for path in paths {
                beginObject()
                optionalMember("ListenerPort", path.listenerPort)
                optionalMember("Path", path.path)
                optionalMember("LocalPathPort", path.localPathPort)
                optionalMember("Protocol", path.protocol)
                member("ParsedFromCheck", path.parsedFromCheck)
                endObject()
            }
            endArray()
        }
        endObject()
    }
}
