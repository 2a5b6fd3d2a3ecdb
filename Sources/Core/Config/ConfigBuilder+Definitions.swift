/// Services and checks of configuration files. Spec: config §8, §9.
extension ConfigBuilder {
    mutating func buildDefinitions() throws(TextError) {
        for check in reader.list("checks") { result.agent.reloadable.checks.append(checkDefinition(check)) }
        for service in reader.list("services") { result.agent.reloadable.services.append(try serviceDefinition(service)) }
    }

    private mutating func checkDefinition(_ value: DynamicValue) -> CheckDefinition {
        var check = CheckDefinition()
        check.checkID = value.text("id")
        check.name = value.text("name")
        check.notes = value.text("notes")
        check.serviceID = value.text("service_id")
        check.token = value.text("token")
        check.status = value.text("status")
        check.scriptArgs = value.texts("args")
        check.http = value.text("http")
        if case .map(let headers) = value["header"] {
            check.header = SortedMap(headers.map { ($0.name, $0.value.strings(at: $0.value) ?? []) })
        }
        check.method = value.text("method")
        check.body = value.text("body")
        check.tcp = value.text("tcp")
        check.aliasNode = value.text("alias_node")
        check.aliasService = value.text("alias_service")
        check.dockerContainerID = value.text("docker_container_id")
        check.shell = value.text("shell")
        check.grpc = value.text("grpc")
        check.grpcUseTLS = value.flag("grpc_use_tls")
        check.tlsSkipVerify = value.flag("tls_skip_verify")
        check.successBeforePassing = value.number("success_before_passing")
        check.failuresBeforeCritical = value.number("failures_before_critical")
        check.outputMaxSize = value["output_max_size"] == nil ? 4096 : value.number("output_max_size")
        check.interval = reader.duration(value["interval"], named: "check[].interval") ?? .zero
        check.timeout = reader.duration(value["timeout"], named: "check[].timeout") ?? .zero
        check.ttl = reader.duration(value["ttl"], named: "check[].ttl") ?? .zero
        check.deregisterCriticalServiceAfter =
            reader.duration(value["deregister_critical_service_after"], named: "check[].deregister_critical_service_after") ?? .zero
        return check
    }

    private mutating func serviceDefinition(_ value: DynamicValue) throws(TextError) -> ServiceDefinition {
        var service = ServiceDefinition()
        service.kind = Self.kind(value.text("kind"))
        service.id = value.text("id")
        service.name = value.text("name")
        service.tags = value.texts("tags")
        service.address = value.text("address")
        service.taggedAddresses = Self.taggedAddresses(value["tagged_addresses"])
        service.port = value.number("port")
        service.token = value.text("token")
        service.enableTagOverride = value.flag("enable_tag_override")
        for check in value.elements("checks") ?? [] { service.checks.append(checkDefinition(check)) }
        if let check = value["check"] { service.checks.append(checkDefinition(check)) }
        service.meta = DynamicValue.stringMap(value["meta"])
        if let problem = DefinitionRules.metadata(service.meta ?? [:], ofMeshGateway: service.kind == ServiceKind.meshGateway) {
            reader.errors.append("invalid meta for service \(service.name): \(problem)")
        }
        service.weights = weights(value["weights"], of: service.name)
        service.proxy = value["proxy"].map { proxy($0) }
        if let connect = value["connect"] {
            service.connectNative = connect.flag("native")
            service.sidecar = try sidecar(connect["sidecar_service"], of: service.name)
        }
        return service
    }

    private static func kind(_ text: String) -> String { ServiceKind.isProxy(text) ? text : "" }

    private static func taggedAddresses(_ value: DynamicValue?) -> SortedMap<String, ServiceAddress>? {
        guard case .map(let members) = value else { return nil }
        return SortedMap(members.map { ($0.name, ServiceAddress(address: $0.value.text("address"), port: $0.value.number("port"))) })
    }

    /// What a block of weights does not mention is 1.
    private mutating func weights(_ value: DynamicValue?, of name: String) -> Weights? {
        var weights = Weights()
        if let value {
            if value["passing"] != nil { weights.passing = value.number("passing") }
            if value["warning"] != nil { weights.warning = value.number("warning") }
        }
        if let problem = weights.problem {
            reader.errors.append("Invalid weight definition for service \(name): \(problem)")
        }
        return weights
    }

    private mutating func sidecar(_ value: DynamicValue?, of name: String) throws(TextError) -> SidecarDefinition? {
        guard let value else { return nil }
        if value["id"] != nil, !value.text("id").isEmpty {
            reader.errors.append("sidecar_service can't specify an ID")
        }
        if value["connect"]?["sidecar_service"] != nil { reader.errors.append("sidecar_service can't have a nested sidecar_service") }
        var inner = value
        if case .map(let members) = value { inner = .map(members.filter { $0.name != "id" && $0.name != "connect" }) }
        return SidecarDefinition(try serviceDefinition(inner))
    }

    // MARK: Proxies

    private mutating func proxy(_ value: DynamicValue) -> ConnectProxyConfig {
        var proxy = ConnectProxyConfig()
        proxy.destinationServiceName = value.text("destination_service_name")
        proxy.destinationServiceID = value.text("destination_service_id")
        proxy.localServiceAddress = value.text("local_service_address")
        proxy.localServicePort = value.number("local_service_port")
        proxy.config = value["config"]
        if let upstreams = value.elements("upstreams") {
            var list: [Upstream] = []
            for upstream in upstreams { list.append(self.upstream(upstream)) }
            proxy.upstreams = list
        }
        proxy.meshGateway = meshGateway(value["mesh_gateway"])
        if let expose = value["expose"] {
            proxy.expose.checks = expose.flag("checks")
            proxy.expose.paths = expose.elements("paths")?.map(Self.exposePath)
        }
        return proxy
    }

    private static func exposePath(_ value: DynamicValue) -> ExposePath {
        var path = ExposePath()
        path.path = value.text("path")
        path.protocol = value.text("protocol")
        path.localPathPort = value.number("local_path_port")
        path.listenerPort = value.number("listener_port")
        return path
    }

    private mutating func upstream(_ value: DynamicValue) -> Upstream {
        var upstream = Upstream()
        let type = value.text("destination_type")
        upstream.destinationType = type.isEmpty ? "service" : type
        upstream.destinationNamespace = value.text("destination_namespace")
        upstream.destinationName = value.text("destination_name")
        upstream.datacenter = value.text("datacenter")
        upstream.localBindAddress = value.text("local_bind_address")
        upstream.localBindPort = value.number("local_bind_port")
        upstream.config = value["config"]
        upstream.meshGateway = meshGateway(value["mesh_gateway"])
        return upstream
    }

    private mutating func meshGateway(_ value: DynamicValue?) -> MeshGatewayConfig {
        let mode = value?.text("mode") ?? ""
        if !["", "none", "local", "remote"].contains(mode) {
            reader.errors.append("Invalid Mesh Gateway Mode: \(GoQuote.quote(mode))")
            return MeshGatewayConfig()
        }
        return MeshGatewayConfig(mode: mode)
    }
}
