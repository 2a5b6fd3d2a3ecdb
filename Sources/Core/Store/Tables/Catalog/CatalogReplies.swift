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

// How rows stand in answers.

extension MessagePackWriter {
    mutating func checkServiceNode(_ node: CheckServiceNode) {
        mapHeader(3)
        field("Checks", rows: node.checks)
        field("Node", node.node.value)
        field("Service", node.service.value.service)
    }

    /// `ServiceNode`: the instance with what is said of its node.
    mutating func serviceNode(_ node: Node, _ instance: ServiceInstance) {
        let service = instance.service
        mapHeader(20)
        field("Address", node.address)
        field("CreateIndex", service.index.create)
        field("Datacenter", node.datacenter)
        field("ID", node.id)
        field("ModifyIndex", service.index.modify)
        field("Node", instance.node)
        field("NodeMeta", node.meta)
        field("ServiceAddress", service.address)
        field("ServiceConnect", service.connect)
        field("ServiceEnableTagOverride", service.enableTagOverride)
        field("ServiceID", service.id)
        field("ServiceKind", service.kind)
        field("ServiceMeta", service.meta ?? [:])
        field("ServiceName", service.service)
        field("ServicePort", service.port)
        field("ServiceProxy", service.proxy)
        field("ServiceTaggedAddresses", service.taggedAddresses?.isEmpty == true ? nil : service.taggedAddresses)
        field("ServiceTags", service.tags ?? [])
        field("ServiceWeights", service.weights ?? Weights())
        field("TaggedAddresses", node.taggedAddresses)
    }

    mutating func nodeDump(_ dump: NodeDump) {
        let node = dump.node.value
        mapHeader(7)
        field("Address", node.address)
        field("Checks", rows: dump.checks)
        field("ID", node.id)
        field("Meta", node.meta)
        field("Node", node.node)
        key("Services")
        instances(dump.services)
        field("TaggedAddresses", node.taggedAddresses)
    }

    private mutating func instances(_ services: [Row<ServiceInstance>]) {
        if services.isEmpty { return null() }
        arrayHeader(services.count)
        for service in services { service.value.service.encode(into: &self) }
    }

    /// A map by service ID; nil for an unknown node.
    mutating func nodeServices(_ found: (node: Row<Node>, services: [Row<ServiceInstance>])?) {
        guard let found else { return null() }
        mapHeader(2)
        field("Node", found.node.value)
        key("Services")
        mapHeader(found.services.count)
        for service in found.services {
            string(service.value.service.id)
            service.value.service.encode(into: &self)
        }
    }

    mutating func nodeServiceList(_ found: (node: Row<Node>, services: [Row<ServiceInstance>])?) {
        mapHeader(2)
        field("Node", found?.node.value)
        key("Services")
        instances(found?.services ?? [])
    }
}
