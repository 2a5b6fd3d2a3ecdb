// Structs that occur in answers only, read into rows. Spec: rpc-raft-wire §4.2.

/// `ServiceNode`
struct ServiceNodeReply: WireFields {
    private var node = Node()
    private var service = NodeService()

    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Address": node.address = try reader.string()
        case "CreateIndex": service.index.create = try reader.uint64()
        case "Datacenter": node.datacenter = try reader.string()
        case "ID": node.id = try reader.string()
        case "ModifyIndex": service.index.modify = try reader.uint64()
        case "Node": node.node = try reader.string()
        case "NodeMeta": node.meta = try reader.stringMap()
        case "ServiceAddress": service.address = try reader.string()
        case "ServiceConnect": service.connect = try ServiceConnect(from: &reader)
        case "ServiceEnableTagOverride": service.enableTagOverride = try reader.bool()
        case "ServiceID": service.id = try reader.string()
        case "ServiceKind": service.kind = try reader.string()
        case "ServiceMeta": service.meta = try reader.stringMap()
        case "ServiceName": service.service = try reader.string()
        case "ServicePort": service.port = try reader.int()
        case "ServiceProxy": service.proxy = try ConnectProxyConfig(from: &reader)
        case "ServiceTaggedAddresses": service.taggedAddresses = try reader.serviceAddresses()
        case "ServiceTags": service.tags = try reader.strings()
        case "ServiceWeights": service.weights = try Weights(from: &reader)
        case "TaggedAddresses": node.taggedAddresses = try reader.stringMap()
        default: return false
        }
        return true
    }

    var result: (node: Row<Node>, service: Row<ServiceInstance>) {
        (Row(node), Row(ServiceInstance(node: node.node, service: service)))
    }
}

/// `NodeServices` (a map) or `NodeServiceList`.
struct NodeServicesReply: WireFields {
    private var node: Node?
    private var services: [NodeService] = []

    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Node": node = try Node.optional(from: &reader)
        case "Services": services = try Self.services(from: &reader)
        default: return false
        }
        return true
    }

    private static func services(from reader: inout MessagePackReader) throws(MessagePackError) -> [NodeService] {
        let head = try reader.peek()
        guard head & 0xF0 == 0x80 || head == 0xDE || head == 0xDF else { return try NodeService.array(from: &reader) ?? [] }
        var services: [NodeService] = []
        for _ in 0..<(try reader.mapHeader() ?? 0) {
            try reader.skip()
            if let service = try NodeService.optional(from: &reader) { services.append(service) }
        }
        return services
    }

    var result: (node: Row<Node>, services: [Row<ServiceInstance>])? {
        guard let node else { return nil }
        let services = services.sorted { TableKey.of($0.id) < TableKey.of($1.id) }
        return (Row(node), services.map { Row(ServiceInstance(node: node.node, service: $0)) })
    }
}

/// `CheckServiceNode`
struct CheckServiceNodeReply: WireFields {
    private var node = Node()
    private var service = NodeService()
    private var checks: [HealthCheck] = []

    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Checks": checks = try HealthCheck.array(from: &reader) ?? []
        case "Node": node = try Node(from: &reader)
        case "Service": service = try NodeService(from: &reader)
        default: return false
        }
        return true
    }

    var result: CheckServiceNode {
        CheckServiceNode(
            node: Row(node), service: Row(ServiceInstance(node: node.node, service: service)), checks: checks.map { Row($0) })
    }
}

/// `NodeInfo`
struct NodeInfoReply: WireFields {
    private var node = Node()
    private var services: [NodeService] = []
    private var checks: [HealthCheck] = []

    mutating func read(_ key: MessagePackKey, from reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "Address": node.address = try reader.string()
        case "Checks": checks = try HealthCheck.array(from: &reader) ?? []
        case "ID": node.id = try reader.string()
        case "Meta": node.meta = try reader.stringMap()
        case "Node": node.node = try reader.string()
        case "Services": services = try NodeService.array(from: &reader) ?? []
        case "TaggedAddresses": node.taggedAddresses = try reader.stringMap()
        default: return false
        }
        return true
    }

    var result: NodeDump {
        NodeDump(
            node: Row(node), services: services.map { Row(ServiceInstance(node: node.node, service: $0)) }, checks: checks.map { Row($0) })
    }
}
