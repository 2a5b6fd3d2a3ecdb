// The rows that filters apply to, and what of them can be selected. Spec: http-1 §2.4.

extension Node: FilterRow {
    private enum Name: Int {
        case id, node, address, datacenter, taggedAddresses, meta
    }

    public static let filterSchema = FilterSchema([
        ("ID", Name.id, .string), ("Node", .node, .string), ("Address", .address, .string), ("Datacenter", .datacenter, .string),
        ("TaggedAddresses", .taggedAddresses, .stringMap), ("Meta", .meta, .stringMap),
    ])

    public func satisfies(_ term: FilterTerm, _ at: Int) -> Bool {
        switch term.field(at) as Name {
        case .id: term.test(id)
        case .node: term.test(node)
        case .address: term.test(address)
        case .datacenter: term.test(datacenter)
        case .taggedAddresses: term.test(taggedAddresses, at + 1)
        case .meta: term.test(meta, at + 1)
        }
    }
}

extension ServiceAddress: FilterRow {
    private enum Name: Int {
        case address, port
    }

    public static let filterSchema = FilterSchema([("Address", Name.address, .string), ("Port", .port, .int)])

    public func satisfies(_ term: FilterTerm, _ at: Int) -> Bool {
        switch term.field(at) as Name {
        case .address: term.test(address)
        case .port: term.test(port)
        }
    }
}

extension Weights: FilterRow {
    private enum Name: Int {
        case passing, warning
    }

    public static let filterSchema = FilterSchema([("Passing", Name.passing, .int), ("Warning", .warning, .int)])

    public func satisfies(_ term: FilterTerm, _ at: Int) -> Bool {
        switch term.field(at) as Name {
        case .passing: term.test(passing)
        case .warning: term.test(warning)
        }
    }
}

extension ServiceConnect: FilterRow {
    private enum Name: Int {
        case native
    }

    public static let filterSchema = FilterSchema([("Native", Name.native, .bool)])

    public func satisfies(_ term: FilterTerm, _ at: Int) -> Bool {
        switch term.field(at) as Name {
        case .native: term.test(native)
        }
    }
}

extension MeshGatewayConfig: FilterRow {
    private enum Name: Int {
        case mode
    }

    public static let filterSchema = FilterSchema([("Mode", Name.mode, .string)])

    public func satisfies(_ term: FilterTerm, _ at: Int) -> Bool {
        switch term.field(at) as Name {
        case .mode: term.test(mode)
        }
    }
}

extension ExposePath: FilterRow {
    private enum Name: Int {
        case listenerPort, path, localPathPort, `protocol`, parsedFromCheck
    }

    public static let filterSchema = FilterSchema([
        ("ListenerPort", Name.listenerPort, .int), ("Path", .path, .string), ("LocalPathPort", .localPathPort, .int),
        ("Protocol", .protocol, .string), ("ParsedFromCheck", .parsedFromCheck, .bool),
    ])

    public func satisfies(_ term: FilterTerm, _ at: Int) -> Bool {
        switch term.field(at) as Name {
        case .listenerPort: term.test(listenerPort)
        case .path: term.test(path)
        case .localPathPort: term.test(localPathPort)
        case .protocol: term.test(self.protocol)
        case .parsedFromCheck: term.test(parsedFromCheck)
        }
    }
}

extension ExposeConfig: FilterRow {
    private enum Name: Int {
        case checks, paths
    }

    public static let filterSchema = FilterSchema([("Checks", Name.checks, .bool), ("Paths", .paths, .list(ExposePath.filterSchema))])

    public func satisfies(_ term: FilterTerm, _ at: Int) -> Bool {
        switch term.field(at) as Name {
        case .checks: term.test(checks)
        case .paths: term.test(paths ?? [], at + 1)
        }
    }
}

extension Upstream: FilterRow {
    private enum Name: Int {
        case destinationType, destinationNamespace, destinationName, datacenter, localBindAddress, localBindPort, meshGateway
    }

    public static let filterSchema = FilterSchema([
        ("DestinationType", Name.destinationType, .string), ("DestinationNamespace", .destinationNamespace, .string),
        ("DestinationName", .destinationName, .string), ("Datacenter", .datacenter, .string),
        ("LocalBindAddress", .localBindAddress, .string),
        ("LocalBindPort", .localBindPort, .int), ("MeshGateway", .meshGateway, .structure(MeshGatewayConfig.filterSchema)),
    ])

    public func satisfies(_ term: FilterTerm, _ at: Int) -> Bool {
        switch term.field(at) as Name {
        case .destinationType: term.test(destinationType)
        case .destinationNamespace: term.test(destinationNamespace)
        case .destinationName: term.test(destinationName)
        case .datacenter: term.test(datacenter)
        case .localBindAddress: term.test(localBindAddress)
        case .localBindPort: term.test(localBindPort)
        case .meshGateway: meshGateway.satisfies(term, at + 1)
        }
    }
}

extension ConnectProxyConfig: FilterRow {
    private enum Name: Int {
        case destinationServiceName, destinationServiceID, localServiceAddress, localServicePort, meshGateway, expose, upstreams
    }

    public static let filterSchema = FilterSchema([
        ("DestinationServiceName", Name.destinationServiceName, .string), ("DestinationServiceID", .destinationServiceID, .string),
        ("LocalServiceAddress", .localServiceAddress, .string), ("LocalServicePort", .localServicePort, .int),
        ("MeshGateway", .meshGateway, .structure(MeshGatewayConfig.filterSchema)),
        ("Expose", .expose, .structure(ExposeConfig.filterSchema)),
        ("Upstreams", .upstreams, .list(Upstream.filterSchema)),
    ])

    public func satisfies(_ term: FilterTerm, _ at: Int) -> Bool {
        switch term.field(at) as Name {
        case .destinationServiceName: term.test(destinationServiceName)
        case .destinationServiceID: term.test(destinationServiceID)
        case .localServiceAddress: term.test(localServiceAddress)
        case .localServicePort: term.test(localServicePort)
        case .meshGateway: meshGateway.satisfies(term, at + 1)
        case .expose: expose.satisfies(term, at + 1)
        case .upstreams: term.test(upstreams ?? [], at + 1)
        }
    }
}

extension NodeService: FilterRow {
    fileprivate enum Name: Int {
        case kind, id, service, tags, address, port, meta, taggedAddresses, weights, enableTagOverride, connect, proxy
    }

    public static let filterSchema = FilterSchema([
        ("Kind", Name.kind, .string), ("ID", .id, .string), ("Service", .service, .string), ("Tags", .tags, .strings),
        ("Address", .address, .string), ("Port", .port, .int), ("Meta", .meta, .stringMap),
        ("TaggedAddresses", .taggedAddresses, .map(ServiceAddress.filterSchema)), ("Weights", .weights, .structure(Weights.filterSchema)),
        ("EnableTagOverride", .enableTagOverride, .bool), ("Connect", .connect, .structure(ServiceConnect.filterSchema)),
        ("Proxy", .proxy, .structure(ConnectProxyConfig.filterSchema)),
    ])

    public func satisfies(_ term: FilterTerm, _ at: Int) -> Bool {
        switch term.field(at) as Name {
        case .kind: term.test(kind)
        case .id: term.test(id)
        case .service: term.test(service)
        case .tags: term.test(tags)
        case .address: term.test(address)
        case .port: term.test(port)
        case .meta: term.test(meta, at + 1)
        case .taggedAddresses: term.test(taggedAddresses, at + 1)
        case .weights: (weights ?? Weights()).satisfies(term, at + 1)
        case .enableTagOverride: term.test(enableTagOverride)
        case .connect: connect.satisfies(term, at + 1)
        case .proxy: proxy.satisfies(term, at + 1)
        }
    }
}

/// A service as `/v1/agent/services` shows it: only proxies and gateways have `Proxy`, only native services `Connect`.
///
/// Whatever is asked of a part that is not there does not match.
public struct AgentServiceRow: FilterRow {
    private static let kindsWithProxy = ["connect-proxy", "mesh-gateway", "terminating-gateway", "ingress-gateway"]

    public let service: NodeService
    public init(_ service: NodeService) { self.service = service }

    public static var filterSchema: FilterSchema { NodeService.filterSchema }

    public func satisfies(_ term: FilterTerm, _ at: Int) -> Bool {
        switch term.field(at) as NodeService.Name {
        case .proxy where !AgentServiceRow.kindsWithProxy.contains(service.kind): false
        case .connect where !service.connect.native: false
        default: service.satisfies(term, at)
        }
    }
}

/// An instance with its node, flattened as `/v1/catalog/service/` shows it.
struct ServiceNodeRow: FilterRow {
    let node: Node
    let service: NodeService

    private enum Name: Int {
        case id, node, address, datacenter, taggedAddresses, nodeMeta
        case kind, serviceID, name, serviceAddress, tags, meta, port, serviceTaggedAddresses, weights, enableTagOverride, proxy, connect
    }

    static let filterSchema = FilterSchema([
        ("ID", Name.id, .string), ("Node", .node, .string), ("Address", .address, .string), ("Datacenter", .datacenter, .string),
        ("TaggedAddresses", .taggedAddresses, .stringMap), ("NodeMeta", .nodeMeta, .stringMap), ("ServiceKind", .kind, .string),
        ("ServiceID", .serviceID, .string), ("ServiceName", .name, .string), ("ServiceAddress", .serviceAddress, .string),
        ("ServiceTags", .tags, .strings), ("ServiceMeta", .meta, .stringMap), ("ServicePort", .port, .int),
        ("ServiceTaggedAddresses", .serviceTaggedAddresses, .map(ServiceAddress.filterSchema)),
        ("ServiceWeights", .weights, .structure(Weights.filterSchema)), ("ServiceEnableTagOverride", .enableTagOverride, .bool),
        ("ServiceProxy", .proxy, .structure(ConnectProxyConfig.filterSchema)),
        ("ServiceConnect", .connect, .structure(ServiceConnect.filterSchema)),
    ])

    func satisfies(_ term: FilterTerm, _ at: Int) -> Bool {
        switch term.field(at) as Name {
        case .id: term.test(node.id)
        case .node: term.test(node.node)
        case .address: term.test(node.address)
        case .datacenter: term.test(node.datacenter)
        case .taggedAddresses: term.test(node.taggedAddresses, at + 1)
        case .nodeMeta: term.test(node.meta, at + 1)
        case .kind: term.test(service.kind)
        case .serviceID: term.test(service.id)
        case .name: term.test(service.service)
        case .serviceAddress: term.test(service.address)
        case .tags: term.test(service.tags)
        case .meta: term.test(service.meta, at + 1)
        case .port: term.test(service.port)
        case .serviceTaggedAddresses: term.test(service.taggedAddresses, at + 1)
        case .weights: (service.weights ?? Weights()).satisfies(term, at + 1)
        case .enableTagOverride: term.test(service.enableTagOverride)
        case .proxy: service.proxy.satisfies(term, at + 1)
        case .connect: service.connect.satisfies(term, at + 1)
        }
    }
}

extension HealthCheck: FilterRow {
    private enum Name: Int {
        case node, checkID, name, status, notes, output, serviceID, serviceName, type, serviceTags
    }

    public static let filterSchema = FilterSchema([
        ("Node", Name.node, .string), ("CheckID", .checkID, .string), ("Name", .name, .string), ("Status", .status, .string),
        ("Notes", .notes, .string), ("Output", .output, .string), ("ServiceID", .serviceID, .string),
        ("ServiceName", .serviceName, .string),
        ("Type", .type, .string), ("ServiceTags", .serviceTags, .strings),
    ])

    public func satisfies(_ term: FilterTerm, _ at: Int) -> Bool {
        switch term.field(at) as Name {
        case .node: term.test(node)
        case .checkID: term.test(checkID)
        case .name: term.test(name)
        case .status: term.test(status)
        case .notes: term.test(notes)
        case .output: term.test(output)
        case .serviceID: term.test(serviceID)
        case .serviceName: term.test(serviceName)
        case .type: term.test(type)
        case .serviceTags: term.test(serviceTags)
        }
    }
}

extension Row: FilterRow where Value: FilterRow {
    public static var filterSchema: FilterSchema { Value.filterSchema }
    public func satisfies(_ term: FilterTerm, _ at: Int) -> Bool { value.satisfies(term, at) }
}

extension CheckServiceNode: FilterRow {
    private enum Name: Int {
        case node, service, checks
    }

    public static let filterSchema = FilterSchema([
        ("Node", Name.node, .structure(Node.filterSchema)), ("Service", .service, .structure(NodeService.filterSchema)),
        ("Checks", .checks, .list(HealthCheck.filterSchema)),
    ])

    public func satisfies(_ term: FilterTerm, _ at: Int) -> Bool {
        switch term.field(at) as Name {
        case .node: node.value.satisfies(term, at + 1)
        case .service: service.value.service.satisfies(term, at + 1)
        case .checks: term.test(checks, at + 1)
        }
    }
}

extension NodeDump: FilterRow {
    private enum Name: Int {
        case id, node, address, taggedAddresses, meta, services, checks
    }

    public static let filterSchema = FilterSchema([
        ("ID", Name.id, .string), ("Node", .node, .string), ("Address", .address, .string),
        ("TaggedAddresses", .taggedAddresses, .stringMap),
        ("Meta", .meta, .stringMap), ("Services", .services, .list(NodeService.filterSchema)),
        ("Checks", .checks, .list(HealthCheck.filterSchema)),
    ])

    public func satisfies(_ term: FilterTerm, _ at: Int) -> Bool {
        switch term.field(at) as Name {
        case .id: term.test(node.value.id)
        case .node: term.test(node.value.node)
        case .address: term.test(node.value.address)
        case .taggedAddresses: term.test(node.value.taggedAddresses, at + 1)
        case .meta: term.test(node.value.meta, at + 1)
        case .services: term.test(services.map(\.value.service), at + 1)
        case .checks: term.test(checks, at + 1)
        }
    }
}
