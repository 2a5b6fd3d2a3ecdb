// Structs that occur in answers only, read into rows. Spec: rpc-raft-wire §4.2.

/// `ServiceNode`
struct ServiceNodeReply {
    var node = Node()
    var instance = ServiceInstance(node: "", service: NodeService())

    static func array(from reader: inout MessagePackReader) throws(MessagePackError) -> [ServiceNodeReply]? {
        guard let count = try reader.arrayHeader() else { return nil }
        var elements: [ServiceNodeReply] = []
        for _ in 0..<count where !reader.readNull() { elements.append(try ServiceNodeReply(from: &reader)) }
        return elements
    }

    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Address": node.address = try reader.string()
            case "CreateIndex": instance.service.index.create = try reader.uint64()
            case "Datacenter": node.datacenter = try reader.string()
            case "ID": node.id = try reader.string()
            case "ModifyIndex": instance.service.index.modify = try reader.uint64()
            case "Node": node.node = try reader.string()
            case "NodeMeta": node.meta = try reader.stringMap()
            case "TaggedAddresses": node.taggedAddresses = try reader.stringMap()
            default: if try !readService(key, &reader) { try reader.skip() }
            }
        }
        instance.node = node.node
    }

    private mutating func readService(_ key: MessagePackKey, _ reader: inout MessagePackReader) throws(MessagePackError) -> Bool {
        switch key {
        case "ServiceAddress": instance.service.address = try reader.string()
        case "ServiceConnect": instance.service.connect = try ServiceConnect(from: &reader)
        case "ServiceEnableTagOverride": instance.service.enableTagOverride = try reader.bool()
        case "ServiceID": instance.service.id = try reader.string()
        case "ServiceKind": instance.service.kind = try reader.string()
        case "ServiceMeta": instance.service.meta = try reader.stringMap()
        case "ServiceName": instance.service.service = try reader.string()
        case "ServicePort": instance.service.port = try reader.int()
        case "ServiceProxy": instance.service.proxy = try ConnectProxyConfig(from: &reader)
        case "ServiceTaggedAddresses": instance.service.taggedAddresses = try reader.serviceAddresses()
        case "ServiceTags": instance.service.tags = try reader.strings()
        case "ServiceWeights": instance.service.weights = try Weights(from: &reader)
        default: return false
        }
        return true
    }
}

/// `NodeServices` (a map) or `NodeServiceList`.
struct NodeServicesReply {
    private var node: Node?
    private var services: [NodeService] = []

    static func optional(from reader: inout MessagePackReader) throws(MessagePackError) -> NodeServicesReply? {
        reader.readNull() ? nil : try NodeServicesReply(from: &reader)
    }

    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Node": node = try Node.optional(from: &reader)
            case "Services": services = try Self.services(from: &reader)
            default: try reader.skip()
            }
        }
        services.sort { TableKey.of($0.id) < TableKey.of($1.id) }
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
        return (Row(node), services.map { Row(ServiceInstance(node: node.node, service: $0)) })
    }
}

/// `CheckServiceNode`
struct CheckServiceNodeReply {
    private var node = Node()
    private var service = NodeService()
    private var checks: [HealthCheck] = []

    static func array(from reader: inout MessagePackReader) throws(MessagePackError) -> [CheckServiceNodeReply]? {
        guard let count = try reader.arrayHeader() else { return nil }
        var elements: [CheckServiceNodeReply] = []
        for _ in 0..<count where !reader.readNull() { elements.append(try CheckServiceNodeReply(from: &reader)) }
        return elements
    }

    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Checks": checks = try HealthCheck.array(from: &reader) ?? []
            case "Node": node = try Node(from: &reader)
            case "Service": service = try NodeService(from: &reader)
            default: try reader.skip()
            }
        }
    }

    var result: CheckServiceNode {
        CheckServiceNode(
            node: Row(node), service: Row(ServiceInstance(node: node.node, service: service)), checks: checks.map { Row($0) })
    }
}

/// `NodeInfo`
struct NodeInfoReply {
    private var node = Node()
    private var services: [NodeService] = []
    private var checks: [HealthCheck] = []

    static func array(from reader: inout MessagePackReader) throws(MessagePackError) -> [NodeInfoReply]? {
        guard let count = try reader.arrayHeader() else { return nil }
        var elements: [NodeInfoReply] = []
        for _ in 0..<count where !reader.readNull() { elements.append(try NodeInfoReply(from: &reader)) }
        return elements
    }

    init(from reader: inout MessagePackReader) throws(MessagePackError) {
        var left = try reader.structHeader()
        while let key = try reader.nextKey(&left) {
            switch key {
            case "Address": node.address = try reader.string()
            case "Checks": checks = try HealthCheck.array(from: &reader) ?? []
            case "ID": node.id = try reader.string()
            case "Meta": node.meta = try reader.stringMap()
            case "Node": node.node = try reader.string()
            case "Services": services = try NodeService.array(from: &reader) ?? []
            case "TaggedAddresses": node.taggedAddresses = try reader.stringMap()
            default: try reader.skip()
            }
        }
    }

    var result: NodeDump {
        NodeDump(
            node: Row(node), services: services.map { Row(ServiceInstance(node: node.node, service: $0)) }, checks: checks.map { Row($0) })
    }
}
