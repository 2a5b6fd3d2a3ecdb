import Core

/// Service definitions as `PUT /v1/agent/service/register` takes them; what is empty is left out. Spec: http-1 §3.7, §3.8.
enum Registration {
    static func body(_ service: ServiceDefinition) -> [UInt8] {
        var json = JSONWriter()
        json.dynamic(members(of: service).value)
        return json.finish() + [10]
    }

    private static func members(of service: ServiceDefinition) -> ObjectBuilder {
        var result = ObjectBuilder()
        result.add("Kind", service.kind)
        result.add("ID", service.id)
        result.add("Name", service.name)
        result.add("Tags", service.tags)
        result.add("Port", service.port)
        result.add("Address", service.address)
        if let addresses = service.taggedAddresses {
            result.add("TaggedAddresses", addresses.map { DynamicMember($0.key, address($0.value)) })
        }
        result.add("EnableTagOverride", service.enableTagOverride)
        if let meta = service.meta { result.add("Meta", meta.map { DynamicMember($0.key, .string($0.value)) }) }
        if let weights = service.weights {
            result.set("Weights", .map([number("Passing", weights.passing), number("Warning", weights.warning)]))
        }
        if !service.checks.isEmpty { result.set("Checks", .array(service.checks.map { check($0).value })) }
        if let proxy = service.proxy { result.set("Proxy", Self.proxy(proxy).value) }
        var connect = ObjectBuilder()
        connect.add("Native", service.connectNative)
        if let sidecar = service.sidecar { connect.set("SidecarService", members(of: sidecar.definition).value) }
        result.add("Connect", connect)
        return result
    }

    private static func number(_ name: String, _ value: Int) -> DynamicMember { DynamicMember(name, .int(Int64(value))) }

    private static func address(_ address: ServiceAddress) -> DynamicValue {
        .map([DynamicMember("Address", .string(address.address)), number("Port", address.port)])
    }

    private static func check(_ check: CheckDefinition) -> ObjectBuilder {
        var result = ObjectBuilder()
        result.add("CheckID", check.checkID)
        result.add("Name", check.name)
        result.add("ScriptArgs", check.scriptArgs)
        result.add("DockerContainerID", check.dockerContainerID)
        result.add("Shell", check.shell)
        result.add("Interval", check.interval)
        result.add("Timeout", check.timeout)
        result.add("TTL", check.ttl)
        result.add("HTTP", check.http)
        if let header = check.header {
            result.add("Header", header.map { DynamicMember($0.key, .array($0.value.map { .string($0) })) })
        }
        result.add("Method", check.method)
        result.add("Body", check.body)
        result.add("TCP", check.tcp)
        result.add("Status", check.status)
        result.add("Notes", check.notes)
        result.add("TLSSkipVerify", check.tlsSkipVerify)
        result.add("GRPC", check.grpc)
        result.add("GRPCUseTLS", check.grpcUseTLS)
        result.add("AliasNode", check.aliasNode)
        result.add("AliasService", check.aliasService)
        result.add("SuccessBeforePassing", check.successBeforePassing)
        result.add("FailuresBeforeCritical", check.failuresBeforeCritical)
        result.add("DeregisterCriticalServiceAfter", check.deregisterCriticalServiceAfter)
        return result
    }

    private static func proxy(_ proxy: ConnectProxyConfig) -> ObjectBuilder {
        var result = ObjectBuilder()
        result.add("DestinationServiceName", proxy.destinationServiceName)
        result.add("DestinationServiceID", proxy.destinationServiceID)
        result.add("LocalServiceAddress", proxy.localServiceAddress)
        result.add("LocalServicePort", proxy.localServicePort)
        if let config = proxy.config { result.set("Config", config) }
        if let upstreams = proxy.upstreams { result.set("Upstreams", .array(upstreams.map { upstream($0).value })) }
        result.add("MeshGateway", meshGateway(proxy.meshGateway))
        var expose = ObjectBuilder()
        expose.add("Checks", proxy.expose.checks)
        if let paths = proxy.expose.paths { expose.set("Paths", .array(paths.map { path($0).value })) }
        result.add("Expose", expose)
        return result
    }

    private static func upstream(_ upstream: Upstream) -> ObjectBuilder {
        var result = ObjectBuilder()
        result.add("DestinationType", upstream.destinationType)
        result.add("DestinationNamespace", upstream.destinationNamespace)
        result.add("DestinationName", upstream.destinationName)
        result.add("Datacenter", upstream.datacenter)
        result.add("LocalBindAddress", upstream.localBindAddress)
        result.add("LocalBindPort", upstream.localBindPort)
        if let config = upstream.config { result.set("Config", config) }
        result.add("MeshGateway", meshGateway(upstream.meshGateway))
        return result
    }

    private static func meshGateway(_ gateway: MeshGatewayConfig) -> ObjectBuilder {
        var result = ObjectBuilder()
        result.add("Mode", gateway.mode)
        return result
    }

    private static func path(_ path: ExposePath) -> ObjectBuilder {
        var result = ObjectBuilder()
        result.add("ListenerPort", path.listenerPort)
        result.add("Path", path.path)
        result.add("LocalPathPort", path.localPathPort)
        result.add("Protocol", path.protocol)
        return result
    }
}

/// An object that grows by what is not empty.
private struct ObjectBuilder {
    private var list: [DynamicMember] = []

    var value: DynamicValue { .map(list) }

    mutating func set(_ name: String, _ value: DynamicValue) { list.append(DynamicMember(name, value)) }
    mutating func add(_ name: String, _ text: String) { if !text.isEmpty { set(name, .string(text)) } }
    mutating func add(_ name: String, _ flag: Bool) { if flag { set(name, .bool(true)) } }
    mutating func add(_ name: String, _ number: Int) { if number != 0 { set(name, .int(Int64(number))) } }
    mutating func add(_ name: String, _ duration: Duration) {
        if duration != .zero { set(name, .string(GoDuration.format(duration))) }
    }
    mutating func add(_ name: String, _ texts: [String]?) {
        if let texts, !texts.isEmpty { set(name, .array(texts.map { .string($0) })) }
    }
    mutating func add(_ name: String, _ members: [DynamicMember]) { if !members.isEmpty { set(name, .map(members)) } }
    mutating func add(_ name: String, _ object: ObjectBuilder) { add(name, object.list) }
}
