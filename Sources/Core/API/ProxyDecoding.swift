/// Proxies inside service registrations, as catalog and agent accept them. Spec: http-1 §3.4, §3.7.
extension ConnectProxyConfig {
    /// The snake_case aliases count where the proper field is empty.
    public init(json field: JSONField) throws(TextError) {
        self.init()
        var alias = ConnectProxyConfig()
        for member in try field.ownMembers() {
            switch member.key {
            case "destinationservicename": try member.read(&destinationServiceName)
            case "destination_service_name": try member.read(&alias.destinationServiceName)
            case "destinationserviceid": try member.read(&destinationServiceID)
            case "destination_service_id": try member.read(&alias.destinationServiceID)
            case "localserviceaddress": try member.read(&localServiceAddress)
            case "local_service_address": try member.read(&alias.localServiceAddress)
            case "localserviceport": try member.read(&localServicePort)
            case "local_service_port": try member.read(&alias.localServicePort)
            case "config": try member.readMap(&config)
            case "upstreams": upstreams = try member.list("structs.Upstreams", Upstream.init(json:))
            case "meshgateway": meshGateway = try MeshGatewayConfig(json: member)
            case "expose": expose = try ExposeConfig(json: member)
            default: throw member.unknown
            }
        }
        if destinationServiceName.isEmpty { destinationServiceName = alias.destinationServiceName }
        if destinationServiceID.isEmpty { destinationServiceID = alias.destinationServiceID }
        if localServiceAddress.isEmpty { localServiceAddress = alias.localServiceAddress }
        if localServicePort == 0 { localServicePort = alias.localServicePort }
    }
}

extension MeshGatewayConfig {
    init(json field: JSONField) throws(TextError) {
        self.init()
        for member in try field.members(of: "MeshGatewayConfig") {
            guard member.key == "mode" else { throw member.unknown }
            try member.read(&mode)
        }
    }
}

extension ExposeConfig {
    init(json field: JSONField) throws(TextError) {
        self.init()
        for member in try field.members(of: "ExposeConfig") {
            switch member.key {
            case "checks": try member.read(&checks)
            case "paths": paths = try member.list("[]structs.ExposePath", ExposePath.init(json:))
            default: throw member.unknown
            }
        }
    }
}

extension ExposePath {
    init(json field: JSONField) throws(TextError) {
        self.init()
        var alias = ExposePath()
        for member in try field.ownMembers() {
            switch member.key {
            case "listenerport": try member.read(&listenerPort)
            case "listener_port": try member.read(&alias.listenerPort)
            case "path": try member.read(&path)
            case "localpathport": try member.read(&localPathPort)
            case "local_path_port": try member.read(&alias.localPathPort)
            case "protocol": try member.read(&self.protocol)
            case "parsedfromcheck": try member.read(&parsedFromCheck)
            default: throw member.unknown
            }
        }
        if listenerPort == 0 { listenerPort = alias.listenerPort }
        if localPathPort == 0 { localPathPort = alias.localPathPort }
    }
}

extension Upstream {
    init(json field: JSONField) throws(TextError) {
        self.init()
        var alias = Upstream()
        for member in try field.ownMembers() {
            switch member.key {
            case "destinationtype": try member.read(&destinationType)
            case "destination_type": try member.read(&alias.destinationType)
            case "destinationnamespace": try member.read(&destinationNamespace)
            case "destination_namespace": try member.read(&alias.destinationNamespace)
            case "destinationname": try member.read(&destinationName)
            case "destination_name": try member.read(&alias.destinationName)
            case "datacenter": try member.read(&datacenter)
            case "localbindaddress": try member.read(&localBindAddress)
            case "local_bind_address": try member.read(&alias.localBindAddress)
            case "localbindport": try member.read(&localBindPort)
            case "local_bind_port": try member.read(&alias.localBindPort)
            case "config": try member.readMap(&config)
            case "meshgateway": meshGateway = try MeshGatewayConfig(json: member)
            default: throw member.unknown
            }
        }
        if destinationType.isEmpty { destinationType = alias.destinationType }
        if destinationNamespace.isEmpty { destinationNamespace = alias.destinationNamespace }
        if destinationName.isEmpty { destinationName = alias.destinationName }
        if localBindAddress.isEmpty { localBindAddress = alias.localBindAddress }
        if localBindPort == 0 { localBindPort = alias.localBindPort }
    }
}

extension JSONField {
    /// A list of objects; nil for `null`. `type` is what the reference calls the list.
    public func list<T>(_ type: String, _ decode: (JSONField) throws(TextError) -> T) throws(TextError) -> [T]? {
        guard let elements = try elements(type: type) else { return nil }
        var values: [T] = []
        values.reserveCapacity(elements.count)
        for element in elements { values.append(try decode(element)) }
        return values
    }
}
