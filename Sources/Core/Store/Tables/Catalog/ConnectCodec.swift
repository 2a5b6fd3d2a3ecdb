// What a service says about Connect, on the wire. Spec: rpc-raft-wire §4.2.

extension ServiceConnect: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Native": native = try reader.bool()
        case "SidecarService": sidecarService = try reader.dynamicOrNil()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(2)
        writer.field("Native", native)
        writer.field("SidecarService", sidecarService)
    }
}

extension ConnectProxyConfig: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Config": config = try reader.dynamicOrNil()
        case "DestinationServiceID": destinationServiceID = try reader.string()
        case "DestinationServiceName": destinationServiceName = try reader.string()
        case "Expose": expose = try ExposeConfig(from: &reader)
        case "LocalServiceAddress": localServiceAddress = try reader.string()
        case "LocalServicePort": localServicePort = try reader.int()
        case "MeshGateway": meshGateway = try MeshGatewayConfig(from: &reader)
        case "Upstreams": upstreams = try Upstream.array(from: &reader)
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(8)
        writer.field("Config", config)
        writer.field("DestinationServiceID", destinationServiceID)
        writer.field("DestinationServiceName", destinationServiceName)
        writer.field("Expose", expose)
        writer.field("LocalServiceAddress", localServiceAddress)
        writer.field("LocalServicePort", localServicePort)
        writer.field("MeshGateway", meshGateway)
        writer.field("Upstreams", upstreams)
    }
}

extension Upstream: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Config": config = try reader.dynamicOrNil()
        case "Datacenter": datacenter = try reader.string()
        case "DestinationName": destinationName = try reader.string()
        case "DestinationNamespace": destinationNamespace = try reader.string()
        case "DestinationType": destinationType = try reader.string()
        case "IngressHosts": ingressHosts = try reader.strings()
        case "LocalBindAddress": localBindAddress = try reader.string()
        case "LocalBindPort": localBindPort = try reader.int()
        case "MeshGateway": meshGateway = try MeshGatewayConfig(from: &reader)
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(9)
        writer.field("Config", config)
        writer.field("Datacenter", datacenter)
        writer.field("DestinationName", destinationName)
        writer.field("DestinationNamespace", destinationNamespace)
        writer.field("DestinationType", destinationType)
        writer.field("IngressHosts", ingressHosts)
        writer.field("LocalBindAddress", localBindAddress)
        writer.field("LocalBindPort", localBindPort)
        writer.field("MeshGateway", meshGateway)
    }
}

extension MeshGatewayConfig: WireStruct {
    init() { self.init(mode: "") }

    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Mode": mode = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(1)
        writer.field("Mode", mode)
    }
}

extension ExposeConfig: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Checks": checks = try reader.bool()
        case "Paths": paths = try ExposePath.array(from: &reader)
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(2)
        writer.field("Checks", checks)
        writer.field("Paths", paths)
    }
}

extension ExposePath: WireStruct {
    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "ListenerPort": listenerPort = try reader.int()
        case "LocalPathPort": localPathPort = try reader.int()
        case "ParsedFromCheck": parsedFromCheck = try reader.bool()
        case "Path": path = try reader.string()
        case "Protocol": `protocol` = try reader.string()
        default: return false
        }
        return true
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.mapHeader(5)
        writer.field("ListenerPort", listenerPort)
        writer.field("LocalPathPort", localPathPort)
        writer.field("ParsedFromCheck", parsedFromCheck)
        writer.field("Path", path)
        writer.field("Protocol", `protocol`)
    }
}

extension ConnectProxyConfig {
    /// Puts the members of free-form maps in order: senders write them in any order, and the order must make no difference.
    mutating func sortMaps() {
        config = config?.sortingMaps()
        guard upstreams != nil else { return }
        for at in upstreams!.indices { upstreams![at].config = upstreams![at].config?.sortingMaps() }
    }
}

extension DynamicValue {
    fileprivate func sortingMaps() -> DynamicValue {
        switch self {
        case .array(let values): .array(values.map { $0.sortingMaps() })
        case .map(let members):
            .map(
                members.map { DynamicMember($0.name, $0.value.sortingMaps()) }
                    .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) })
        default: self
        }
    }
}
